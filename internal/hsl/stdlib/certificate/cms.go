package certificate

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"strings"

	"github.com/smallstep/pkcs7"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func init() {
	// The library would take DES.
	pkcs7.ContentEncryptionAlgorithm = pkcs7.EncryptionAlgorithmAES256CBC
}

// Builtins returns the functions for CMS. The keyring may be nil.
func Builtins(k Keyring) []*value.Builtin {
	const signer = "The certificate is an array of x509, privatekey and chain, or PEM with all of them, or the name of one in the configuration. "
	id := declare.Option("boolean id = false", "The certificate is the name of one in the configuration.")
	detached := declare.Option("boolean detached = true", "The signature does not hold the message.")
	return []*value.Builtin{
		declare.Function("pkcs7_sign(string message, array or string certificate, [array options]) string or none",
			"Returns the S/MIME signature of the message in base 64, the body of a part that is encoded so. "+signer+"Returns none if it is malformed.",
			`echo pkcs7_sign("text", "no certificate") ?? "none"; // none`,
			func(c *value.Call) (value.Value, error) { return sign7(c, k) }, id, detached),
		declare.Function("cms_sign(string message, array or string certificate, [array options]) array",
			"Signs the message. "+signer+"Returns an array of result and, if that is true, data: the signature as bytes.",
			`echo cms_sign("text", "no certificate"); // ["result"=>false]`,
			func(c *value.Call) (value.Value, error) { return cmsSign(c, k) }, id, detached,
			declare.Option(`string digest = "sha256"`, "The hash that is signed: sha1, sha256, sha384 or sha512.")),
		declare.Function("cms_verify(string signature, string or none message, array certificates, [array options]) array",
			"Checks a signature. The message is none when the signature holds it. The certificates are an array of lists: store, the authorities that are trusted, "+
				"and certs, those between, or, without a store, the signers that are trusted. "+
				"Returns an array of result, signers (a list of X509Resource) and, if asked for, data.",
			`echo cms_verify("no signature", none, []); // ["result"=>false]`, cmsVerify,
			declare.Option("boolean detached = true", "The signature does not hold the message."),
			declare.Option("boolean data = false", "Return the message that was signed.")),
		declare.Function("cms_encrypt(string message, array certificates, [array options]) array",
			"Encrypts the message to the holders of the certificates, a list under certs. Returns an array of result and, if that is true, data as bytes.",
			`echo cms_encrypt("text", ["certs" => []]); // ["result"=>false]`, cmsEncrypt),
		declare.Function("cms_decrypt(string message, array or string certificate, [array options]) array",
			"Decrypts a message. "+signer+"Returns an array of result and, if that is true, data and cms: signed when the data is a signed message, and data otherwise.",
			`echo cms_decrypt("text", "no certificate"); // ["result"=>false]`,
			func(c *value.Call) (value.Value, error) { return cmsDecrypt(c, k) }, id),
		declare.Function("cms_type(string message) string or none",
			"Returns what a message is, such as pkcs7-signedData or pkcs7-envelopedData, or none if it is no CMS.",
			`echo cms_type("text") ?? "none"; // none`, cmsType),
	}
}

// result is an array of result and perhaps more.
func result(ok bool, pairs ...any) value.Value {
	return value.FromArray(value.Map(append([]any{"result", value.Boolean(ok)}, pairs...)...))
}

// binaryOf returns the bytes of a message that may also be PEM or base 64.
func binaryOf(text string) []byte {
	if block, _ := pem.Decode([]byte(text)); block != nil {
		return block.Bytes
	}
	compact := strings.Join(strings.Fields(text), "")
	if b, err := base64.StdEncoding.DecodeString(compact); err == nil && len(b) > 0 && b[0] == 0x30 {
		return b
	}
	return []byte(text)
}

var digests = map[string]asn1.ObjectIdentifier{
	"sha1": pkcs7.OIDDigestAlgorithmSHA1, "sha256": pkcs7.OIDDigestAlgorithmSHA256,
	"sha384": pkcs7.OIDDigestAlgorithmSHA384, "sha512": pkcs7.OIDDigestAlgorithmSHA512,
}

// signature returns the signature of a message, or nil.
func signature(message string, who Identity, digest asn1.ObjectIdentifier, detached bool) []byte {
	data, err := pkcs7.NewSignedData([]byte(message))
	if err != nil {
		return nil
	}
	data.SetDigestAlgorithm(digest)
	if data.AddSigner(who.Certificate, who.Key, pkcs7.SignerInfoConfig{}) != nil {
		return nil
	}
	for _, c := range who.Chain {
		data.AddCertificate(c)
	}
	if detached {
		data.Detach()
	}
	der, err := data.Finish()
	if err != nil {
		return nil
	}
	return der
}

func sign7(c *value.Call, k Keyring) (value.Value, error) {
	o := c.Options(2)
	who, ok := IdentityOf(c.Args[1], o.Bool("id"), k)
	if !ok {
		return value.None, nil
	}
	der := signature(c.Str(0), who, pkcs7.OIDDigestAlgorithmSHA256, o.Bool("detached"))
	if der == nil {
		return value.None, nil
	}
	return declare.Text(c, lines(base64.StdEncoding.EncodeToString(der)))
}

// lines breaks text as MIME wants it (RFC 2045 §6.8).
func lines(text string) string {
	const longest = 76
	var b strings.Builder
	for len(text) > longest {
		b.WriteString(text[:longest] + "\r\n")
		text = text[longest:]
	}
	b.WriteString(text + "\r\n")
	return b.String()
}

func cmsSign(c *value.Call, k Keyring) (value.Value, error) {
	o := c.Options(2)
	digest, known := digests[o.Str("digest")]
	if !known {
		return value.None, declare.UnwantedOption(c, "digest", "sha1, sha256, sha384 or sha512", o.Get("digest"))
	}
	who, ok := IdentityOf(c.Args[1], o.Bool("id"), k)
	if !ok {
		return result(false), nil
	}
	der := signature(c.Str(0), who, digest, o.Bool("detached"))
	if der == nil {
		return result(false), nil
	}
	return result(true, "data", value.Bytes(der)), c.Alloc(len(der))
}

func cmsVerify(c *value.Call) (value.Value, error) {
	certs, store, err := trusted(c)
	if err != nil {
		return value.None, err
	}
	message, err := pkcs7.Parse(binaryOf(c.Str(0)))
	if err != nil {
		return result(false), nil // the result says so
	}
	if c.Args[1].IsSet() {
		message.Content = []byte(c.Str(1))
	}
	message.Certificates = append(message.Certificates, certs...)
	signers := signersOf(message)
	list := value.NewArray(len(signers))
	for _, s := range signers {
		list.Push(value.FromResource(&Resource{s}))
	}
	pairs := []any{"signers", value.FromArray(list)}
	if c.Options(3).Bool("data") {
		pairs = append(pairs, "data", value.Bytes(message.Content))
	}
	return result(verified(message, signers, certs, store), pairs...), c.Alloc(len(message.Content))
}

// trusted reads the lists of certificates; the store is nil if there is none.
func trusted(c *value.Call) (certs []*x509.Certificate, store *x509.CertPool, err error) {
	given, _ := c.Array(2).GetString("certs")
	certs, ok1 := listOf(given.Array())
	given, _ = c.Array(2).GetString("store")
	roots, ok2 := listOf(given.Array())
	if !ok1 || !ok2 {
		return nil, nil, declare.Unwanted(c, 2, "lists of X509")
	}
	if given.IsArray() {
		store = x509.NewCertPool()
		for _, root := range roots {
			store.AddCert(root)
		}
	}
	return certs, store, nil
}

// signersOf returns the certificates of those who signed.
func signersOf(p *pkcs7.PKCS7) (list []*x509.Certificate) {
	for _, s := range p.Signers {
		for _, c := range p.Certificates {
			if c.SerialNumber.Cmp(s.IssuerAndSerialNumber.SerialNumber) == 0 && bytes.Equal(c.RawIssuer, s.IssuerAndSerialNumber.IssuerName.FullBytes) {
				list = append(list, c)
				break
			}
		}
	}
	return list
}

// verified checks the signatures, and whether those who signed are trusted: by
// the store if there is one, and otherwise because they are in the list.
func verified(p *pkcs7.PKCS7, signers, certs []*x509.Certificate, store *x509.CertPool) bool {
	if len(p.Signers) == 0 || len(signers) != len(p.Signers) {
		return false
	}
	if store != nil {
		return p.VerifyWithChain(store) == nil
	}
	for _, s := range signers {
		known := false
		for _, c := range certs {
			known = known || c.Equal(s)
		}
		if !known {
			return false
		}
	}
	return p.Verify() == nil
}

func cmsEncrypt(c *value.Call) (value.Value, error) {
	given, _ := c.Array(1).GetString("certs")
	recipients, ok := listOf(given.Array())
	if !ok {
		return value.None, declare.Unwanted(c, 1, "a list of X509 under certs")
	}
	if len(recipients) == 0 {
		return result(false), nil
	}
	der, err := pkcs7.Encrypt([]byte(c.Str(0)), recipients)
	if err != nil {
		return result(false), nil // the result says so
	}
	return result(true, "data", value.Bytes(der)), c.Alloc(len(der))
}

func cmsDecrypt(c *value.Call, k Keyring) (value.Value, error) {
	who, ok := IdentityOf(c.Args[1], c.Options(2).Bool("id"), k)
	if !ok {
		return result(false), nil
	}
	message, err := pkcs7.Parse(binaryOf(c.Str(0)))
	if err != nil {
		return result(false), nil // the result says so
	}
	data, err := message.Decrypt(who.Certificate, who.Key)
	if err != nil {
		return result(false), nil // the result says so
	}
	kind := "data"
	if contentType(data) == "pkcs7-signedData" {
		kind = "signed"
	}
	return result(true, "data", value.Bytes(data), "cms", value.String(kind)), c.Alloc(len(data))
}

// contentTypes are the names of OpenSSL for what a message can be.
var contentTypes = map[string]string{
	"1.2.840.113549.1.7.1": "pkcs7-data", "1.2.840.113549.1.7.2": "pkcs7-signedData", "1.2.840.113549.1.7.3": "pkcs7-envelopedData",
	"1.2.840.113549.1.7.4": "pkcs7-signedAndEnvelopedData", "1.2.840.113549.1.7.5": "pkcs7-digestData", "1.2.840.113549.1.7.6": "pkcs7-encryptedData",
	"1.2.840.113549.1.9.16.1.2": "id-smime-ct-authData", "1.2.840.113549.1.9.16.1.9": "id-smime-ct-compressedData",
	"1.2.840.113549.1.9.16.1.23": "id-smime-ct-authEnvelopedData",
}

// contentType reads the type of a message (RFC 5652 §3), "" if it is none.
func contentType(der []byte) string {
	var info struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,optional,tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &info); err != nil {
		return ""
	}
	return contentTypes[info.Type.String()]
}

func cmsType(c *value.Call) (value.Value, error) {
	if name := contentType(binaryOf(c.Str(0))); name != "" {
		return value.String(name), nil
	}
	return value.None, nil
}
