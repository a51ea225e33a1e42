// Package digest holds the builtins that condense strings: cryptographic
// hashes, message authentication codes, a hash for tables, and the hashes of
// passwords that crypt(3) knows.
package digest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"hash/fnv"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var binary = declare.Option("boolean binary = false", "Return the bytes themselves instead of hexadecimal digits.")

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("md5(string message, [array options]) string",
			"Returns the MD5 of the message in hexadecimal digits. It protects nothing.",
			`echo md5("abc"); // 900150983cd24fb0d6963f7d28e17f72`, plain(1, md5.New), binary),
		declare.Function("sha1(string message, [array options]) string",
			"Returns the SHA-1 of the message in hexadecimal digits. It does not protect against forgery.",
			`echo sha1("abc"); // a9993e364706816aba3e25717850c26c9cd0d89d`, plain(1, sha1.New), binary),
		declare.Function("sha2(string message, number hashsize, [array options]) string",
			"Returns the SHA-2 of the message in hexadecimal digits. The size is 256 or 512 bits; any other throws.",
			`echo str_slice(sha2("abc", 256), 0, 16); // ba7816bf8f01cfea`, sha2, binary),
		declare.Function("hmac_md5(string key, string message, [array options]) string",
			"Returns the HMAC of the message with MD5 in hexadecimal digits.",
			`echo hmac_md5("Jefe", "what do ya want for nothing?"); // 750c783e6ab0b503eaa86e310a5db738`, keyed(2, md5.New), binary),
		declare.Function("hmac_sha1(string key, string message, [array options]) string",
			"Returns the HMAC of the message with SHA-1 in hexadecimal digits.",
			`echo hmac_sha1("Jefe", "what do ya want for nothing?"); // effcdf6ae5eb2fa2d27416d5f184df9c259a7c79`, keyed(2, sha1.New), binary),
		declare.Function("hmac_sha2(string key, string message, number hashsize, [array options]) string",
			"Returns the HMAC of the message with SHA-2 in hexadecimal digits. The size is 256 or 512 bits; any other throws.",
			`echo str_slice(hmac_sha2("Jefe", "what do ya want for nothing?", 256), 0, 16); // 5bdcc146bf60754e`, hmacSHA2, binary),
		declare.Function("hash(string message) number",
			"Returns a number that is the same for the same string, now and always. It is quick and protects nothing.",
			`echo hash("a"); // 3826002220`, tableHash),
		declare.Function("crypt(string key, string salt) string",
			"Returns the hash of a password. The salt, or a whole hash, names the method: $1$ (MD5), $5$ (SHA-256), $6$ (SHA-512), "+
				"$2a$, $2b$ and $2y$ (bcrypt), or two characters (DES). A salt that is none of these gives \"*0\".",
			`echo crypt("secret", "ab"); // abNANd1rDfiNc`, crypt),
	}
}

// plain returns the builtin of a hash; options is the place of its options.
func plain(options int, algorithm func() hash.Hash) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		return sum(c, options, algorithm(), c.Str(0))
	}
}

func keyed(options int, algorithm func() hash.Hash) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		return sum(c, options, hmac.New(algorithm, []byte(c.Str(0))), c.Str(1))
	}
}

// blockSize is how much is hashed between two looks at the limits.
const blockSize = 1 << 16

func sum(c *value.Call, options int, h hash.Hash, message string) (value.Value, error) {
	for message != "" {
		n := min(len(message), blockSize)
		h.Write([]byte(message[:n]))
		message = message[n:]
		if err := c.Step(n/64 + 1); err != nil {
			return value.None, err
		}
	}
	digest := h.Sum(nil)
	if c.Array(options) != nil && c.Options(options).Bool("binary") {
		return declare.Bytes(c, digest)
	}
	return declare.Text(c, hex.EncodeToString(digest))
}

func sha2(c *value.Call) (value.Value, error) {
	algorithm, err := sizeOf(c, 1)
	if err != nil {
		return value.None, err
	}
	return sum(c, 2, algorithm(), c.Str(0))
}

func hmacSHA2(c *value.Call) (value.Value, error) {
	algorithm, err := sizeOf(c, 2)
	if err != nil {
		return value.None, err
	}
	return sum(c, 3, hmac.New(algorithm, []byte(c.Str(0))), c.Str(1))
}

func sizeOf(c *value.Call, i int) (func() hash.Hash, error) {
	switch c.Num(i) {
	case 256:
		return sha256.New, nil
	case 512:
		return sha512.New, nil
	}
	return nil, declare.Unwanted(c, i, "256 or 512")
}

// tableHash is FNV-1a.
func tableHash(c *value.Call) (value.Value, error) {
	h := fnv.New32a()
	h.Write([]byte(c.Str(0)))
	return value.Number(float64(h.Sum32())), c.Step(len(c.Str(0)) / 64)
}
