package digest

import "strings"

// desCrypt is the oldest method: 25 encryptions of zeros with a DES whose
// expansion the two characters of salt disturb. Package crypto/des does not let
// anybody do that, so the cipher stands here, on bits as in FIPS 46-3.
func desCrypt(key, setting string, spend func() error) (string, error) {
	if len(setting) < 2 || strings.IndexByte(alphabet, setting[0]) < 0 || strings.IndexByte(alphabet, setting[1]) < 0 {
		return "", nil
	}
	if err := spend(); err != nil {
		return "", err
	}
	d := desCipher{expansion: saltedExpansion(setting[:2])}
	d.schedule(keyBits(key))
	var block [64]byte
	for range 25 {
		block = d.encrypt(block)
	}
	return setting[:2] + desDigits(block), nil
}

// keyBits takes the lower seven bits of eight characters; the eighth bit, which
// DES ignores, stays 0.
func keyBits(key string) (bits [64]byte) {
	for i := range min(len(key), 8) {
		for j := range 7 {
			bits[8*i+j] = key[i] >> (6 - j) & 1
		}
	}
	return bits
}

// saltedExpansion swaps two entries of the expansion, 24 apart, for each bit
// that is set in the salt.
func saltedExpansion(salt string) [48]byte {
	e := desExpansion
	for i := range 2 {
		digit := strings.IndexByte(alphabet, salt[i])
		for j := range 6 {
			if digit>>j&1 == 1 {
				e[6*i+j], e[6*i+j+24] = e[6*i+j+24], e[6*i+j]
			}
		}
	}
	return e
}

// desDigits writes 64 bits, and two zeros, as eleven digits with the highest bit
// first.
func desDigits(block [64]byte) string {
	padded := append(block[:], 0, 0)
	var b []byte
	for ; len(padded) > 0; padded = padded[6:] {
		digit := 0
		for _, bit := range padded[:6] {
			digit = digit<<1 | int(bit)
		}
		b = append(b, alphabet[digit])
	}
	return string(b)
}

// desCipher holds the keys of the rounds. A bit is a byte.
type desCipher struct {
	expansion [48]byte
	keys      [16][48]byte
}

func (d *desCipher) schedule(key [64]byte) {
	var halves [56]byte
	for i, from := range desChoice1 {
		halves[i] = key[from-1]
	}
	for round, shift := range desShifts {
		rotate(halves[:28], shift)
		rotate(halves[28:], shift)
		for i, from := range desChoice2 {
			d.keys[round][i] = halves[from-1]
		}
	}
}

func rotate(bits []byte, n int) {
	for range n {
		first := bits[0]
		copy(bits, bits[1:])
		bits[len(bits)-1] = first
	}
}

func (d *desCipher) encrypt(block [64]byte) (out [64]byte) {
	var left, right [32]byte
	for i := range 32 {
		left[i], right[i] = block[desInitial(i)], block[desInitial(32+i)]
	}
	for round := range d.keys {
		left, right = right, xor(left, d.mix(right, &d.keys[round]))
	}
	for i := range 32 { // the halves change places at the end
		out[desInitial(i)], out[desInitial(32+i)] = right[i], left[i]
	}
	return out
}

// desInitial is the initial permutation: columns from right to left, those with
// even numbers first, each from the bottom. Written to instead of read from, it
// is its inverse.
func desInitial(i int) int {
	column := 1 + 2*(i/8)
	if i >= 32 {
		column = 2 * (i/8 - 4)
	}
	return 8*(7-i%8) + column
}

// mix is the function of a round: expansion, key, S-boxes and permutation.
func (d *desCipher) mix(half [32]byte, key *[48]byte) (out [32]byte) {
	var chosen [32]byte
	for box := range 8 {
		var in [6]byte
		for j := range in {
			in[j] = half[d.expansion[6*box+j]-1] ^ key[6*box+j]
		}
		row := in[0]<<1 | in[5]
		column := in[1]<<3 | in[2]<<2 | in[3]<<1 | in[4]
		digit := desBoxes[box][16*row+column]
		for j := range 4 {
			chosen[4*box+j] = digit >> (3 - j) & 1
		}
	}
	for i, from := range desPermutation {
		out[i] = chosen[from-1]
	}
	return out
}

func xor(a, b [32]byte) [32]byte {
	for i := range a {
		a[i] ^= b[i]
	}
	return a
}
