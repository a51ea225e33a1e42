package digest

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// failure is what crypt(3) returns for a salt that it does not understand.
const failure = "*0"

// longestKey is the longest password, as in libxcrypt: some methods take time
// that grows with its square.
const longestKey = 512

// charged is how many steps of the machine a password costs at least.
const charged = 4096

func crypt(c *value.Call) (value.Value, error) {
	key, salt := c.Str(0), c.Str(1)
	if len(key) > longestKey {
		return value.String(failure), nil
	}
	method := desCrypt
	switch {
	case strings.HasPrefix(salt, "$1$"):
		method = md5Crypt
	case strings.HasPrefix(salt, "$5$"):
		method = sha256Crypt
	case strings.HasPrefix(salt, "$6$"):
		method = sha512Crypt
	case strings.HasPrefix(salt, "$2"):
		method = blowfishCrypt
	}
	spend := func() error { return c.Step(charged) }
	hash, err := method(key, salt, spend)
	if err != nil {
		return value.None, err
	}
	if hash == "" {
		hash = failure
	}
	return declare.Text(c, hash)
}

// alphabet is the order of digits that crypt(3) uses in base 64.
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// appendDigits appends n digits of v, the lowest first.
func appendDigits(b []byte, v uint32, n int) []byte {
	for range n {
		b = append(b, alphabet[v&63])
		v >>= 6
	}
	return b
}

// appendPermuted writes the bytes of a digest in threes, in the order of places;
// what remains at the end takes as few digits as it can.
func appendPermuted(b, digest []byte, places []int) []byte {
	for len(places) > 0 {
		n := min(3, len(places))
		v := uint32(0)
		for _, place := range places[:n] {
			v = v<<8 | uint32(digest[place])
		}
		b = appendDigits(b, v, (n*8+5)/6)
		places = places[n:]
	}
	return b
}

// cutSalt returns the salt behind a prefix: up to a dollar sign, at most n bytes.
func cutSalt(text string, n int) string {
	salt, _, _ := strings.Cut(text, "$")
	return salt[:min(n, len(salt))]
}
