// Package cipher holds the builtins for encryption and signatures: AES, and
// private keys of RSA, elliptic curves and Ed25519.
//
// Keys come as resources, as text, or by the name that the configuration gave
// them, which a Keyring knows. What is malformed or does not verify gives none.
package cipher

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Keyring knows the private keys of the configuration. It must be safe for
// concurrent use.
type Keyring interface {
	// PrivateKey returns the key of that name, or nil.
	PrivateKey(id string) crypto.Signer
}

// Builtins returns the functions of the theme. The keyring may be nil.
func Builtins(k Keyring) []*value.Builtin {
	iv := declare.Option("string iv", "The 16 bytes that cbc begins with.")
	padding := declare.Option("boolean padding = true", "The message is filled to whole blocks (PKCS#7).")
	return append(keys(k),
		declare.Function("aes_encrypt(string message, string key, string mode, [array options]) string or none",
			"Returns the message encrypted with AES. The mode is ecb or cbc, the key has 16, 24 or 32 bytes. "+
				"Returns none for other modes and keys, and without padding for messages that are no whole blocks.",
			`echo base64_encode(aes_encrypt("secret", "0123456789abcdef", "cbc", ["iv" => "fedcba9876543210"])); // YQk+IppJFk+ZQt46ZdcMsw==`,
			encrypt, iv, padding),
		declare.Function("aes_decrypt(string message, string key, string mode, [array options]) string or none",
			"Returns the message that was encrypted with AES, or none if mode, key or message are not right.",
			`echo aes_decrypt(aes_encrypt("secret", "0123456789abcdef", "ecb"), "0123456789abcdef", "ecb"); // secret`,
			decrypt, iv, padding),
	)
}

// blocks returns what works on whole blocks, or nil when mode and key are not
// right.
func blocks(c *value.Call, encrypting bool) cipher.BlockMode {
	block, err := aes.NewCipher([]byte(c.Str(1)))
	if err != nil {
		return nil
	}
	iv := []byte(c.Options(3).Str("iv"))
	switch mode := c.Str(2); {
	case mode == "ecb":
		return ecb{block, encrypting}
	case mode != "cbc" || len(iv) != aes.BlockSize:
		return nil
	case encrypting:
		return cipher.NewCBCEncrypter(block, iv)
	}
	return cipher.NewCBCDecrypter(block, iv)
}

// ecb handles each block on its own. It hides little, which is why the standard
// library has no such mode, but scripts exchange data with others who use it.
type ecb struct {
	cipher.Block
	encrypting bool
}

func (e ecb) CryptBlocks(dst, src []byte) {
	for len(src) > 0 {
		if e.encrypting {
			e.Encrypt(dst, src)
		} else {
			e.Decrypt(dst, src)
		}
		dst, src = dst[aes.BlockSize:], src[aes.BlockSize:]
	}
}

func encrypt(c *value.Call) (value.Value, error) {
	message := []byte(c.Str(0))
	mode := blocks(c, true)
	if c.Options(3).Bool("padding") {
		n := aes.BlockSize - len(message)%aes.BlockSize
		for range n {
			message = append(message, byte(n))
		}
	}
	if mode == nil || len(message)%aes.BlockSize != 0 {
		return value.None, nil
	}
	if err := c.Step(len(message) / 16); err != nil {
		return value.None, err
	}
	mode.CryptBlocks(message, message)
	return declare.Bytes(c, message)
}

func decrypt(c *value.Call) (value.Value, error) {
	message := []byte(c.Str(0))
	mode := blocks(c, false)
	if mode == nil || len(message)%aes.BlockSize != 0 {
		return value.None, nil
	}
	if err := c.Step(len(message) / 16); err != nil {
		return value.None, err
	}
	mode.CryptBlocks(message, message)
	if c.Options(3).Bool("padding") {
		var ok bool
		if message, ok = unpad(message); !ok {
			return value.None, nil
		}
	}
	return declare.Bytes(c, message)
}

// unpad takes the padding of PKCS#7 off.
func unpad(b []byte) ([]byte, bool) {
	if len(b) == 0 {
		return nil, false
	}
	n := int(b[len(b)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, false
	}
	for _, x := range b[len(b)-n:] {
		if int(x) != n {
			return nil, false
		}
	}
	return b[:len(b)-n], true
}
