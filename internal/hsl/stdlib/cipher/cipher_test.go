package cipher_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/cipher"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// keys are one of each kind. The RSA key is short to be quick.
type keys struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
	ed  ed25519.PrivateKey
}

func (k keys) PrivateKey(id string) crypto.Signer {
	if id == "mine" {
		return k.rsa
	}
	return nil
}

func newKeys(t *testing.T) keys {
	var k keys
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 1024); err != nil {
		t.Fatal(err)
	}
	if k.ec, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	k.ed = ed25519.NewKeyFromSeed([]byte("01234567890123456789012345678901"))
	return k
}

func text(kind string, der []byte) value.Value {
	return value.Bytes(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key any) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// machine has a function for each form of the keys.
func machine(t *testing.T) *stdlibtest.Machine {
	k := newKeys(t)
	l := value.NewLibrary(nil, value.Declarations{Builtins: cipher.Builtins(k)})
	m := stdlibtest.New(t, l, value.Setup{})
	ec, err := x509.MarshalECPrivateKey(k.ec)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}
	m.Functions = map[string]func([]value.Value) (value.Value, error){}
	for name, v := range map[string]value.Value{
		"pkcs1":      value.Bytes(x509.MarshalPKCS1PrivateKey(k.rsa)),
		"pkcs1pem":   text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k.rsa)),
		"pkcs8":      value.Bytes(pkcs8(t, k.rsa)),
		"pkcs8pem":   text("PRIVATE KEY", pkcs8(t, k.rsa)),
		"ecpem":      text("EC PRIVATE KEY", ec),
		"ecpkcs8pem": text("PRIVATE KEY", pkcs8(t, k.ec)),
		"edpem":      text("PRIVATE KEY", pkcs8(t, k.ed)),
		"public1":    value.Bytes(x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)),
		"publicpem":  text("PUBLIC KEY", spki),
		"public":     value.Bytes(spki),
		"edpublic":   value.Bytes(k.ed.Public().(ed25519.PublicKey)),
		"edprivate":  value.Bytes(k.ed),
	} {
		m.Functions[name] = func([]value.Value) (value.Value, error) { return v, nil }
	}
	return m
}

func TestAES(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`aes_decrypt(aes_encrypt("text", "0123456789abcdef", "ecb"), "0123456789abcdef", "ecb")`, `"text"`},
		{`aes_decrypt(aes_encrypt("", "0123456789abcdef01234567", "cbc", ["iv" => "fedcba9876543210"]), "0123456789abcdef01234567", "cbc", ["iv" => "fedcba9876543210"])`, `""`},
		{`aes_decrypt(aes_encrypt("0123456789abcdef", "0123456789abcdef0123456789abcdef", "ecb", ["padding" => false]), "0123456789abcdef0123456789abcdef", "ecb", ["padding" => false])`, `"0123456789abcdef"`},
		{`aes_encrypt("short", "0123456789abcdef", "ecb", ["padding" => false])`, `none`},
		{`aes_encrypt("x", "short", "ecb")`, `none`},
		{`aes_encrypt("x", "0123456789abcdef", "cbc")`, `none`},
		{`aes_encrypt("x", "0123456789abcdef", "cbc", ["iv" => "short"])`, `none`},
		{`aes_encrypt("x", "0123456789abcdef", "gcm")`, `none`},
		{`aes_decrypt("short", "0123456789abcdef", "ecb")`, `none`},
		{`aes_decrypt("", "0123456789abcdef", "ecb")`, `none`},
		{`aes_decrypt(aes_encrypt("text", "0123456789abcdef", "ecb"), "0123456789abcdeF", "ecb")`, `none`},
	})
}

func TestKeys(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`is_rsa_privatekey(rsa_privatekey(pkcs1pem()))`, `true`},
		{`is_rsa_privatekey(rsa_privatekey(pkcs8pem()))`, `true`},
		{`is_ec_privatekey(ec_privatekey(ecpem()))`, `true`},
		{`is_ec_privatekey(ec_privatekey(ecpkcs8pem()))`, `true`},
		{`is_ed25519_privatekey(ed25519_privatekey(edpem()))`, `true`},
		{`is_rsa_privatekey(ec_privatekey(ecpem()))`, `false`},
		{`rsa_privatekey(ecpem())`, `none`},
		{`ec_privatekey(pkcs8pem())`, `none`},
		{`ed25519_privatekey("x")`, `none`},
		{`rsa_privatekey(publicpem())`, `none`},
		{`is_rsa_privatekey("x")`, `false`},
	})
}

func TestSignatures(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`rsa_verify("m", rsa_sign("m", pkcs1()), public1())`, `true`},
		{`rsa_verify("m", rsa_sign("m", pkcs8(), ["format" => "PrivateKeyInfo"]), public(), ["format" => "SubjectPublicKeyInfo"])`, `true`},
		{`rsa_verify("m", rsa_sign("m", pkcs8pem(), ["pem" => true]), publicpem(), ["pem" => true])`, `true`},
		{`rsa_verify("m", rsa_sign("m", rsa_privatekey(pkcs1pem())), public1())`, `true`},
		{`rsa_verify("m", rsa_sign("m", "mine", ["id" => true]), public1())`, `true`},
		{`rsa_verify("m", rsa_sign("m", "pki:mine", ["id" => true]), public1())`, `true`},
		{`rsa_verify("m", rsa_sign("m", pkcs1(), ["hash" => "sha512"]), public1(), ["hash" => "sha512"])`, `true`},
		{`rsa_verify("m", rsa_sign("m", pkcs1(), ["hash" => "md5"]), public1(), ["hash" => "md5"])`, `true`},
		{`rsa_verify("m", rsa_sign("m", pkcs1(), ["hash" => "sha1"]), public1())`, `false`},
		{`rsa_verify("n", rsa_sign("m", pkcs1()), public1())`, `false`},
		{`rsa_verify("m", "", public1())`, `false`},
		{`rsa_verify("m", "", "nonsense")`, `none`},
		{`rsa_verify("m", "", "nonsense", ["pem" => true])`, `none`},
		{`rsa_sign("m", "nonsense")`, `none`},
		{`rsa_sign("m", "nobody", ["id" => true])`, `none`},
		{`rsa_sign("m", "nonsense", ["pem" => true])`, `none`},
		{`rsa_sign("m", ecpkcs8pem(), ["pem" => true])`, `none`},
		{`rsa_sign("m", ec_privatekey(ecpem()))`, `!rsa_sign: argument 2 (privatekey): want RSAPrivateKey or string, got ECPrivateKey`},
		{`rsa_sign("m", pkcs1(), ["hash" => "sha3"])`, `!rsa_sign: option hash: want md5, sha1, sha256 or sha512, got "sha3"`},
		{`ed25519_verify("m", ed25519_sign("m", "01234567890123456789012345678901"), edpublic())`, `true`},
		{`ed25519_verify("m", ed25519_sign("m", edprivate()), edpublic())`, `true`},
		{`ed25519_verify("m", ed25519_sign("m", ed25519_privatekey(edpem())), edpublic())`, `true`},
		{`ed25519_verify("n", ed25519_sign("m", edprivate()), edpublic())`, `false`},
		{`ed25519_sign("m", "short")`, `none`},
		{`ed25519_verify("m", "short", edpublic())`, `none`},
		{`ed25519_verify("m", edprivate(), "short")`, `none`},
	})
}
