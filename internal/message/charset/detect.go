package charset

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// sample is how many bytes Detect looks at.
const sample = 4096

// western is what remains when no other reading is better: it has a character
// for nearly every byte.
const western = "windows-1252"

// candidate is a character set that Detect may find.
type candidate struct {
	label string
	weigh func(lead, trail byte, r rune) float64 // a two-byte character; nil: Cyrillic
}

// The weights say how usual a character is in texts of that character set and
// how unlikely it is that other text reads so by accident: 2 is a letter in
// daily use, 0 is one that the set can say and hardly ever does.
var candidates = []candidate{
	{label: "shift_jis", weigh: weighShiftJIS},
	{label: "euc-jp", weigh: weighEUCJP},
	{label: "euc-kr", weigh: weighEUCKR},
	{label: "gb18030", weigh: weighGB},
	{label: "big5", weigh: weighBig5},
	{label: "windows-1251"},
	{label: "koi8-r"},
}

// Detect guesses the character set of b, which is neither ASCII nor UTF-8, from
// how often characters occur and what stands beside them. Short texts say
// little; when nothing fits better the answer is windows-1252.
func Detect(b []byte) string {
	b = b[:min(len(b), sample)]
	best, label := scoreWestern(b), western
	for _, c := range candidates {
		e := Lookup(c.label)
		score := 0.0
		if c.weigh != nil {
			score = scorePairs(b, e, c.weigh)
		} else {
			score = scoreLetters(b, e)
		}
		if score > best {
			best, label = score, c.label
		}
	}
	return label
}

// scorePairs is the average weight of a high byte in text of one- and two-byte
// characters, or 0 if b is not such text. The last character may be cut off.
func scorePairs(b []byte, e encoding.Encoding, weigh func(lead, trail byte, r rune) float64) float64 {
	sum, high := 0.0, 0
	decoder := e.NewDecoder()
	var out [8]byte
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		if i+1 == len(b) {
			break
		}
		n, used, err := decoder.Transform(out[:], b[i:i+2], true)
		r, size := utf8.DecodeRune(out[:n])
		if err != nil || used != 2 || r == utf8.RuneError || size != n {
			return 0
		}
		sum += weigh(b[i], b[i+1], r)
		high += 2
		i += 2
	}
	if high == 0 {
		return 0
	}
	return sum / float64(high)
}

func weighShiftJIS(lead, _ byte, r rune) float64 {
	switch {
	case unicode.In(r, unicode.Hiragana):
		return 3
	case unicode.In(r, unicode.Katakana):
		return 2.5
	case unicode.In(r, unicode.Han) && lead < 0xeb: // JIS X 0208, no extension
		return 1.5
	}
	return 0.4
}

func weighEUCJP(lead, _ byte, r rune) float64 {
	switch {
	case unicode.In(r, unicode.Hiragana):
		return 4
	case unicode.In(r, unicode.Katakana):
		return 3
	case lead >= 0xb0 && lead <= 0xcf: // the first level of JIS X 0208
		return 1.7
	}
	return 0.4
}

func weighEUCKR(lead, trail byte, _ rune) float64 {
	switch {
	case lead >= 0xb0 && lead <= 0xc8 && trail >= 0xa1: // syllables of KS X 1001
		return 2.6
	case lead >= 0xca && trail >= 0xa1: // Han
		return 0.3
	}
	return 0
}

func weighGB(lead, trail byte, _ rune) float64 {
	switch {
	case trail < 0xa1: // an extension of GB 2312
		return 0
	case lead >= 0xb0 && lead <= 0xd7: // its first level: the 3,755 usual characters
		return 2.2
	case lead == 0xa1 || lead == 0xa3: // punctuation
		return 2
	}
	return 0.4
}

func weighBig5(lead, _ byte, _ rune) float64 {
	switch {
	case lead >= 0xa4 && lead <= 0xc6: // the 5,401 usual characters
		return 2.2
	case lead == 0xa1: // punctuation
		return 2
	}
	return 0.3
}

// scoreLetters is the average weight of a high byte in text of a single-byte
// Cyrillic set: runs of small letters, perhaps behind a capital.
func scoreLetters(b []byte, e encoding.Encoding) float64 {
	sum, high := 0.0, 0
	before := ' '
	for _, r := range decode(b, e) {
		if r >= utf8.RuneSelf {
			high++
			sum += weighCyrillic(r)
			switch {
			case unicode.IsUpper(r) && unicode.IsLower(before): // no language does that
				sum -= 2
			case before < utf8.RuneSelf && unicode.IsLetter(before): // among Latin letters
				sum--
			}
		}
		before = r
	}
	return sum / float64(max(high, 1))
}

// usualCyrillic are the letters of more than two thirds of Russian text.
const usualCyrillic = "оеаинтсрвлкмдпуОЕАИНТСРВЛКМДПУ"

func weighCyrillic(r rune) float64 {
	weight := 0.7
	switch {
	case !unicode.In(r, unicode.Cyrillic):
		return 0
	case unicode.IsUpper(r):
		weight -= 0.2
	}
	if strings.ContainsRune(usualCyrillic, r) {
		weight += 0.85
	}
	return weight
}

// usualWestern are the letters with marks that western languages use daily.
const usualWestern = "äöüßéèêëàâáçíìîóòôúùñãõåæøÄÖÜÉÅØ"

// scoreWestern is the average weight of a high byte in western text, where such
// letters mostly stand alone among others.
func scoreWestern(b []byte) float64 {
	text := []rune(decode(b, Lookup(western)))
	sum, high := 0.0, 0
	for i, r := range text {
		if r < utf8.RuneSelf {
			continue
		}
		high++
		alone := (i == 0 || text[i-1] < utf8.RuneSelf) && (i+1 == len(text) || text[i+1] < utf8.RuneSelf)
		sum += weighWestern(r, alone)
	}
	return sum / float64(max(high, 1))
}

func weighWestern(r rune, alone bool) float64 {
	weight := 0.1
	if unicode.IsLetter(r) {
		weight = 0.3
	}
	if strings.ContainsRune(usualWestern, r) {
		weight = 0.7
	}
	if alone {
		weight += 0.9
	}
	return weight
}
