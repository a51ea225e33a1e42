package certificate_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/cipher"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/codec"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// world is an authority with a list of what it has revoked, and two holders of
// its certificates.
type world struct {
	caKey, key, otherKey *rsa.PrivateKey
	ca, leaf, other      *x509.Certificate
	crl                  *x509.RevocationList
}

// theWorld takes a while to make.
var theWorld = sync.OnceValue(func() *world {
	w := &world{}
	w.caKey, w.key, w.otherKey = newKey(), newKey(), newKey()
	w.ca = issue(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority", Country: []string{"SE"}},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil, w.caKey, w.caKey)
	link, _ := url.Parse("https://example.com/me")
	w.leaf = issue(&x509.Certificate{
		SerialNumber: big.NewInt(0xabc), Subject: pkix.Name{CommonName: "leaf", Organization: []string{"Example"}, OrganizationalUnit: []string{"Mail"}},
		DNSNames: []string{"mx.example.com", "*.example.org"}, EmailAddresses: []string{"joe@example.com"},
		IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}, URIs: []*url.URL{link},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}, w.ca, w.key, w.caKey)
	w.other = issue(&x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "other"}}, w.ca, w.otherKey, w.caKey)
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Unix(1e9, 0), NextUpdate: time.Unix(4e9, 0),
		RevokedCertificateEntries: []x509.RevocationListEntry{{SerialNumber: big.NewInt(7), RevocationTime: time.Unix(1e9, 0), ReasonCode: 1}},
	}, w.ca, w.caKey)
	if err != nil {
		panic(err)
	}
	if w.crl, err = x509.ParseRevocationList(der); err != nil {
		panic(err)
	}
	return w
})

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

func issue(c, by *x509.Certificate, key, signer *rsa.PrivateKey) *x509.Certificate {
	c.NotBefore, c.NotAfter = time.Unix(1e9, 0), time.Unix(4e9, 0)
	if by == nil {
		by = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, key.Public(), signer)
	if err != nil {
		panic(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return made
}

func (w *world) PrivateKey(id string) crypto.Signer {
	if id == "mine" {
		return w.key
	}
	return nil
}

func (w *world) Certificates(id string) []*x509.Certificate {
	if id == "mine" {
		return []*x509.Certificate{w.leaf, w.ca}
	}
	return nil
}

// machine has functions for what is in the world.
func machine(t *testing.T) *stdlibtest.Machine {
	w := theWorld()
	l := value.NewLibrary(nil, value.Declarations{
		Builtins: append(append(certificate.Builtins(w), cipher.Builtins(w)...), codec.Builtins()...), Classes: certificate.Classes(),
	})
	m := stdlibtest.New(t, l, value.Setup{})
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"at":  func(args []value.Value) (value.Value, error) { v, _ := args[0].Array().Get(args[1]); return v, nil },
		"len": func(args []value.Value) (value.Value, error) { return value.Int(len(args[0].Text())), nil },
	}
	for name, v := range map[string]value.Value{
		"ca": certificate.New(w.ca), "leaf": certificate.New(w.leaf), "other": certificate.New(w.other),
		"leafder": value.Bytes(w.leaf.Raw), "leafpem": pemText("CERTIFICATE", w.leaf.Raw),
		"both":  value.String(pemText("CERTIFICATE", w.ca.Raw).Str() + pemText("CERTIFICATE", w.leaf.Raw).Str()),
		"whole": value.String(pemText("CERTIFICATE", w.ca.Raw).Str() + pemText("CERTIFICATE", w.leaf.Raw).Str() + keyText(w.key)),
		"key":   value.String(keyText(w.key)), "otherkey": value.String(keyText(w.otherKey)), "crlpem": pemText("X509 CRL", w.crl.Raw), "crlder": value.Bytes(w.crl.Raw),
	} {
		m.Functions[name] = func([]value.Value) (value.Value, error) { return v, nil }
	}
	return m
}

func pemText(kind string, der []byte) value.Value {
	return value.Bytes(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func keyText(k *rsa.PrivateKey) string {
	return pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k)).Str()
}

func TestX509(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`leaf()->subject()`, `[0=>[0=>"O",1=>"Example"],1=>[0=>"OU",1=>"Mail"],2=>[0=>"CN",1=>"leaf"]]`},
		{`leaf()->issuer()`, `[0=>[0=>"C",1=>"SE"],1=>[0=>"CN",1=>"Authority"]]`},
		{`leaf()->subject_alt_name()`, `["DNS"=>[0=>"mx.example.com",1=>"*.example.org"],"email"=>[0=>"joe@example.com"],"IP"=>[0=>"192.0.2.1"],"URI"=>[0=>"https://example.com/me"]]`},
		{`ca()->subject_alt_name()`, `[]`},
		{`leaf()->version()`, `3`},
		{`leaf()->serial_number()`, `"0ABC"`},
		{`leaf()->not_valid_before()`, `1000000000`},
		{`leaf()->not_valid_after()`, `4000000000`},
		{`at(at(leaf()->extensions(), 0), "name")`, `"keyUsage"`},
		{`at(at(leaf()->extensions(), 0), "oid")`, `"2.5.29.15"`},
		{`at(at(leaf()->extensions(), 0), "critical")`, `true`},
		{`X509::String(leafder())->serial_number()`, `"0ABC"`},
		{`X509::String(leafpem(), ["pem" => true])->serial_number()`, `"0ABC"`},
		{`at(X509::String(both(), ["pem" => true, "multiple" => true]), 1)->serial_number()`, `"0ABC"`},
		{`X509::String("nonsense")`, `none`},
		{`X509::String("nonsense", ["pem" => true])`, `none`},
		{`X509(leaf()->toResource())->serial_number()`, `"0ABC"`},
		{`X509::String(leaf()->export(["pem" => true]), ["pem" => true])->serial_number()`, `"0ABC"`},
		{`X509::String(leaf()->export())->serial_number()`, `"0ABC"`},
		{`X509("x")`, `!X509: argument 1 (x509resource): want X509Resource, got string`},
		{`leaf()->toFFIValue()`, `!FFI: calling C libraries is not possible`},
	})
	m := machine(t)
	key, err := m.Eval(`leaf()->public_key(["pem" => true])`)
	if err != nil || !strings.HasPrefix(key.Str(), "-----BEGIN PUBLIC KEY-----\n") {
		t.Errorf("public key is %s, %v", key.Text(), err)
	}
}

func TestVerify(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`leaf()->verify([ca()])`, `["result"=>true]`},
		{`leaf()->verify([ca()->toResource()])`, `["result"=>true]`},
		{`leaf()->verify([other()])`, `["result"=>false,"error"=>"x509: certificate signed by unknown authority"]`},
		{`leaf()->verify([])`, `["result"=>false,"error"=>"x509: certificate signed by unknown authority"]`},
		{`leaf()->verify([ca()], [], [X509CRL::String(crlder())])`, `["result"=>true]`},
		{`other()->verify([ca()], [], [X509CRL::String(crlder())])`, `["result"=>false,"error"=>"certificate was revoked: serial number 07"]`},
		{`other()->verify([ca()], [], [X509CRL::String(crlder())->toResource()])`, `["result"=>false,"error"=>"certificate was revoked: serial number 07"]`},
		{`leaf()->verify(["x"])`, `!verify: argument 1 (calist): want a list of X509, got an array`},
		{`X509CRL::String(crlpem(), ["pem" => true])->issuer()`, `[0=>[0=>"C",1=>"SE"],1=>[0=>"CN",1=>"Authority"]]`},
		{`X509CRL::String(crlder())->revoked()`, `[0=>["serial_number"=>"07","reason"=>"keyCompromise","date"=>1000000000]]`},
		{`X509CRL::String(crlder())->version()`, `2`},
		{`X509CRL::String(crlder())->last_update()`, `1000000000`},
		{`X509CRL::String(crlder())->next_update()`, `4000000000`},
		{`at(at(X509CRL::String(crlder())->extensions(), 1), "name")`, `"crlNumber"`},
		{`X509CRL(X509CRL::String(crlder())->toResource())->version()`, `2`},
		{`X509CRL::String(X509CRL::String(crlder())->export())->version()`, `2`},
		{`X509CRL::String("nonsense")`, `none`},
		{`X509CRL::String("nonsense", ["pem" => true])`, `none`},
	})
}

// sign is a signature that m has made of message; nothing tells how it was done.
const sign = `at(cms_sign("message", ["x509" => leaf(), "privatekey" => rsa_privatekey(key())]), "data")`

func TestCMS(t *testing.T) {
	const attached = `at(cms_sign("message", "mine", ["id" => true, "detached" => false]), "data")`
	machine(t).Check(t, []stdlibtest.Case{
		{`at(cms_verify(` + sign + `, "message", ["store" => [ca()]]), "result")`, `true`},
		{`at(cms_verify(` + sign + `, "another", ["store" => [ca()]]), "result")`, `false`},
		{`at(cms_verify(` + sign + `, "message", ["store" => [other()]]), "result")`, `false`},
		{`at(cms_verify(` + sign + `, "message", ["certs" => [leaf()]]), "result")`, `true`},
		{`at(cms_verify(` + sign + `, "message", ["certs" => [other()]]), "result")`, `false`},
		{`at(cms_verify(` + sign + `, "message", []), "result")`, `false`},
		{`at(cms_verify(base64_encode(` + sign + `), "message", ["store" => [ca()]]), "result")`, `true`},
		{`X509(at(at(cms_verify(` + sign + `, "message", ["store" => [ca()]]), "signers"), 0))->serial_number()`, `"0ABC"`},
		{`cms_verify("nonsense", "message", ["store" => [ca()]])`, `["result"=>false]`},
		{`cms_verify("x", "message", ["store" => ["x"]])`, `!cms_verify: argument 3 (certificates): want lists of X509, got an array`},
		{`at(cms_verify(` + attached + `, none, ["store" => [ca()]], ["detached" => false, "data" => true]), "data")`, `"message"`},
		{`at(cms_verify(` + attached + `, none, ["store" => [ca()]], ["detached" => false]), "result")`, `true`},
		{`at(cms_sign("message", whole(), ["digest" => "sha512"]), "result")`, `true`},
		{`cms_sign("message", "nobody", ["id" => true])`, `["result"=>false]`},
		{`cms_sign("message", ["x509" => leaf()])`, `["result"=>false]`},
		{`cms_sign("message", whole(), ["digest" => "md5"])`, `!cms_sign: option digest: want sha1, sha256, sha384 or sha512, got "md5"`},
		{`cms_type(` + sign + `)`, `"pkcs7-signedData"`},
		{`cms_type("x")`, `none`},
		{`cms_type(at(cms_encrypt("secret", ["certs" => [leaf()]]), "data"))`, `"pkcs7-envelopedData"`},
		{`cms_decrypt(at(cms_encrypt("secret", ["certs" => [leaf(), other()]]), "data"), "mine", ["id" => true])`, `["result"=>true,"data"=>"secret","cms"=>"data"]`},
		{`at(cms_decrypt(at(cms_encrypt(` + sign + `, ["certs" => [leaf()]]), "data"), whole()), "cms")`, `"signed"`},
		{`cms_decrypt(at(cms_encrypt("secret", ["certs" => [other()]]), "data"), "mine", ["id" => true])`, `["result"=>false]`},
		{`cms_decrypt("nonsense", "mine", ["id" => true])`, `["result"=>false]`},
		{`cms_encrypt("secret", ["certs" => []])`, `["result"=>false]`},
		{`cms_encrypt("secret", ["certs" => ["x"]])`, `!cms_encrypt: argument 2 (certificates): want a list of X509 under certs, got an array`},
		{`at(cms_verify(pkcs7_sign("message", whole()), "message", ["store" => [ca()]]), "result")`, `true`},
		{`pkcs7_sign("message", "nobody", ["id" => true])`, `none`},
	})
}

// TestOpenSSL: what is signed and encrypted here is what OpenSSL reads, and the
// other way round.
func TestOpenSSL(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("SKIPPED: openssl is not there: nothing is compared with another implementation")
	}
	m := machine(t)
	dir := t.TempDir()
	file := func(name, source string) string {
		v, err := m.Eval(source)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(v.Str()), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(args ...string) string {
		out, err := exec.Command(openssl, args...).CombinedOutput()
		if err != nil {
			t.Errorf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	ca, leaf, key := file("ca", `ca()->export(["pem" => true])`), file("leaf", `leaf()->export(["pem" => true])`), file("key", `key()`)
	message := filepath.Join(dir, "message")
	if err := os.WriteFile(message, []byte("message"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("cms", "-verify", "-binary", "-inform", "DER", "-in", file("signature", sign), "-content", message, "-CAfile", ca, "-purpose", "any", "-out", os.DevNull)
	if got := run("cms", "-decrypt", "-inform", "DER", "-in", file("secret", `at(cms_encrypt("secret", ["certs" => [leaf()]]), "data")`), "-inkey", key, "-recip", leaf); got != "secret" {
		t.Errorf("OpenSSL decrypts %q", got)
	}
	for name, args := range map[string][]string{
		"theirs":    {"cms", "-sign", "-binary", "-outform", "DER", "-in", message, "-signer", leaf, "-inkey", key},
		"attached":  {"cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-in", message, "-signer", leaf, "-inkey", key},
		"encrypted": {"cms", "-encrypt", "-binary", "-aes256", "-outform", "DER", "-in", message, leaf},
	} {
		path := filepath.Join(dir, name)
		run(append([]string{args[0], "-out", path}, args[1:]...)...) // certificates stand last
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m.Functions[name] = func([]value.Value) (value.Value, error) { return value.Bytes(text), nil }
	}
	if t.Failed() {
		return
	}
	m.Check(t, []stdlibtest.Case{
		{`at(cms_verify(theirs(), "message", ["store" => [ca()]]), "result")`, `true`},
		{`at(cms_verify(attached(), none, ["store" => [ca()]], ["detached" => false, "data" => true]), "data")`, `"message"`},
		{`at(cms_decrypt(encrypted(), whole()), "data")`, `"message"`},
	})
}

func FuzzCMS(f *testing.F) {
	f.Add("nonsense")
	f.Fuzz(func(t *testing.T, text string) {
		m := machine(t)
		m.Functions["text"] = func([]value.Value) (value.Value, error) { return value.String(text), nil }
		for _, source := range []string{
			`cms_verify(text(), "m", ["store" => [ca()]])`, `cms_decrypt(text(), "mine", ["id" => true])`, `cms_type(text())`,
			`X509::String(text())`, `X509CRL::String(text())`, `X509::String(text(), ["pem" => true])`,
		} {
			if got := m.Show(source); strings.HasPrefix(got, "!") {
				t.Fatal(fmt.Sprint(source, got))
			}
		}
	})
}
