package regex

import (
	"cmp"
	"slices"
	"sort"
	"unicode"
)

// The last character that there is, in byte mode and in UTF-8 mode.
const (
	maxByte = 0xFF
	maxRune = unicode.MaxRune
)

// span is a run of characters, both ends included.
type span struct{ lo, hi rune }

// class is a set of characters. While one is being built its spans may stand in
// any order and overlap; normalised puts that right, and everything else wants
// it to be right.
type class []span

// one is the class of a single character.
func one(r rune) class { return class{{r, r}} }

func (c class) with(lo, hi rune) class { return append(c, span{lo, hi}) }

// normalised sorts the spans and joins those that touch.
func (c class) normalised() class {
	if len(c) < 2 {
		return c
	}
	slices.SortFunc(c, func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	out := c[:1]
	for _, s := range c[1:] {
		last := &out[len(out)-1]
		if s.lo <= last.hi+1 {
			last.hi = max(last.hi, s.hi)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// negated returns the characters from 0 to last that c has not.
func (c class) negated(last rune) class {
	var out class
	next := rune(0)
	for _, s := range c {
		if s.lo > last {
			break
		}
		if s.lo > next {
			out = append(out, span{next, s.lo - 1})
		}
		next = s.hi + 1
	}
	if next <= last {
		out = append(out, span{next, last})
	}
	return out
}

// upTo drops the characters beyond last.
func (c class) upTo(last rune) class {
	for i, s := range c {
		if s.hi > last {
			out := slices.Clone(c[:i])
			if s.lo <= last {
				out = append(out, span{s.lo, last})
			}
			return out
		}
	}
	return c
}

// both returns what is in c and in d.
func (c class) both(d class) class {
	var out class
	for i, j := 0, 0; i < len(c) && j < len(d); {
		lo, hi := max(c[i].lo, d[j].lo), min(c[i].hi, d[j].hi)
		if lo <= hi {
			out = append(out, span{lo, hi})
		}
		if c[i].hi < d[j].hi {
			i++
		} else {
			j++
		}
	}
	return out
}

// without returns what is in c and not in d.
func (c class) without(d class) class { return c.both(d.negated(maxRune)) }

// union returns what is in any of the classes.
func union(classes ...class) class {
	return slices.Concat(classes...).normalised()
}

// has says whether r is in the class.
func (c class) has(r rune) bool {
	i := sort.Search(len(c), func(i int) bool { return c[i].hi >= r })
	return i < len(c) && c[i].lo <= r
}

// single returns the only character of the class, or false.
func (c class) single() (rune, bool) {
	if len(c) == 1 && c[0].lo == c[0].hi {
		return c[0].lo, true
	}
	return 0, false
}

// folding says which letters are the same when case does not matter.
type folding int

const (
	foldASCII   folding = iota // a to z only, as in the C locale
	foldLatin                  // Unicode's simple folding below 256
	foldUnicode                // Unicode's simple folding
)

// The lowest and highest character whose case folds, for skipping the rest.
const (
	minFold = 'A'
	maxFold = 0x1E943
)

// folded returns the class with all that differs from its members by case only.
func (c class) folded(f folding) class {
	out := slices.Clone(c)
	for _, s := range c {
		if f == foldASCII {
			out = foldSpanASCII(out, s)
			continue
		}
		for r := max(s.lo, minFold); r <= min(s.hi, maxFold); r++ {
			for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
				if o <= maxByte || f == foldUnicode {
					out = append(out, span{o, o})
				}
			}
		}
	}
	return out.normalised()
}

func foldSpanASCII(out class, s span) class {
	const shift = 'a' - 'A'
	if lo, hi := max(s.lo, 'a'), min(s.hi, 'z'); lo <= hi {
		out = append(out, span{lo - shift, hi - shift})
	}
	if lo, hi := max(s.lo, 'A'), min(s.hi, 'Z'); lo <= hi {
		out = append(out, span{lo + shift, hi + shift})
	}
	return out
}

// Classes that escapes and POSIX names stand for, as in the C locale.
var (
	digits = class{{'0', '9'}}
	spaces = class{{'\t', '\r'}, {' ', ' '}}
	words  = class{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}

	horizontal = class{{'\t', '\t'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x180E, 0x180E},
		{0x2000, 0x200A}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}}
	vertical = class{{'\n', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}}

	lowers = class{{'a', 'z'}}
	uppers = class{{'A', 'Z'}}
	alphas = class{{'A', 'Z'}, {'a', 'z'}}
)

var posixClasses = map[string]class{
	"alnum":  {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}},
	"alpha":  alphas,
	"ascii":  {{0, 0x7F}},
	"blank":  {{'\t', '\t'}, {' ', ' '}},
	"cntrl":  {{0, 0x1F}, {0x7F, 0x7F}},
	"digit":  digits,
	"graph":  {{'!', '~'}},
	"lower":  lowers,
	"print":  {{' ', '~'}},
	"punct":  {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}},
	"space":  spaces,
	"upper":  uppers,
	"word":   words,
	"xdigit": {{'0', '9'}, {'A', 'F'}, {'a', 'f'}},
}
