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
			`echo md5("abc"); // 900150983cd24fb0d6963f7d28e17f72`, plain(algorithmMD5), binary),
		declare.Function("sha1(string message, [array options]) string",
			"Returns the SHA-1 of the message in hexadecimal digits. It does not protect against forgery.",
			`echo sha1("abc"); // a9993e364706816aba3e25717850c26c9cd0d89d`, plain(algorithmSHA1), binary),
		declare.Function("sha2(string message, number hashsize, [array options]) string",
			"Returns the SHA-2 of the message in hexadecimal digits. The size is 256 or 512 bits; any other throws.",
			`echo str_slice(sha2("abc", 256), 0, 16); // ba7816bf8f01cfea`, sha2, binary),
		declare.Function("hmac_md5(string key, string message, [array options]) string",
			"Returns the HMAC of the message with MD5 in hexadecimal digits.",
			`echo hmac_md5("Jefe", "what do ya want for nothing?"); // 750c783e6ab0b503eaa86e310a5db738`, keyed(algorithmMD5), binary),
		declare.Function("hmac_sha1(string key, string message, [array options]) string",
			"Returns the HMAC of the message with SHA-1 in hexadecimal digits.",
			`echo hmac_sha1("Jefe", "what do ya want for nothing?"); // effcdf6ae5eb2fa2d27416d5f184df9c259a7c79`, keyed(algorithmSHA1), binary),
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

// algorithm is a hash, made at once of a short message or step by step of a long
// one.
type algorithm struct {
	new func() hash.Hash
	sum func(message []byte) (digest [sha512.Size]byte, n int)
}

var (
	algorithmMD5 = &algorithm{md5.New, func(b []byte) (d [sha512.Size]byte, n int) {
		sum := md5.Sum(b)
		n = copy(d[:], sum[:])
		return d, n
	}}
	algorithmSHA1 = &algorithm{sha1.New, func(b []byte) (d [sha512.Size]byte, n int) {
		sum := sha1.Sum(b)
		n = copy(d[:], sum[:])
		return d, n
	}}
	algorithmSHA256 = &algorithm{sha256.New, func(b []byte) (d [sha512.Size]byte, n int) {
		sum := sha256.Sum256(b)
		n = copy(d[:], sum[:])
		return d, n
	}}
	algorithmSHA512 = &algorithm{sha512.New, func(b []byte) (d [sha512.Size]byte, n int) {
		d = sha512.Sum512(b)
		return d, len(d)
	}}
)

// blockSize is how much is hashed between two looks at the limits.
const blockSize = 1 << 16

// plain returns the builtin of a hash.
func plain(a *algorithm) declare.Func {
	return func(c *value.Call) (value.Value, error) { return a.digest(c, 1) }
}

func sha2(c *value.Call) (value.Value, error) {
	a, err := sizeOf(c, 1)
	if err != nil {
		return value.None, err
	}
	return a.digest(c, 2)
}

// digest hashes argument 0. Options are the place of the options.
func (a *algorithm) digest(c *value.Call, options int) (value.Value, error) {
	message := c.Str(0)
	if len(message) > blockSize {
		return sum(c, options, a.new(), message)
	}
	if err := c.Step(len(message)/64 + 1); err != nil {
		return value.None, err
	}
	d, n := a.sum(declare.View(message))
	return result(c, options, d[:n])
}

func keyed(a *algorithm) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		return sum(c, 2, hmac.New(a.new, []byte(c.Str(0))), c.Str(1))
	}
}

func hmacSHA2(c *value.Call) (value.Value, error) {
	a, err := sizeOf(c, 2)
	if err != nil {
		return value.None, err
	}
	return sum(c, 3, hmac.New(a.new, []byte(c.Str(0))), c.Str(1))
}

// sum hashes step by step.
func sum(c *value.Call, options int, h hash.Hash, message string) (value.Value, error) {
	for message != "" {
		n := min(len(message), blockSize)
		h.Write(declare.View(message[:n]))
		message = message[n:]
		if err := c.Step(n/64 + 1); err != nil {
			return value.None, err
		}
	}
	return result(c, options, h.Sum(nil))
}

// result returns a digest in the form that the options want.
func result(c *value.Call, options int, digest []byte) (value.Value, error) {
	if c.Array(options) != nil && c.Options(options).Bool("binary") {
		return declare.Text(c, string(digest))
	}
	var digits [2 * sha512.Size]byte
	return declare.Text(c, string(digits[:hex.Encode(digits[:], digest)]))
}

func sizeOf(c *value.Call, i int) (*algorithm, error) {
	switch c.Num(i) {
	case 256:
		return algorithmSHA256, nil
	case 512:
		return algorithmSHA512, nil
	}
	return nil, declare.Unwanted(c, i, "256 or 512")
}

// tableHash is FNV-1a.
func tableHash(c *value.Call) (value.Value, error) {
	h := fnv.New32a()
	h.Write(declare.View(c.Str(0)))
	return value.Number(float64(h.Sum32())), c.Step(len(c.Str(0)) / 64)
}
