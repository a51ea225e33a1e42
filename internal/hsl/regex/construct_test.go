package regex

import (
	"fmt"
	"testing"
)

// constructs has a row or more for everything that patterns may have. The
// matches are those of PCRE2, as TestConstructs checks where it is installed;
// rows that are our own say so.
var constructs = []struct {
	pattern, flags, subject string
	want                    string // as spelled by spell
}{
	// Characters.
	{`abc`, "", "xxabc", "[2 5]"},
	{`a.c`, "", "a\nc abc", "[4 7]"},
	{`a.c`, "s", "a\nc", "[0 3]"},
	{`a\Nc`, "s", "a\nc abc", "[4 7]"},
	{`\x41\x{42}\103\o{104}\cE`, "", "ABCD\x05", "[0 5]"},
	{`\a\e\f\n\r\t\0`, "", "\a\x1b\f\n\r\t\x00", "[0 7]"},
	{`\x`, "", "a\x00", "[1 2]"},
	{`\N{U+e9}`, "u", "é", "[0 2]"},
	{`\.\/\-\@\_`, "", "./-@_", "[0 5]"},
	{`\Q.*\E+`, "", ".***", "[0 4]"},
	{`\Qa|b`, "", "a|b", "[0 3]"},
	{`a\Q\Eb`, "", "ab", "[0 2]"},
	{"\xe9", "", "\xe9", "[0 1]"},
	{"é", "u", "é", "[0 2]"},
	{`\C\C`, "", "é", "[0 2]"},
	{`.`, "", "é", "[0 1]"},
	{`.`, "u", "é", "[0 2]"},
	{`\x{e9}`, "", "\xc3\xa9\xe9", "[2 3]"},
	{`\x{e9}`, "u", "é", "[0 2]"},

	// Classes.
	{`[a-cx]+`, "", "zzabxcd", "[2 6]"},
	{`[^a-c]`, "", "abz", "[2 3]"},
	{`[^a]`, "", "\n", "[0 1]"},
	{`[]a]+`, "", "x]a", "[1 3]"},
	{`[^]a]`, "", "]ab", "[2 3]"},
	{`[a\]b]+`, "", "a]b", "[0 3]"},
	{`[-a]+[a-]+`, "", "-a-", "[0 3]"},
	{`[a-f0-9-_]+`, "", "x0-_f", "[1 5]"},
	{`[--/]+`, "", ",-./0", "[1 4]"},
	{`[\b]`, "", "a\b", "[1 2]"},
	{`[\x00-\x1f]`, "", "a\x07", "[1 2]"},
	{`[\Qa-c\E]+`, "", "b-ac", "[1 4]"},
	{`[[:alpha:][:digit:]]+`, "", "-a1-", "[1 3]"},
	{`[[:^alpha:]]`, "", "ab1", "[2 3]"},
	{`[[:word:]]+`, "", "-a_1-", "[1 4]"},
	{`[[:punct:]]+`, "", "a!~b", "[1 3]"},
	{`[[:xdigit:]]+[[:blank:]][[:cntrl:]]`, "", "fF0 \x01", "[0 5]"},
	{`[[:print:]]+`, "", "\x01a b\x7f", "[1 4]"},
	{`[[:graph:]]+`, "", " ab ", "[1 3]"},
	{`[[:upper:]]+[[:lower:]]+`, "", "aABcd", "[1 5]"},
	{`[[:upper:]]+`, "i", "ab1", "[0 2]"},
	{`[[:space:]]+[[:ascii:]]`, "", "\v\f a", "[0 4]"},
	{`[[:alnum:]]`, "", "-9", "[1 2]"},
	{`[\d\s]+`, "", "a1 2b", "[1 4]"},
	{`[^\d\s]+`, "", "1 ab", "[2 4]"},
	{`[\W]`, "", "a_-", "[2 3]"},
	{`[\D]`, "", "1a", "[1 2]"},
	{`[a b]+`, "x", "a b", "[0 3]"},
	{`(?xx)[a b]+`, "", "a b", "[0 1]"},
	{`[^\s\S]`, "", "a", "no match"},
	{`\d+\D+\d`, "", "a12-3", "[1 5]"},
	{`\w+\W\w`, "", " a_1-b", "[1 6]"},
	{`\s\S`, "", " \x0bx", "[1 3]"},
	{`\h+\H`, "", "\t \xa0x", "[0 4]"},
	{`\v+\V`, "", "\n\x0b\f\r\x85x", "[0 6]"},
	{`\R\R`, "", "\r\n\n", "[0 3]"},
	{`\R`, "", "\x85", "[0 1]"},
	{`\R+\x{2028}`, "u", "\r\n\u0085\u2028", "[0 7]"},
	{`^\R{2}$`, "u", "\u0085\u2028", "[0 5]"},
	{`\r\R`, "", "\r\n", "[0 2]"},
	{`(*BSR_ANYCRLF)\R`, "", "\x0b\r\n", "[1 3]"},
	{`\X`, "u", "e\u0301x", "[0 3]"},
	{`^\X\X$`, "u", "\r\ne\u0301\u0302", "[0 7]"},
	{`^\X$`, "", "\r\n", "[0 2]"},
	{`[[:<:]]ab[[:>:]]`, "", "cab ab", "[4 6]"},

	// Unicode.
	{`\p{Lu}\p{Ll}+`, "u", "aÉtat", "[1 6]"},
	{`\pL+`, "u", "1éα", "[1 5]"},
	{`\P{L}`, "u", "é1", "[2 3]"},
	{`\p{^L}`, "u", "é1", "[2 3]"},
	{`[\p{Greek}\d]+`, "u", "aα1", "[1 4]"},
	{`\p{Han}+`, "u", "a漢字", "[1 7]"},
	{`\p{script=cyrillic}`, "u", "aж", "[1 3]"},
	{`\p{sc:Grek}\p{L u}\p{l&}`, "u", "αAb", "[0 4]"},
	{`\p{Any}\p{Xan}\p{Xwd}\p{Xsp}`, "u", "-é_ ", "[0 5]"},
	{`\p{Emoji_Presentation}`, "u", "1😀", "[1 5]"},
	{`\p{Lu}`, "", "\xc9", "[0 1]"},
	{`É`, "iu", "é", "[0 2]"},
	{`é`, "i", "É", "no match"},
	{`k`, "iu", "\u212a", "[0 3]"},
	{`[^k]`, "iu", "\u212aK", "no match"},
	{`ſ`, "iu", "S", "[0 1]"},
	{`ΣΑΣ`, "iu", "σας", "[0 6]"},
	{`[à-ö]+`, "iu", "ÀÖ", "[0 4]"},
	{`ß`, "iu", "\u1e9e", "[0 3]"},
	{`\w+`, "u", "é_a", "[2 4]"},
	{`(*UCP)\w+`, "u", "é_a", "[0 4]"},
	{`(*UCP)\b\w`, "u", "-é", "[1 3]"},
	{`(*UCP)\d[[:alpha:]]\s`, "u", "٣é\u00a0", "[0 6]"},
	{`(*UTF)é{2}`, "", "éé", "[0 4]"},

	// Groups.
	{`(a)(b)?`, "", "ac", "[0 1 0 1 -1 -1]"},
	{`(?:a|b)+(c)`, "", "abac", "[0 4 3 4]"},
	{`(?<x>a)(?P<y>b)(?'z'c)`, "", "abc", "[0 3 0 1 1 2 2 3]"},
	{`(a|ab)(c|bcd)(d*)`, "", "abcd", "[0 4 0 1 1 4 4 4]"},
	{`(a*)*`, "", "aab", "[0 2 2 2]"},
	{`(?|(a)|(b))(c)`, "", "bc", "[0 2 0 1 1 2]"},
	{`(?|a(.)b|d(.)o(.))q(.)`, "", "dxoyqz", "[0 6 1 2 3 4 5 6]"},
	{`(?n)(a)(?<b>b)`, "", "ab", "[0 2 1 2]"},
	{`(?J)(?<n>a)|(?<n>b)`, "", "b", "[0 1 -1 -1 0 1]"},
	{`()`, "", "", "[0 0 0 0]"},
	{`(a|)+`, "", "aa", "[0 2 2 2]"},
	{`((a)|b)*`, "", "ab", "[0 2 1 2 0 1]"},

	// Quantifiers.
	{`a*?b`, "", "aab", "[0 3]"},
	{`a+?`, "", "aa", "[0 1]"},
	{`a??b`, "", "ab", "[0 2]"},
	{`a{2}`, "", "aaa", "[0 2]"},
	{`a{2,}`, "", "aaa", "[0 3]"},
	{`a{1,2}?`, "", "aaa", "[0 1]"},
	{`a{,2}`, "", "a{,2}", "[0 5]"},
	{`a{x}`, "", "a{x}", "[0 4]"},
	{`a++a`, "", "aaa", "no match"},
	{`a*+b`, "", "aab", "[0 3]"},
	{`(?:ab){2,3}+a`, "", "ababab", "no match"},
	{`(ab?)++b`, "", "abab", "no match"},
	{`a+`, "U", "aa", "[0 1]"},
	{`a+?`, "U", "aa", "[0 2]"},
	{`x{0}y`, "", "xy", "[1 2]"},
	{`(?:x?){3}y`, "", "xxy", "[0 3]"},
	{`a + # more
	  ? b`, "x", "aab", "[0 3]"},
	{`a(?#comment)+`, "", "aa", "[0 2]"},
	{`a+ +a`, "x", "aa", "no match"},
	{`é{2}`, "u", "éé", "[0 4]"},
	{`.{2}?é`, "u", "€€é", "[0 8]"},
	{`(?>a+)b`, "", "aab", "[0 3]"},
	{`(?>a|ab)c`, "", "abc", "no match"},
	{`(*atomic:a|ab)c`, "", "abc", "no match"},

	// Places.
	{`^b`, "", "a\nb", "no match"},
	{`^b`, "m", "a\nb", "[2 3]"},
	{`^`, "m", "a\n", "[0 0]"},
	{`a$`, "", "a\n", "[0 1]"},
	{`a$`, "", "a\nb", "no match"},
	{`a$`, "m", "a\nb", "[0 1]"},
	{`a\Z`, "m", "a\nb\n", "no match"},
	{`\Ab`, "m", "a\nb", "no match"},
	{`b\z`, "", "b\n", "no match"},
	{`b\Z`, "", "b\n", "[0 1]"},
	{`\bb`, "", "ab b", "[3 4]"},
	{`\Bb`, "", "b ab", "[3 4]"},
	{`\Ga`, "", "ba", "no match"},
	{`a\Kb`, "", "ab", "[1 2]"},
	{`(a\Kb)`, "", "ab", "[1 2 0 2]"},

	// Lookarounds.
	{`a(?=b)`, "", "acab", "[2 3]"},
	{`a(?!b)`, "", "abac", "[2 3]"},
	{`(?<=a)b`, "", "bab", "[2 3]"},
	{`(?<!a)b`, "", "abb", "[2 3]"},
	{`(?<=a|bc)x`, "", "xbcx", "[3 4]"},
	{`(?<=\d{3})x`, "", "12x123x", "[6 7]"},
	{`(?<=é)x`, "u", "xéx", "[3 4]"},
	{`(?<!é|ab)x`, "u", "éxabxcx", "[7 8]"},
	{`(?=(a+))a*b\1`, "", "baaabac", "[3 6 3 4]"},
	{`(?=(a))`, "", "ba", "[1 1 1 2]"},
	{`(?!(a))b`, "", "b", "[0 1 -1 -1]"},
	{`(*pla:a)\w(*nlb:b)`, "", "ba", "[1 2]"},
	{`(*positive_lookbehind:b)a`, "", "ba", "[1 2]"},
	{`^(?=(\w+?))\w{3}\1$`, "", "abcab", "no match"},
	{`^(?*(\w+?))\w{3}\1$`, "", "abcab", "[0 5 0 2]"},
	{`(?=a){2}a`, "", "a", "[0 1]"},
	{`(?<=(?<=a)b)c`, "", "abc", "[2 3]"},

	// Options.
	{`a(?i)b`, "", "aB AB", "[0 2]"},
	{`(a(?i)b|c)d`, "", "Cd", "[0 2 0 1]"},
	{`(?i:a)b`, "", "AB Ab", "[3 5]"},
	{`(?i)a(?-i)b`, "", "AB Ab", "[3 5]"},
	{`(?s).`, "", "\n", "[0 1]"},
	{`(?m)^b`, "", "a\nb", "[2 3]"},
	{`(?^:A)b`, "i", "aB AB", "[3 5]"},
	{`(?x) a b # c`, "", "ab", "[0 2]"},
	{`(?U)a+`, "", "aa", "[0 1]"},
	{`(?i-s)A.`, "s", "a\nab", "[2 4]"},

	// References.
	{`(a|b)\1`, "", "abb", "[1 3 1 2]"},
	{`(a)\g1\g{1}\g{-1}\g-1`, "", "aaaaa", "[0 5 0 1]"},
	{`(?<n>a)\k<n>\k'n'\k{n}\g{n}(?P=n)`, "", "aaaaaa", "[0 6 0 1]"},
	{`(a)?b\1`, "", "b", "no match"},
	{`(a)\1`, "i", "aA", "[0 2 0 1]"},
	{`(é)\1`, "iu", "éÉ", "[0 4 0 2]"},
	{`(k)\1`, "iu", "k\u212a", "[0 4 0 1]"},
	{`(a\1?){3}`, "", "aaaaaa", "[0 6 3 6]"},
	{`\1(a)`, "", "aa", "no match"},
	{`(?:\2b|(a)(c))+`, "", "accb", "[0 4 0 1 1 2]"},
	{`\18`, "", "\x018", "[0 2]"},
	{`(?J)(?:(?<n>a)|(?<n>b))\k<n>`, "", "bb", "[0 2 -1 -1 0 1]"},

	// Subroutines.
	{`\((?:[^()]|(?R))*\)`, "", "a(b(c)d)e", "[1 8]"},
	{`^(\((?:[^()]|(?1))*\))$`, "", "((a)(b))", "[0 8 0 8]"},
	{`(?<q>a|b(?&q)c)`, "", "bbacc", "[0 5 0 5]"},
	{`(?P>q)(?<q>[ab])`, "", "ba", "[0 2 1 2]"},
	{`(sens|respons)e and \g<1>ibility`, "", "sense and responsibility", "[0 24 0 4]"},
	{`(a)(?-1)(?+1)(b)`, "", "aabb", "[0 4 0 1 3 4]"},
	{`^(.|(.)(?1)\2)$`, "", "abcba", "[0 5 0 5 0 1]"},
	{`(?(DEFINE)(?<d>\d+))(?&d)\.(?&d)`, "", "1.23", "[0 4 -1 -1]"},
	{`(a){0}b(?1)`, "", "ba", "[0 2 -1 -1]"},
	{`^(?<x>(a)|b)(?1)$`, "", "ba", "[0 2 0 1 -1 -1]"},
	{`^(a|ab)(?1)c`, "", "aabc", "[0 4 0 1]"},

	// Conditionals.
	{`(a)?(?(1)b|c)`, "", "xc", "[1 2 -1 -1]"},
	{`(a)?(?(1)b|c)`, "", "ab", "[0 2 0 1]"},
	{`(?<n>a)?(?(<n>)b|c)(?('n')d)(?(n)e)`, "", "abde", "[0 4 0 1]"},
	{`(a)?(?(-1)b|c)`, "", "ab", "[0 2 0 1]"},
	{`(?(?=a)ab|cd)`, "", "cd", "[0 2]"},
	{`(?(?!a)cd|ab)`, "", "xab", "[1 3]"},
	{`(?(?<=a)b|c)`, "", "ab", "[1 2]"},
	{`(?(R)a|b(?R)?c)`, "", "bac", "[0 3]"},
	{`(x(?(R1)a|b)(?1)?)`, "", "xbxa", "[0 4 0 4]"},
	{`(?(VERSION>=10.4)yes|no)`, "", "no yes", "[3 6]"},

	// Verbs.
	{`a(*FAIL)|b`, "", "ab", "[1 2]"},
	{`a(*F)`, "", "a", "no match"},
	{`a(*ACCEPT)b`, "", "ac", "[0 1]"},
	{`(a(*ACCEPT)b)c`, "", "ad", "[0 1 0 1]"},
	{`a+(*COMMIT)b`, "", "aac aab", "no match"},
	{`a+(*PRUNE)b`, "", "aacaab", "[3 6]"},
	{`a+(*SKIP)b|.`, "", "aac", "[2 3]"},
	{`a(*MARK:x)a(*SKIP:x)b|.`, "", "aac", "[1 2]"},
	{`a(*SKIP:y)b|.`, "", "aac", "[0 1]"},
	{`(?:a(*THEN)b|ac)`, "", "ac", "[0 2]"},
	{`<[^>]*>(*SKIP)(*FAIL)|b`, "", "<b>b", "[3 4]"},
	{`(?=a(*COMMIT)b)a|c`, "", "ac", "no match"},
	{`(?!a(*COMMIT)b)a`, "", "ac", "[0 1]"},

	// Newlines.
	{`(*CRLF)(?m)^b$`, "", "a\r\nb\r\n", "[3 4]"},
	{`(*CRLF)a.b`, "", "a\rb", "[0 3]"},
	{`(*ANYCRLF)(?m)a$`, "", "a\rb", "[0 1]"},
	{`(*ANYCRLF).+`, "", "a\rb", "[0 1]"},
	{`(*ANY)(?m)^b`, "u", "a\u2028b", "[4 5]"},
	{`(*CR)(?m)^b`, "", "a\nb\rb", "[4 5]"},
	{`(*NUL)(?m)^b`, "", "a\nb\x00b", "[4 5]"},
	{`(*LF)a$`, "", "a\r\n", "no match"},
	{`(*CRLF)^.+\Z`, "", "ab\r\n", "[0 2]"},
	{`(*NOTEMPTY)a*`, "", "ba", "[1 2]"},
	{`(*NOTEMPTY_ATSTART)a*?`, "", "aa", "[0 1]"},

	// Starts: what a search skips must not hide a match.
	{`\b.*x`, "s", "  ax", "[2 4]"},
	{`.*x`, "", "a\nbx", "[2 4]"},
	{`.*?x|y`, "", "ay", "[1 2]"},
	{`(.*)x\1`, "", "abxb", "[1 4 1 2]"},
	{`(?:ab|cd)\d`, "", "abcd1", "[2 5]"},
	{`(?i:AB)c`, "", "abaBc", "[2 5]"},
	{`a?b?`, "", "xab", "[0 0]"},
	{`[ab]{2}x`, "", "aabx", "[1 4]"},
	{`(?:foo|b)ar`, "", "fobar", "[2 5]"},
}

// ownConstructs are matches that differ from PCRE2 10.42, each for its reason.
var ownConstructs = []struct{ reason, pattern, flags, subject, want string }{
	{"PCRE2 refuses; scripts expect a hyphen", `[\w-.]+`, "", "a-b.c", "[0 5]"},
	{"PCRE2 forgets what is beyond 255", `[\S[:alpha:]]`, "u", "€", "[0 3]"},
	{"PCRE2 still has the old name", `(*UTF8)é{2}`, "", "éé", "[0 4]"},
	{"PCRE2 still has the option", `(?X)a`, "", "a", "[0 1]"},
	{"nobody is called; pcre2test would show it", `(?C1)a(?C"x")b(?C)`, "", "ab", "[0 2]"},
	{"Unicode does not join pictures without a joiner", `^\X\X$`, "u", "😀😀", "[0 8]"},
}

func TestConstructs(t *testing.T) {
	for _, tt := range constructs {
		checkConstruct(t, tt.pattern, tt.flags, tt.subject, tt.want)
	}
	for _, tt := range ownConstructs {
		checkConstruct(t, tt.pattern, tt.flags, tt.subject, tt.want)
	}
}

func checkConstruct(t *testing.T, pattern, letters, subject, want string) {
	t.Helper()
	flags, ok := ParseFlags(letters)
	if !ok {
		t.Fatalf("flags %q", letters)
	}
	q := question{pattern, flags, []string{subject}}
	if a := q.ours(nil); a.refused != "" {
		t.Errorf("/%s/%s: %s", pattern, letters, a.refused)
	} else if a.matches[0] != want {
		t.Errorf("/%s/%s with %q: %s, want %s", pattern, letters, subject, a.matches[0], want)
	}
}

// TestConstructsByPCRE checks that the table is right.
func TestConstructsByPCRE(t *testing.T) {
	var questions []question
	for _, tt := range constructs {
		flags, _ := ParseFlags(tt.flags)
		questions = append(questions, question{tt.pattern, flags, []string{tt.subject}})
	}
	for i, a := range consult(t, questions) {
		tt := constructs[i]
		if theirs := fmt.Sprint(a.refused, a.matches); a.refused != "" || padded(a.matches[0], tt.want) != tt.want {
			t.Errorf("/%s/%s with %q: the table wants %s, PCRE2 says %s", tt.pattern, tt.flags, tt.subject, tt.want, theirs)
		}
	}
}
