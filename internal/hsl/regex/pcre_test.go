package regex

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// question is a pattern and subjects to match it with.
type question struct {
	pattern  string
	flags    Flags
	subjects []string
}

// answer is what came of it.
type answer struct {
	refused string   // why the pattern does not compile
	matches []string // one for each subject, as spelled by spell
}

// spell writes a match down: the offsets of all groups, or that there is none.
func spell(matched bool, err error, caps []int) string {
	switch {
	case err != nil:
		return "error: " + err.Error()
	case !matched:
		return "no match"
	}
	return fmt.Sprint(caps)
}

// ours answers with this package.
func (q question) ours(b *Budget) (a answer) {
	re, err := Compile(q.pattern, q.flags)
	if err != nil {
		return answer{refused: err.Error()}
	}
	for _, subject := range q.subjects {
		caps := make([]int, 2*re.Groups()+2)
		matched, err := re.Find(b, subject, 0, caps)
		a.matches = append(a.matches, spell(matched, err, caps))
		again := make([]int, len(caps))
		if eager, err := re.Find(&Budget{eager: true}, subject, 0, again); spell(eager, err, again) != a.matches[len(a.matches)-1] {
			a.matches[len(a.matches)-1] += " (but with memory " + spell(eager, err, again) + ")"
		}
		brief, briefErr := re.Match(b, subject)
		if brief != matched || briefErr != err {
			a.matches[len(a.matches)-1] += fmt.Sprintf(" (but Match says %v, %v)", brief, briefErr)
		}
	}
	return a
}

// consult puts questions to pcre2test.
func consult(t testing.TB, questions []question) []answer {
	t.Helper()
	program := testenv.Program(t, "pcre2test")
	var input bytes.Buffer
	for _, q := range questions {
		fmt.Fprintf(&input, "/%x/hex,no_start_optimize,no_auto_possess,allaftertext%s\n", q.pattern, modifiers(q.flags))
		for _, subject := range q.subjects {
			fmt.Fprintf(&input, "    %s\\=match_limit=100000,depth_limit=20000,ovector=60\n", subjectEscapes(subject, q.flags&UTF8 != 0))
		}
		fmt.Fprintln(&input)
	}
	cmd := exec.Command(program, "-q")
	cmd.Stdin = &input
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pcre2test: %v\n%s", err, tail(out))
	}
	r := reader{t: t, lines: strings.Split(string(out), "\n")}
	answers := make([]answer, len(questions))
	for i, q := range questions {
		answers[i] = r.answer(q)
	}
	return answers
}

func tail(out []byte) []byte { return out[max(0, len(out)-500):] }

// modifiers spells flags for pcre2test.
func modifiers(flags Flags) string {
	var b strings.Builder
	for flag, name := range map[Flags]string{
		Caseless: "caseless", Multiline: "multiline", DotAll: "dotall", Extended: "extended",
		UTF8: "utf", Ungreedy: "ungreedy", Properties: "ucp", Anchored: "anchored",
	} {
		if flags&flag != 0 {
			b.WriteString("," + name)
		}
	}
	return b.String()
}

func subjectEscapes(s string, utf bool) string {
	var b strings.Builder
	if utf {
		for _, r := range s {
			fmt.Fprintf(&b, `\x{%x}`, r)
		}
		return b.String()
	}
	for i := range len(s) {
		fmt.Fprintf(&b, `\x%02x`, s[i])
	}
	return b.String()
}

// reader takes the output of pcre2test apart. It echoes its input; behind each
// subject it lists the groups, each with the text that follows it, which tells
// where the group ends.
type reader struct {
	t     testing.TB
	lines []string
}

func (r *reader) next() string {
	if len(r.lines) == 0 {
		r.t.Fatal("pcre2test: the output ends early")
	}
	line := r.lines[0]
	r.lines = r.lines[1:]
	return line
}

func (r *reader) answer(q question) (a answer) {
	if line := r.next(); !strings.HasPrefix(line, "/") {
		r.t.Fatalf("pcre2test: %q is no pattern", line)
	}
	if strings.HasPrefix(r.lines[0], "Failed: ") {
		a.refused = r.next()
		r.skipTo("")
		return a
	}
	for _, subject := range q.subjects {
		if line := r.next(); !strings.HasPrefix(line, "    ") {
			r.t.Fatalf("pcre2test: /%s/: %q is no subject", q.pattern, line)
		}
		a.matches = append(a.matches, r.match(subject, q.flags&UTF8 != 0))
	}
	r.skipTo("")
	return a
}

func (r *reader) skipTo(line string) {
	for r.next() != line {
	}
}

func (r *reader) match(subject string, utf bool) (spelled string) {
	var caps []int
	backwards := false // \K has moved the start behind the end: offsets cannot be told
	defer func() {
		if backwards {
			spelled = "limit of what pcre2test shows"
		}
	}()
	for len(r.lines) > 0 {
		line := r.lines[0]
		switch {
		case line == "No match" || strings.HasPrefix(line, "No match, mark"):
			r.next()
			return "no match"
		case strings.HasPrefix(line, "Start of matched string is beyond"):
			backwards = true
			r.next()
			continue
		case strings.HasPrefix(line, "Failed: "):
			r.next()
			return "error: " + line
		case len(line) < 4 || line[2] != ':' && line[2] != '+' || line[0] != ' ' && !isDigit(line[0]):
			return fmt.Sprint(caps)
		}
		r.next()
		n, _ := strconv.Atoi(strings.TrimSpace(line[:2]))
		text := unescape(line[4:], utf)
		for len(caps) < 2*n+2 {
			caps = append(caps, -1)
		}
		switch {
		case line[2] == '+':
			end := len(subject) - len(text)
			caps[2*n], caps[2*n+1] = end-caps[2*n], end
		case line[4:] != "<unset>":
			caps[2*n] = len(text)
		}
	}
	return fmt.Sprint(caps)
}

func unescape(s string, utf bool) string {
	var b []byte
	for len(s) > 0 {
		switch {
		case strings.HasPrefix(s, `\x{`):
			hex, rest, _ := strings.Cut(s[3:], "}")
			n, _ := strconv.ParseUint(hex, 16, 32)
			b, s = utf8.AppendRune(b, rune(n)), rest
		case strings.HasPrefix(s, `\x`):
			n, _ := strconv.ParseUint(s[2:4], 16, 8)
			if b = append(b, byte(n)); utf {
				b = utf8.AppendRune(b[:len(b)-1], rune(n))
			}
			s = s[4:]
		default:
			b, s = append(b, s[0]), s[1:]
		}
	}
	return string(b)
}

// padded makes the two spellings of a match comparable: pcre2test leaves out
// groups at the end that are unset.
func padded(theirs, ours string) string {
	if !strings.HasPrefix(theirs, "[") || !strings.HasPrefix(ours, "[") {
		return theirs
	}
	have := strings.Fields(strings.Trim(theirs, "[]"))
	for len(have) < len(strings.Fields(strings.Trim(ours, "[]"))) {
		have = append(have, "-1")
	}
	return "[" + strings.Join(have, " ") + "]"
}

// calls finds subroutine calls. After one returns, PCRE2 10.42 may still show
// captures from inside of it, which its documentation excludes, so that only the
// whole match can be compared.
var calls = regexp.MustCompile(`\(\?R|\(\?&|\(\?\d|\\g<|\(\?\?GROUP`)

// span2 cuts the spelling of a match down to its first two offsets.
func span2(match string) string {
	fields := strings.Fields(strings.Trim(match, "[]"))
	if !strings.HasPrefix(match, "[") {
		return match
	}
	return strings.Join(fields[:2], " ")
}

// limited says whether an answer is that a bound was reached, or that a pattern
// recurses without end, which we may get past where the next byte rules it out.
func limited(a string) bool {
	return strings.Contains(a, "limit") || strings.Contains(a, "too m") || strings.Contains(a, "recurs")
}

// compare reports where our answers differ from those of PCRE2. It returns how
// many matches were compared, and how many matched.
func compare(t *testing.T, questions []question) (compared, matching int) {
	t.Helper()
	answers := consult(t, questions)
	wrong := 0
	for i, q := range questions {
		ours, theirs := q.ours(nil), answers[i]
		if (ours.refused == "") != (theirs.refused == "") {
			t.Errorf("/%s/%v:\n ours   %s\n theirs %s", q.pattern, q.flags, ours.refused, theirs.refused)
			wrong++
			continue
		}
		for j, subject := range q.subjects {
			if ours.refused != "" {
				break
			}
			mine, pcre := ours.matches[j], padded(theirs.matches[j], ours.matches[j])
			if calls.MatchString(q.pattern) {
				mine, pcre = span2(mine), span2(pcre)
			}
			if limited(mine) || limited(pcre) {
				continue
			}
			compared++
			if mine != "no match" {
				matching++
			}
			if mine != pcre {
				t.Errorf("/%s/%v (%x) with %q:\n ours   %s\n theirs %s", q.pattern, q.flags, q.pattern, subject, mine, pcre)
				wrong++
			}
		}
		if wrong > 20 {
			t.Fatal("and so on")
		}
	}
	return compared, matching
}
