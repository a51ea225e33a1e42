package regex

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// mistakes are patterns that are refused, by PCRE2 too, with the offset and the
// reason.
var mistakes = []struct {
	pattern string
	flags   Flags
	offset  int
	reason  string
}{
	{`*a`, 0, 0, "a quantifier follows nothing that can be repeated"},
	{`a**`, 0, 2, "a quantifier follows nothing that can be repeated"},
	{`a|*`, 0, 2, "a quantifier follows nothing that can be repeated"},
	{`(+a)`, 0, 1, "a quantifier follows nothing that can be repeated"},
	{`^*`, 0, 1, "a quantifier follows nothing that can be repeated"},
	{`\b+`, 0, 2, "a quantifier follows nothing that can be repeated"},
	{`(?i)*`, 0, 4, "a quantifier follows nothing that can be repeated"},
	{`\E*`, 0, 2, "a quantifier follows nothing that can be repeated"},
	{`x{1,}{2}`, 0, 5, "a quantifier follows nothing that can be repeated"},
	{`a{3,2}`, 0, 6, "the counts of a repeat are out of order"},
	{`a{65536}`, 0, 8, "a repeat count is above 65535"},
	{`(a`, 0, 2, "a closing parenthesis is missing"},
	{`a)`, 0, 1, "unmatched closing parenthesis"},
	{`(?#a`, 0, 4, "a comment is not closed"},
	{`(?z)`, 0, 2, "'z' has no meaning behind (?"},
	{`(?--i)`, 0, 3, "a hyphen is misplaced in an option setting"},
	{`(?^-i:A)`, 0, 3, "a hyphen is misplaced in an option setting"},
	{`(?i`, 0, 3, "a closing parenthesis is missing"},
	{`(?Px)`, 0, 3, "(?P is not followed by <, > or ="},
	{`(?<>a)`, 0, 3, "the name of a group is missing"},
	{`(?<1a>a)`, 0, 3, "the name of a group begins with a digit"},
	{`(?<a`, 0, 4, "the name of a group is not ended by >"},
	{`(?<` + strings.Repeat("a", 33) + `>a)`, 0, 36, "the name of a group has more than 32 bytes"},
	{`(?<n>a)(?<n>b)`, 0, 12, "two groups have the name n"},
	{`(?|(?<a>x)|(?<b>y))`, 0, 16, "group 1 has two names"},
	{`\1`, 0, 1, "a reference to a group that does not exist"},
	{`(a)\g2`, 0, 5, "a reference to a group that does not exist"},
	{`\g{-1}`, 0, 5, "a reference to a group that does not exist"},
	{`\k<x>`, 0, 2, "a reference to a group that does not exist"},
	{`(?&x)`, 0, 0, "a reference to a group that does not exist"},
	{`(?1)`, 0, 0, "a reference to a group that does not exist"},
	{`(?+0)`, 0, 4, "a relative group number is zero"},
	{`(?(1)a)`, 0, 3, "a reference to a group that does not exist"},
	{`(?(x)a)`, 0, 3, "a reference to a group that does not exist"},
	{`(?(R1)a)`, 0, 3, "a reference to a group that does not exist"},
	{`(?(1`, 0, 4, "the closing parenthesis of a condition is missing"},
	{`(?(?a)b)`, 0, 4, "'a' has no meaning behind (?"},
	{`(?(?:a)b)`, 0, 2, "the condition is no assertion"},
	{`(a)(?(1)b|c|d)`, 0, 3, "a conditional has more than two branches"},
	{`(?(DEFINE)a|b)`, 0, 0, "DEFINE has more than one branch"},
	{`(?(VERSION>10)a)`, 0, 11, "VERSION is not followed by = or >="},
	{`(?(VERSION>=10.x)a)`, 0, 15, "VERSION is not followed by a version"},
	{`\`, 0, 1, "the pattern ends in a backslash"},
	{`\j`, 0, 1, `\j has no meaning`},
	{`\L`, 0, 1, `\L has no meaning`},
	{`\k`, 0, 2, `\k is not followed by a name in <>, '' or {}`},
	{`\g`, 0, 2, `\g is not followed by a number, or by a name in <>, '' or {}`},
	{`\c`, 0, 2, `\c at the end of the pattern`},
	{"\\c\xe9", 0, 3, `\c is not followed by a printable ASCII character`},
	{`\x{}`, 0, 3, "a code point has no digits"},
	{`\x{z}`, 0, 3, "'z' is no digit of a code point (or its closing brace is missing)"},
	{`\x{41`, 0, 5, "the closing brace of a code point is missing"},
	{`\x{100}`, 0, 5, "a code point is above 0xff"},
	{`\x{110000}`, UTF8, 8, "a code point is above 0x10ffff"},
	{`\x{d800}`, UTF8, 8, "surrogates are no characters"},
	{`\o`, 0, 2, `\o is not followed by a number in braces`},
	{`\777`, 0, 4, `an octal number is above \377`},
	{`\N{U+41}`, 0, 2, `\N{U+hex} exists in UTF-8 mode only`},
	{`\N{DASH}`, UTF8, 2, `characters cannot be given by name: \N{U+hex} is what there is`},
	{`\p{`, 0, 3, `the closing brace of a property is missing`},
	{`\p`, 0, 2, `\p is not followed by a property`},
	{`\p{Nix}`, 0, 7, "unknown property Nix"},
	{`[a`, 0, 2, "the closing bracket of a class is missing"},
	{`[]`, 0, 2, "the closing bracket of a class is missing"},
	{`[z-a]`, 0, 4, "the range of a class is out of order"},
	{`[a-\d]`, 0, 5, "a range of a class ends in something that is no character"},
	{`[[:foo:]]`, 0, 1, "unknown POSIX class name"},
	{`[[.a.]]`, 0, 1, "POSIX collating elements are not supported"},
	{`[:alpha:]`, 0, 0, "POSIX names stand inside of brackets only"},
	{`[\B]`, 0, 3, `\B has no meaning in brackets`},
	{`(?<=a+)b`, 0, 0, "a lookbehind has no fixed length"},
	{`(?<=a(?:b|cd))x`, 0, 0, "a lookbehind has no fixed length"},
	{`(?<!\R)b`, 0, 0, "a lookbehind has no fixed length"},
	{`(a(?<=(?1))b)`, 0, 2, "a lookbehind has no fixed length"},
	{`(?<=\K)a`, 0, 6, `\K is not allowed in lookarounds`},
	{`(*FOO)`, 0, 6, "(*FOO) is no verb"},
	{`(*MARK)`, 0, 7, "(*MARK) has no name"},
	{`a(*UTF)`, 0, 7, "(*UTF) is no verb"},
	{`(*foo:a)`, 0, 6, "(*foo: is no group"},
	{"a\xff", UTF8, 1, "the pattern is not valid UTF-8"},
	{strings.Repeat("(", 251) + strings.Repeat(")", 251), 0, 250, "parentheses are nested too deeply"},
}

// TestCompileTime: patterns that a careless compiler would take years for.
func TestCompileTime(t *testing.T) {
	nested := func(open, inner, end string) string {
		return strings.Repeat(open, 40) + inner + strings.Repeat(end, 40)
	}
	widths := "(a)"
	for i := range 60 {
		widths += fmt.Sprintf("((?%d)(?%d))", i+1, i+1)
	}
	for _, pattern := range []string{
		nested("(?:", "", "){65535}"),
		nested("(?:", "", "){9}"),
		nested("(?:", "", ")*"),
		nested("(?:", "a?", "){1}?"),
		nested("(", "a?", "|b?)*"),
		nested("(?:", "a?", "){0,1}"),
		widths + "(?<=(?10))",
		strings.Repeat("[[:alpha:]]", 2000),
		strings.Repeat("a|", 5000),
	} {
		if _, err := Compile(pattern, 0); err != nil {
			t.Errorf("/%.40s…/: %v", pattern, err)
		}
	}
}

// ownMistakes are refused here only.
var ownMistakes = []struct {
	pattern string
	flags   Flags
	offset  int
	reason  string
}{
	{`\C`, UTF8, 2, `\C would split a character in UTF-8 mode`},
	{`(*sr:a)`, 0, 5, "script runs are not supported"},
	{`\p{bidi_class:L}`, UTF8, 16, "bidirectional classes are not supported"},
	{`\p{Grapheme_Link}`, UTF8, 17, "unknown property Grapheme_Link"},
	{`(?:(?:(?:ab){99}c){99}d){99}`, 0, 28, "the pattern is too large"},
}

func TestMistakes(t *testing.T) {
	for _, tt := range append(mistakes, ownMistakes...) {
		_, err := Compile(tt.pattern, tt.flags)
		var mistake *SyntaxError
		if !errors.As(err, &mistake) {
			t.Errorf("/%s/: %v, want a mistake", tt.pattern, err)
			continue
		}
		if mistake.Offset != tt.offset || mistake.Reason != tt.reason || mistake.Pattern != tt.pattern {
			t.Errorf("/%s/: %v, want %s at offset %d", tt.pattern, err, tt.reason, tt.offset)
		}
	}
}

func TestMistakesByPCRE(t *testing.T) {
	var questions []question
	for _, tt := range mistakes {
		questions = append(questions, question{pattern: tt.pattern, flags: tt.flags})
	}
	for i, a := range consult(t, questions) {
		if a.refused == "" {
			t.Errorf("/%s/: PCRE2 takes it", mistakes[i].pattern)
		}
	}
}

func TestFlags(t *testing.T) {
	flags, ok := ParseFlags("Xumsix")
	if want := Caseless | Multiline | DotAll | Extended | UTF8 | Extra; !ok || flags != want {
		t.Errorf("flags %v, %v", flags, ok)
	}
	if flags.String() != "imsxuX" {
		t.Errorf("spelled %q", flags.String())
	}
	if _, ok := ParseFlags("ig"); ok {
		t.Error("g is no modifier")
	}
}

func TestDelimited(t *testing.T) {
	for _, tt := range []struct {
		text, pattern string
		flags         Flags
	}{
		{"abc", "abc", 0},
		{"/abc/", "abc", 0},
		{"/a/c/i", "a/c", Caseless},
		{"/abc/iu", "abc", Caseless | UTF8},
		{"/abc/g", "/abc/g", 0},
		{"/abc", "/abc", 0},
		{"abc/i", "abc/i", 0},
		{"//", "", 0},
		{"/", "/", 0},
		{"", "", 0},
	} {
		if pattern, flags := Delimited(tt.text); pattern != tt.pattern || flags != tt.flags {
			t.Errorf("%s: %q with %v, want %q with %v", tt.text, pattern, flags, tt.pattern, tt.flags)
		}
	}
}
