package digest

import (
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"strconv"
	"strings"
)

// shaCrypt is one of the methods $5$ and $6$, by Ulrich Drepper's description
// "Unix crypt using SHA-256 and SHA-512".
type shaCrypt struct {
	prefix string
	new    func() hash.Hash
	places []int // order of the bytes in the result
}

func sha256Crypt(key, setting string, spend func() error) (string, error) {
	return (&shaCrypt{"$5$", sha256.New, rotated(30, 10, [3]int{0, 10, 20}, true, 31, 30)}).hash(key, setting, spend)
}

func sha512Crypt(key, setting string, spend func() error) (string, error) {
	return (&shaCrypt{"$6$", sha512.New, rotated(63, 21, [3]int{0, 21, 42}, false, 63)}).hash(key, setting, spend)
}

// rotated lists the places of a digest in threes that stand a third apart and
// change their turns from row to row, in one direction or the other, and then
// those that are left over.
func rotated(n, third int, first [3]int, backwards bool, rest ...int) (places []int) {
	for row := range third {
		turn := row
		if backwards {
			turn = 2 * row
		}
		for i := range 3 {
			places = append(places, first[(i+turn)%3]+row)
		}
	}
	return append(places[:n], rest...)
}

const (
	defaultRounds = 5000
	fewestRounds  = 1000
	// mostRounds is what the description allows; the limits of the script end
	// it long before.
	mostRounds = 999_999_999
)

// settings reads "rounds=N$salt". custom says that the rounds were given.
func (m *shaCrypt) settings(text string) (salt string, rounds int, custom bool) {
	rounds = defaultRounds
	if digits, rest, found := strings.Cut(strings.TrimPrefix(text, "rounds="), "$"); found && strings.HasPrefix(text, "rounds=") {
		if n, err := strconv.ParseUint(digits, 10, 32); err == nil {
			return cutSalt(rest, 16), min(max(int(n), fewestRounds), mostRounds), true
		}
	}
	return cutSalt(text, 16), rounds, false
}

func (m *shaCrypt) hash(key, setting string, spend func() error) (string, error) {
	salt, rounds, custom := m.settings(setting[len(m.prefix):])
	digest := m.first(key, salt)
	keys := m.repeated(key, len(key), len(key))
	salts := m.repeated(salt, 16+int(digest[0]), len(salt))
	h := m.new()
	for round := range rounds {
		if round%100 == 0 {
			if err := spend(); err != nil {
				return "", err
			}
		}
		h.Reset()
		h.Write(appendRound(nil, round, keys, salts, digest))
		digest = h.Sum(digest[:0])
	}
	b := []byte(m.prefix)
	if custom {
		b = append(b, "rounds="+strconv.Itoa(rounds)+"$"...)
	}
	b = append(b, salt+"$"...)
	return string(appendPermuted(b, digest, m.places)), nil
}

// first is the digest that the rounds begin with: steps 1 to 12 of the
// description.
func (m *shaCrypt) first(key, salt string) []byte {
	h := m.new()
	h.Write([]byte(key + salt + key))
	inner := h.Sum(nil)
	h.Reset()
	h.Write([]byte(key + salt))
	for n := len(key); n > 0; n -= len(inner) {
		h.Write(inner[:min(n, len(inner))])
	}
	for n := len(key); n > 0; n >>= 1 {
		if n&1 == 1 {
			h.Write(inner)
		} else {
			h.Write([]byte(key))
		}
	}
	return h.Sum(nil)
}

// repeated hashes text so many times and stretches the digest to length: steps
// 13 to 20.
func (m *shaCrypt) repeated(text string, times, length int) string {
	h := m.new()
	for range times {
		h.Write([]byte(text))
	}
	digest := h.Sum(nil)
	b := make([]byte, 0, length)
	for len(b) < length {
		b = append(b, digest[:min(len(digest), length-len(b))]...)
	}
	return string(b)
}
