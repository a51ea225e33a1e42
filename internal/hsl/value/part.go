package value

import "strings"

// Part returns a piece of a string as a value. A large piece shares the bytes of
// the whole; a small one is copied, because what is counted as the memory of a
// script is the length of its strings, and a piece of one byte must not keep
// alive a megabyte that nobody counts.
func Part(whole, piece string) Value {
	switch {
	case len(piece) == 1:
		return Byte(piece[0])
	case len(whole) > 4*len(piece)+smallWhole:
		return String(strings.Clone(piece))
	}
	return String(piece)
}

// smallWhole is what even the least piece may keep alive.
const smallWhole = 64
