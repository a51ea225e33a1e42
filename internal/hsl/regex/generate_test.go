package regex

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// generator writes random patterns that PCRE2 accepts, mostly, and subjects that
// they have a chance to match.
type generator struct {
	*rand.Rand
	utf   bool
	verbs bool
	// newlines lets patterns begin with what a newline is.
	newlines bool
	groups   int
	depth    int
	names    []string
	behind   int
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) maybe(percent int) bool { return g.IntN(100) < percent }

var refers = regexp.MustCompile(`\\\?GROUP|\\g\?|\\g\{|\(\?\(\?GROUP|\(\?P=|\\k`)

// pattern returns a whole pattern.
func (g *generator) pattern() string {
	g.groups, g.depth, g.names, g.behind = 0, 0, nil, 0
	p := g.alternatives()
	if g.newlines {
		p = g.pick("(*CR)", "(*CRLF)", "(*ANYCRLF)", "(*ANY)", "(*NUL)", "(*LF)") + p
	}
	if strings.Contains(p, "(*SKIP:m)") {
		// Where there is no such mark, PCRE2 10.42 gives up anchored patterns.
		p = "(*MARK:m)" + p
	}
	if calls.MatchString(p) && refers.MatchString(p) {
		return g.pattern() // see calls: what was left over may be referred to
	}
	// References are written as \g{?} and resolved here, when it is known how
	// many groups there are.
	for strings.Contains(p, "?GROUP?") {
		n := 1
		if g.groups > 0 {
			n = 1 + g.IntN(g.groups)
		} else {
			p = "(a?)" + p
			g.groups++
		}
		p = strings.Replace(p, "?GROUP?", fmt.Sprint(n), 1)
	}
	return p
}

func (g *generator) alternatives() string {
	g.depth++
	defer func() { g.depth-- }()
	branches := []string{g.branch()}
	for g.maybe(25) && len(branches) < 4 {
		branches = append(branches, g.branch())
	}
	return strings.Join(branches, "|")
}

func (g *generator) branch() string {
	var b strings.Builder
	for range g.IntN(4) {
		b.WriteString(g.item())
	}
	return b.String()
}

func (g *generator) item() string {
	if g.depth > 4 || g.maybe(45) {
		return g.character() + g.quantifier(40)
	}
	switch n := g.IntN(100); {
	case n < 20:
		g.groups++
		return "(" + g.alternatives() + ")" + g.quantifier(40)
	case n < 32:
		return "(?:" + g.alternatives() + ")" + g.quantifier(60)
	case n < 37:
		return "(?>" + g.alternatives() + ")" + g.quantifier(40)
	case n < 43:
		return "(?" + g.pick("=", "!") + g.alternatives() + ")" + g.quantifier(5)
	case n < 47:
		return g.lookbehind()
	case n < 55:
		return g.pick(`\b`, `\B`, `^`, `$`, `\A`, `\z`, `\Z`, `\G`)
	case n < 60:
		return g.pick(`\?GROUP?`, `\g{?GROUP?}`, `\g?GROUP?`)[0:] + g.quantifier(30)
	case n < 64:
		return "(?" + g.pick("i", "s", "m", "U", "-i", "^", "i-s", "x") + ":" + g.alternatives() + ")" + g.quantifier(30)
	case n < 67:
		return "(?" + g.pick("i", "s", "m", "-i", "n") + ")"
	case n < 71:
		return "(?(?GROUP?)" + g.branch() + "|" + g.branch() + ")" + g.quantifier(20)
	case n < 73:
		return "(?(?" + g.pick("=", "!") + g.alternatives() + ")" + g.branch() + "|" + g.branch() + ")"
	case n < 76:
		if g.verbs && g.maybe(50) {
			return "(*ACCEPT)" // not with calls: together they upset PCRE2 10.42
		}
		if g.verbs {
			return "a"
		}
		// PCRE2 10.42 makes only the last copy of {2,}+ possessive here.
		return g.pick("(?R)", "(??GROUP?)", "(??GROUP?)", `\g<?GROUP?>`) + g.pick("", "", "", "?", "{2}", "*")
	case n < 78:
		return g.named()
	case n < 80:
		return "(?|" + g.alternatives() + ")" + g.quantifier(20)
	case n < 82:
		return `\K`
	case n < 84 && g.verbs:
		return g.pick("(*COMMIT)", "(*PRUNE)", "(*SKIP)", "(*THEN)", "(*FAIL)", "(*MARK:m)", "(*SKIP:m)")
	case n < 86:
		return "(?*" + g.alternatives() + ")"
	}
	return g.character() + g.quantifier(50)
}

func (g *generator) named() string {
	g.groups++
	name := fmt.Sprintf("n%d", len(g.names))
	g.names = append(g.names, name)
	body := g.alternatives()
	return g.pick("(?<"+name+">", "(?P<"+name+">", "(?'"+name+"'") + body + ")" +
		g.pick("", `\k<`+name+">", "(?P="+name+")", "(?&"+name+")", "(?(<"+name+">)a|b)")
}

func (g *generator) lookbehind() string {
	part := func() string {
		var b strings.Builder
		for range 1 + g.IntN(3) {
			b.WriteString(g.character())
			if g.maybe(20) {
				b.WriteString("{2}")
			}
		}
		return b.String()
	}
	body := part()
	for g.maybe(30) {
		body += "|" + part()
	}
	return "(?<" + g.pick("=", "!") + body + ")"
}

func (g *generator) character() string {
	const plain = "aaabbbcAB1 "
	if g.maybe(65) {
		c := string(plain[g.IntN(len(plain))])
		if g.utf && g.maybe(20) {
			return g.pick("é", "É", "k", "ſ", "\u212a", "ß", "σ", "ς", "€", "𝔸")
		}
		return c
	}
	if g.maybe(40) {
		return g.bracket()
	}
	if g.utf && g.maybe(25) {
		return g.pick(`\p{L}`, `\P{L}`, `\p{Lu}`, `\p{Greek}`, `\x{e9}`, `\p{^Ll}`, `\pN`, `[\p{L}\d]`, `\X`, `\R`)
	}
	return g.pick(".", ".", `\d`, `\w`, `\s`, `\D`, `\W`, `\S`, `\h`, `\v`, `\N`, `\n`, `\x61`, `\141`, `\Qa.\E`, `\R`)
}

func (g *generator) bracket() string {
	var b strings.Builder
	b.WriteString(g.pick("[", "[", "[^"))
	if g.utf && g.maybe(20) {
		// PCRE2 10.42 forgets what \S has beyond 255 when more stands with it.
		return b.String() + g.pick(`\S`, `\W`, `[:^digit:]`) + "]"
	}
	for range 1 + g.IntN(3) {
		b.WriteString(g.pick("a", "b", "c", "A", "1", " ", "a-c", "A-B", "0-9", `\d`, `\w`, `\s`, `[:alpha:]`, `[:upper:]`, `\n`))
		if !g.utf {
			b.WriteString(g.pick("", `\S`, `\W`, `[:^digit:]`))
		}
		if g.utf && g.maybe(20) {
			b.WriteString(g.pick("é", "à-ÿ", "ſ", "σ", `\p{L}`, `\x{100}-\x{10ffff}`))
		}
	}
	return b.String() + "]"
}

func (g *generator) quantifier(percent int) string {
	if !g.maybe(percent) {
		return ""
	}
	return g.pick("*", "+", "?", "{2}", "{0,2}", "{1,3}", "{2,}") + g.pick("", "", "", "?", "+")
}

func (g *generator) subject() string {
	var b strings.Builder
	for range g.IntN(9) {
		if g.utf && g.maybe(30) {
			b.WriteString(g.pick("é", "É", "k", "K", "ſ", "s", "\u212a", "ß", "σ", "ς", "Σ", "€", "𝔸", "\u0301", "\u2028"))
			continue
		}
		b.WriteString(g.pick("a", "a", "a", "b", "b", "c", "A", "B", "1", " ", "\n", "\r\n"))
		if !g.utf && g.maybe(4) {
			b.WriteByte(byte(g.IntN(256)))
		}
	}
	return strings.ReplaceAll(b.String(), `\`, "/")
}

func (g *generator) flags() (f Flags) {
	for _, flag := range []Flags{Caseless, Multiline, DotAll, Ungreedy, Extended} {
		if g.maybe(12) {
			f |= flag
		}
	}
	if g.utf {
		f |= UTF8
	}
	return f
}

func (g *generator) questions(n int) []question {
	questions := make([]question, n)
	for i := range questions {
		q := question{pattern: g.pattern(), flags: g.flags()}
		for range 6 {
			q.subjects = append(q.subjects, g.subject())
		}
		questions[i] = q
	}
	return questions
}

var seed = flag.Uint64("seed", 1, "of the generated patterns")

// TestGenerated compares generated patterns and subjects with PCRE2.
func TestGenerated(t *testing.T) {
	for name, g := range map[string]*generator{
		"bytes":    {},
		"utf8":     {utf: true},
		"verbs":    {verbs: true},
		"newlines": {newlines: true},
	} {
		t.Run(name, func(t *testing.T) {
			g.Rand = rand.New(rand.NewPCG(*seed, uint64(len(name))))
			count := 2500
			if raceEnabled {
				count = 200
			}
			compared, matching := compare(t, g.questions(count))
			t.Logf("%d matches compared, %d of them found", compared, matching)
			if matching < 2*count {
				t.Errorf("only %d matches were found", matching)
			}
		})
	}
}
