package cipher

import (
	"crypto"
	"crypto/ed25519"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/pem"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// signatures returns the functions that sign and verify.
func signatures(k Keyring) []*value.Builtin {
	hash := declare.Option(`string hash = "sha256"`, "The hash that is signed: md5, sha1, sha256 or sha512.")
	text := declare.Option("boolean pem = false", "The key is text in PEM, not binary.")
	return []*value.Builtin{
		declare.Function("rsa_sign(string message, RSAPrivateKey or string privatekey, [array options]) string or none",
			"Returns the signature (PKCS#1 v1.5) of the message as bytes, or none if the key is malformed.",
			`echo rsa_sign("text", "no key") ?? "none"; // none`,
			func(c *value.Call) (value.Value, error) { return rsaSign(c, k) }, hash, text,
			declare.Option(`string format = "RSAPrivateKey"`, "The form of the key: PrivateKeyInfo (PKCS#8) or RSAPrivateKey."),
			declare.Option("boolean id = false", "The key is the name of one in the configuration.")),
		declare.Function("rsa_verify(string message, string signature, string publickey, [array options]) boolean or none",
			"Returns whether the signature (PKCS#1 v1.5) is one of the message by the holder of the key, or none if the key is malformed.",
			`echo rsa_verify("text", "signature", "no key") ?? "none"; // none`,
			rsaVerify, hash, text,
			declare.Option(`string format = "RSAPublicKey"`, "The form of the key: SubjectPublicKeyInfo or RSAPublicKey.")),
		declare.Function("ed25519_sign(string message, ED25519PrivateKey or string privatekey) string or none",
			"Returns the 64 bytes of the signature of the message. A key that is a string has 32 bytes, or 64 with the public key behind. Returns none for others.",
			`echo length(ed25519_sign("text", str_repeat("k", 32))); // 64`, ed25519Sign),
		declare.Function("ed25519_verify(string message, string signature, string publickey) boolean or none",
			"Returns whether the signature is one of the message by the holder of the key, which has 32 bytes; none if their sizes are wrong.",
			`echo ed25519_verify("text", str_repeat("s", 64), str_repeat("k", 32)); // false`, ed25519Verify),
	}
}

// digest returns the hash that an option names, and that of the message.
func digest(c *value.Call, options int, message string) (crypto.Hash, []byte, error) {
	o := c.Options(options)
	if err := c.Step(len(message) / 64); err != nil {
		return 0, nil, err
	}
	switch b := []byte(message); o.Str("hash") {
	case "md5":
		sum := md5.Sum(b)
		return crypto.MD5, sum[:], nil
	case "sha1":
		sum := sha1.Sum(b)
		return crypto.SHA1, sum[:], nil
	case "sha256":
		sum := sha256.Sum256(b)
		return crypto.SHA256, sum[:], nil
	case "sha512":
		sum := sha512.Sum512(b)
		return crypto.SHA512, sum[:], nil
	}
	return 0, nil, declare.UnwantedOption(c, "hash", "md5, sha1, sha256 or sha512", o.Get("hash"))
}

func rsaSign(c *value.Call, ring Keyring) (value.Value, error) {
	h, sum, err := digest(c, 2, c.Str(0))
	if err != nil {
		return value.None, err
	}
	key, ok := privateKey(c, ring).(*rsa.PrivateKey)
	if !ok {
		return value.None, nil
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, h, sum)
	if err != nil {
		return value.None, nil // none says so
	}
	return declare.Bytes(c, signature)
}

// privateKey finds the key that argument 1 is, names or spells; nil if there is
// none. Which of its forms it has shows by itself.
func privateKey(c *value.Call, ring Keyring) crypto.Signer {
	if k, ok := c.Args[1].Resource().(*Key); ok {
		return k.Signer
	}
	o := c.Options(2)
	switch {
	case o.Bool("id"):
		return configured(ring, c.Str(1))
	case o.Bool("pem"):
		if k := ParseKey(c.Str(1)); k != nil {
			return k.Signer
		}
		return nil
	}
	return parseDER([]byte(c.Str(1)))
}

func rsaVerify(c *value.Call) (value.Value, error) {
	h, sum, err := digest(c, 3, c.Str(0))
	if err != nil {
		return value.None, err
	}
	der := []byte(c.Str(2))
	if c.Options(3).Bool("pem") {
		block, _ := pem.Decode(der)
		if block == nil {
			return value.None, nil
		}
		der = block.Bytes
	}
	key := publicKey(der)
	if key == nil {
		return value.None, nil
	}
	return value.Boolean(rsa.VerifyPKCS1v15(key, h, sum, []byte(c.Str(1))) == nil), nil
}

// publicKey reads a public key in either of its forms.
func publicKey(der []byte) *rsa.PublicKey {
	if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return k
	}
	if k, err := x509.ParsePKIXPublicKey(der); err == nil {
		key, _ := k.(*rsa.PublicKey)
		return key
	}
	return nil
}

func ed25519Sign(c *value.Call) (value.Value, error) {
	var key ed25519.PrivateKey
	if k, ok := c.Args[1].Resource().(*Key); ok {
		key, _ = k.Signer.(ed25519.PrivateKey)
	}
	switch s := c.Str(1); len(s) {
	case ed25519.SeedSize:
		key = ed25519.NewKeyFromSeed([]byte(s))
	case ed25519.PrivateKeySize:
		key = ed25519.PrivateKey(s)
	}
	if key == nil {
		return value.None, nil
	}
	if err := c.Step(len(c.Str(0)) / 64); err != nil {
		return value.None, err
	}
	return declare.Bytes(c, ed25519.Sign(key, []byte(c.Str(0))))
}

func ed25519Verify(c *value.Call) (value.Value, error) {
	signature, key := c.Str(1), c.Str(2)
	if len(signature) != ed25519.SignatureSize || len(key) != ed25519.PublicKeySize {
		return value.None, nil
	}
	if err := c.Step(len(c.Str(0)) / 64); err != nil {
		return value.None, err
	}
	return value.Boolean(ed25519.Verify([]byte(key), []byte(c.Str(0)), []byte(signature))), nil
}
