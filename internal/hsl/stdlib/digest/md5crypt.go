package digest

import "crypto/md5"

// md5Crypt is the method $1$ of FreeBSD: a thousand rounds of MD5.
func md5Crypt(key, setting string, spend func() error) (string, error) {
	const prefix = "$1$"
	salt := cutSalt(setting[len(prefix):], 8)
	inner := md5.Sum([]byte(key + salt + key))
	first := []byte(key + prefix + salt)
	for n := len(key); n > 0; n -= md5.Size {
		first = append(first, inner[:min(n, md5.Size)]...)
	}
	for n := len(key); n > 0; n >>= 1 {
		if n&1 == 1 {
			first = append(first, 0)
		} else {
			first = append(first, key[0])
		}
	}
	digest := md5.Sum(first)
	var b []byte
	for round := range 1000 {
		if round%100 == 0 {
			if err := spend(); err != nil {
				return "", err
			}
		}
		b = appendRound(b[:0], round, key, salt, digest[:])
		digest = md5.Sum(b)
	}
	hash := append([]byte(prefix), salt...)
	hash = append(hash, '$')
	return string(appendPermuted(hash, digest[:], []int{0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, 11})), nil
}

// appendRound is what one round hashes: key and digest, with salt and key
// between them unless the number of the round is divisible by 3 and 7.
func appendRound(b []byte, round int, key, salt string, digest []byte) []byte {
	if round&1 == 1 {
		b = append(b, key...)
	} else {
		b = append(b, digest...)
	}
	if round%3 != 0 {
		b = append(b, salt...)
	}
	if round%7 != 0 {
		b = append(b, key...)
	}
	if round&1 == 1 {
		return append(b, digest...)
	}
	return append(b, key...)
}
