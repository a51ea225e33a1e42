package bounce

import (
	"fmt"
	"strconv"
	"strings"
)

// Status is an enhanced status code: class, subject and detail (RFC 3463 §2). The
// zero value is none.
type Status struct{ Class, Subject, Detail int16 }

// String returns the code with dots, "" for none.
func (s Status) String() string {
	if s == (Status{}) {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", s.Class, s.Subject, s.Detail)
}

// wild stands for any number.
const wild = -1

// fits says whether s is one of the codes that a pattern stands for.
func (s Status) fits(pattern Status) bool {
	return s != (Status{}) && one(s.Class, pattern.Class) && one(s.Subject, pattern.Subject) && one(s.Detail, pattern.Detail)
}

func one(have, want int16) bool { return want == wild || have == want }

// ParseStatus reads a code such as 5.1.1, alone; ok is false for anything else.
func ParseStatus(text string) (s Status, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || !strings.Contains("245", parts[0]) {
		return s, false
	}
	for i, to := range []*int16{&s.Class, &s.Subject, &s.Detail} {
		n, err := strconv.ParseUint(parts[i], 10, 10)
		if err != nil || len(parts[i]) > 3 {
			return Status{}, false
		}
		*to = int16(n)
	}
	return s, true
}

// parsePattern reads a code in which x stands for any number.
func parsePattern(text string) (Status, bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Status{}, false
	}
	var n [3]int16
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 10)
		switch {
		case p == "x":
			n[i] = wild
		case err != nil:
			return Status{}, false
		default:
			n[i] = int16(v)
		}
	}
	return Status{n[0], n[1], n[2]}, true
}

// searched is how far into an answer its code may stand: servers quote what they
// were told, and "500" may well stand in a sentence.
const searched = 120

// find looks for the SMTP code and the enhanced status code of an answer: the
// first words of that form near its beginning, whatever punctuation is around.
func find(text string) (code int, status Status) {
	if len(text) > searched {
		text = text[:searched]
	}
	for i := 0; i < len(text) && (code == 0 || status == (Status{})); {
		if !digit(text[i]) || i > 0 && word(text[i-1]) {
			i++
			continue
		}
		end := i
		for end < len(text) && (digit(text[end]) || text[end] == '.' && end+1 < len(text) && digit(text[end+1])) {
			end++
		}
		number := text[i:end]
		if end == len(text) || !word(text[end]) {
			if s, ok := ParseStatus(number); ok && status == (Status{}) {
				status = s
			} else if code == 0 && len(number) == 3 && (number[0] == '4' || number[0] == '5') && number[1] <= '5' && !strings.Contains(number, ".") {
				code, _ = strconv.Atoi(number)
			}
		}
		i = end
	}
	return code, status
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// word reports whether a byte belongs to a word; dots are none here, but join
// the numbers of addresses.
func word(c byte) bool {
	return digit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '.' || c >= 0x80
}
