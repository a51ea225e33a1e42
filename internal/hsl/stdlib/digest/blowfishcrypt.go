package digest

import (
	"encoding/base64"
	"strconv"

	"golang.org/x/crypto/blowfish" //nolint:staticcheck // bcrypt is made of it; nothing new is encrypted with it
)

// bcryptDigits is the base 64 of bcrypt.
var bcryptDigits = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

// magic is what bcrypt encrypts.
const magic = "OrpheanBeholderScryDoubt"

// blowfishCrypt is bcrypt, "$2b$12$" and 22 digits of salt. The package of that
// name chooses the salt itself, so only the cipher comes from there.
func blowfishCrypt(key, setting string, spend func() error) (string, error) {
	cost, salt, ok := bcryptSetting(setting)
	if !ok {
		return "", nil
	}
	secret := append([]byte(key), 0)
	secret = secret[:min(len(secret), 72)]
	cipher, err := blowfish.NewSaltedCipher(secret, salt)
	if err != nil {
		return "", nil // no salt of this method
	}
	for range uint64(1) << cost {
		if err := spend(); err != nil {
			return "", err
		}
		blowfish.ExpandKey(secret, cipher)
		blowfish.ExpandKey(salt, cipher)
	}
	text := []byte(magic)
	for block := 0; block < len(text); block += blowfish.BlockSize {
		for range 64 {
			cipher.Encrypt(text[block:], text[block:])
		}
	}
	// The last byte is left out, as in the first implementation.
	return setting[:7] + bcryptDigits.EncodeToString(salt) + bcryptDigits.EncodeToString(text[:len(text)-1]), nil
}

// bcryptSetting reads method, cost and salt.
func bcryptSetting(s string) (cost int, salt []byte, ok bool) {
	if len(s) < 29 || s[3] != '$' || s[6] != '$' || s[2] != 'a' && s[2] != 'b' && s[2] != 'y' {
		return 0, nil, false
	}
	cost, err := strconv.Atoi(s[4:6])
	if err != nil || cost < 4 || cost > 31 {
		return 0, nil, false
	}
	salt, err = bcryptDigits.DecodeString(s[7:29])
	return cost, salt, err == nil
}
