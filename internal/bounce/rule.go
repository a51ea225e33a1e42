package bounce

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/regex"
)

// Rule is one line of a file of rules:
//
//	NAME CLASS [code=…] [status=…] [grouping=…] [state=…] [kind=…] [: WORDS]
//
// Values of a condition are separated by commas, one of them must fit; all
// conditions must. A code is 550, 5xx or 45x, a status 5.1.1 or x.1.x. WORDS are
// alternatives separated by |, of parts joined by +, all of which must stand in
// the answer; those behind a ! must not. A part is words next to each other,
// whose last may end in * for any ending, or a regular expression between slashes
// over the answer as it came, caseless. kind=permanent or temporary overrides what
// the code says. Lines that begin with # are comments.
type Rule struct {
	name     string
	file     string
	line     int
	class    Class
	codes    []string
	statuses []Status
	grouping []string
	state    []string
	kind     string
	text     []alternative
	fields   string // the conditions but the text as they are written
}

// alternative is a list of terms that must all hold.
type alternative struct {
	terms  []term
	source string
}

// term is one part.
type term struct {
	words   string // as appendWords writes them, or
	pattern *regex.Pattern
	not     bool
	number  int // of words in the automaton
}

// Name returns the name of the rule.
func (r *Rule) Name() string { return r.name }

// Class returns what a reply that fits means.
func (r *Rule) Class() Class { return r.class }

// Bounds of files of rules, which are written by hand.
const (
	maxLine  = 64 << 10
	maxRules = 20_000
)

// Parse reads rules. The file's name is for errors and explanations. The error
// names all lines that are wrong.
func Parse(file string, in io.Reader) (rules []*Rule, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	var wrong []error
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		r, err := parseRule(text)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("bounce: %s:%d: %w", file, n, err))
			continue
		}
		r.file, r.line = file, n
		if rules = append(rules, r); len(rules) > maxRules {
			return nil, fmt.Errorf("bounce: %s: more than %d rules", file, maxRules)
		}
	}
	if err := lines.Err(); err != nil {
		wrong = append(wrong, fmt.Errorf("bounce: %s: %w", file, err))
	}
	return rules, errors.Join(wrong...)
}

func parseRule(line string) (*Rule, error) {
	head, text, hasText := strings.Cut(line, " : ")
	fields := strings.Fields(head)
	if len(fields) < 2 {
		return nil, errors.New("want NAME CLASS [conditions] [: words]")
	}
	class, ok := ParseClass(fields[1])
	if !ok {
		return nil, fmt.Errorf("no such class %q; 'posthaste ctl bounce classes' lists them", fields[1])
	}
	r := &Rule{name: fields[0], class: class, fields: strings.Join(fields[2:], " ")}
	for _, f := range fields[2:] {
		if err := r.condition(f); err != nil {
			return nil, err
		}
	}
	if !hasText {
		if len(r.codes)+len(r.statuses)+len(r.grouping)+len(r.state) == 0 {
			return nil, errors.New("a rule without conditions would fit everything")
		}
		return r, nil
	}
	var err error
	r.text, err = parseText(text)
	return r, err
}

func (r *Rule) condition(field string) error {
	key, list, _ := strings.Cut(field, "=")
	if list == "" {
		return fmt.Errorf("%q is no condition: want key=value, or ' : ' before words", field)
	}
	values := strings.Split(list, ",")
	switch key {
	case "code":
		r.codes = values
		for _, v := range values {
			if len(v) != 3 || strings.Trim(v, "0123456789x") != "" {
				return fmt.Errorf("code %q: want three digits, or x for any", v)
			}
		}
	case "status":
		for _, v := range values {
			s, ok := parsePattern(v)
			if !ok {
				return fmt.Errorf("status %q: want three numbers with dots between, or x for any", v)
			}
			r.statuses = append(r.statuses, s)
		}
	case "grouping":
		r.grouping = values
	case "state":
		r.state = values
	case "kind":
		r.kind = list
		if list != "permanent" && list != "temporary" {
			return fmt.Errorf("kind %q: want permanent or temporary", list)
		}
	default:
		return fmt.Errorf("no condition %q: there are code, status, grouping, state and kind", key)
	}
	return nil
}

// parseText reads what stands behind the colon.
func parseText(text string) (all []alternative, err error) {
	for _, part := range split(text, '|') {
		a := alternative{source: strings.TrimSpace(part)}
		for _, source := range split(part, '+') {
			t, err := parseTerm(strings.TrimSpace(source))
			if err != nil {
				return nil, err
			}
			a.terms = append(a.terms, t)
		}
		if !slices.ContainsFunc(a.terms, func(t term) bool { return !t.not }) {
			return nil, fmt.Errorf("%q only says what must not be there", a.source)
		}
		all = append(all, a)
	}
	return all, nil
}

// split parts a text at a byte that does not stand in a regular expression.
func split(text string, by byte) (parts []string) {
	begin, within := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && within:
			i++
		case c == '/':
			within = !within
		case c == by && !within:
			parts = append(parts, text[begin:i])
			begin = i + 1
		}
	}
	return append(parts, text[begin:])
}

func parseTerm(text string) (t term, err error) {
	if rest, ok := strings.CutPrefix(text, "!"); ok {
		t.not, text = true, strings.TrimSpace(rest)
	}
	if strings.HasPrefix(text, "/") {
		if len(text) < 3 || !strings.HasSuffix(text, "/") {
			return t, fmt.Errorf("%s: want a regular expression between slashes", text)
		}
		t.pattern, err = regex.Compile(text[1:len(text)-1], regex.Caseless)
		return t, err
	}
	bare, open := strings.CutSuffix(text, "*")
	t.words = string(appendWords(nil, bare, "", ""))
	if len(t.words) < 3 {
		return t, fmt.Errorf("%q has no words", text)
	}
	if open {
		t.words = t.words[:len(t.words)-1]
	}
	return t, nil
}

// clone returns a copy whose terms can be numbered anew.
func (r *Rule) clone() *Rule {
	c := *r
	c.text = slices.Clone(r.text)
	for i := range c.text {
		c.text[i].terms = slices.Clone(c.text[i].terms)
	}
	return &c
}

func (r *Rule) each(visit func(*term)) {
	for i := range r.text {
		for j := range r.text[i].terms {
			visit(&r.text[i].terms[j])
		}
	}
}

// fits says whether the rule fits, and by which words.
func (r *Rule) fits(reply *Reply, found []uint64) (by string, ok bool) {
	if !r.fitsFields(reply) {
		return "", false
	}
	if len(r.text) == 0 {
		return "", true
	}
	for i := range r.text {
		if r.text[i].holds(reply, found) {
			return r.text[i].source, true
		}
	}
	return "", false
}

func (r *Rule) fitsFields(reply *Reply) bool {
	return (len(r.codes) == 0 || slices.ContainsFunc(r.codes, func(c string) bool { return codeFits(c, reply) })) &&
		(len(r.statuses) == 0 || slices.ContainsFunc(r.statuses, reply.Status.fits)) &&
		(len(r.grouping) == 0 || slices.Contains(r.grouping, reply.Grouping)) &&
		(len(r.state) == 0 || slices.Contains(r.state, reply.State))
}

func (a *alternative) holds(reply *Reply, found []uint64) bool {
	for i := range a.terms {
		if t := &a.terms[i]; t.holds(reply, found) == t.not {
			return false
		}
	}
	return true
}

func (t *term) holds(reply *Reply, found []uint64) bool {
	if t.pattern == nil {
		return found[t.number/64]&(1<<(t.number%64)) != 0
	}
	ok, err := t.pattern.Match(&regex.Budget{Steps: patternSteps}, reply.Text)
	return ok && err == nil // what cannot be decided in time does not fit
}

// patternSteps bounds what a regular expression of an operator costs per answer.
const patternSteps = 200_000

// codeFits says whether a reply has a code of the pattern. One without a code has
// that of its status as far as the first digit.
func codeFits(pattern string, reply *Reply) bool {
	code := reply.Code
	if code == 0 {
		return pattern[1:] == "xx" && pattern[0] == byte('0'+reply.Status.Class)
	}
	for i := 2; i >= 0; i-- {
		if pattern[i] != 'x' && int(pattern[i]-'0') != code%10 {
			return false
		}
		code /= 10
	}
	return true
}

func codeText(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}

func (r *Rule) result(reply *Reply, words string) Result {
	permanent := reply.class() == 5 && !table[r.class].retry
	switch {
	case r.kind != "":
		permanent = r.kind == "permanent"
	case reply.class() == 0:
		permanent = !table[r.class].retry
	}
	why := r.fields
	if words != "" {
		why = strings.TrimSpace(why + " words " + strconv.Quote(words))
	}
	return Result{Class: r.class, Permanent: permanent, Rule: r.name, File: r.file, Line: r.line, Why: why, Code: reply.Code, Status: reply.Status}
}
