package backoff

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Rule says what a reply means. As text it is one line,
//
//	NAME ACTION [code=CODES] [events=N/TIME] [: WORDS]
//
// with an action of "slow", "slow=STEP", "suspend=TIME" or "ignore". CODES are
// separated by commas, such as 421, 45x or 5xx; without them 4xx and 5xx both
// fit. With events the rule acts on the N-th such reply within TIME. WORDS are
// alternatives separated by "|", each of parts joined by "+", all of which must
// stand in the reply, code and lines with single spaces between, in any case.
// Times are "90s", "10m" or "1h30m". The first rule that fits a reply counts.
type Rule struct {
	Name    string
	Action  Action
	Step    int           // Slow: the least step to go to
	Suspend time.Duration // Suspend: for how long
	Events  int           // so many replies; 0 and 1: each acts
	Window  time.Duration // within this time

	codes []string
	words [][]string
}

// Action is what a Rule does.
type Action uint8

// The actions.
const (
	Ignore  Action = iota // the reply is no reason to slow down
	Slow                  // one step slower
	Suspend               // nothing for a while, then the slowest step
)

// Bounds of a rule, so that a mistake does not stop mail for a year.
const (
	maxSuspend = 7 * 24 * time.Hour
	maxEvents  = 1000
	maxName    = 64
)

//go:embed rules.txt
var standard string

// Standard returns the rules that come with the program.
func Standard() ([]Rule, error) { return ReadRules(strings.NewReader(standard)) }

// ReadRules reads a rule per line; empty lines and those that begin with "#" are
// left out. Errors name the line.
func ReadRules(in io.Reader) (rules []Rule, err error) {
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		r, err := ParseRule(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		rules = append(rules, r)
	}
	return rules, lines.Err()
}

var (
	errForm   = errors.New("want NAME ACTION [code=CODES] [events=N/TIME] [: WORDS]")
	errAction = errors.New("want an action of slow, slow=STEP, suspend=TIME or ignore")
	errNever  = errors.New("want code= or words, or every failure would fit")
)

// ParseRule reads the text form of a rule.
func ParseRule(text string) (r Rule, err error) {
	head, words, hasWords := strings.Cut(text, " :")
	fields := strings.Fields(head)
	if len(fields) < 2 || len(fields[0]) > maxName {
		return r, fmt.Errorf("backoff: rule %q: %w", text, errForm)
	}
	r.Name = fields[0]
	err = r.parseAction(fields[1])
	for _, f := range fields[2:] {
		err = errors.Join(err, r.parseOption(f))
	}
	if hasWords {
		err = errors.Join(err, r.parseWords(words))
	}
	if err == nil && len(r.codes) == 0 && len(r.words) == 0 {
		err = errNever
	}
	if err != nil {
		return Rule{}, fmt.Errorf("backoff: rule %q: %w", text, err)
	}
	return r, nil
}

func (r *Rule) parseAction(text string) (err error) {
	name, value, has := strings.Cut(text, "=")
	switch {
	case name == "ignore" && !has:
		r.Action = Ignore
	case name == "slow" && !has:
		r.Action, r.Step = Slow, 1
	case name == "slow":
		r.Action = Slow
		if r.Step, err = strconv.Atoi(value); err != nil || r.Step < 1 || r.Step > maxSteps {
			return fmt.Errorf("want a step from 1 to %d, got %q", maxSteps, value)
		}
	case name == "suspend" && has:
		r.Action = Suspend
		r.Suspend, err = parseTime(value, maxSuspend)
	default:
		err = errAction
	}
	return err
}

func (r *Rule) parseOption(text string) (err error) {
	name, value, _ := strings.Cut(text, "=")
	switch name {
	case "code":
		r.codes = strings.Split(strings.ToLower(value), ",")
		for _, c := range r.codes {
			if len(c) != 3 || (c[0] != '4' && c[0] != '5') || strings.Trim(c[1:], "0123456789x") != "" {
				return fmt.Errorf("want a code such as 421, 45x or 5xx, got %q", c)
			}
		}
		return nil
	case "events":
		count, within, _ := strings.Cut(value, "/")
		if r.Events, err = strconv.Atoi(count); err != nil || r.Events < 1 || r.Events > maxEvents {
			return fmt.Errorf("want a number of events from 1 to %d, got %q", maxEvents, count)
		}
		r.Window, err = parseTime(within, 24*time.Hour)
		return err
	}
	return fmt.Errorf("unknown option %q", text)
}

func (r *Rule) parseWords(text string) error {
	for one := range strings.SplitSeq(strings.ToLower(text), "|") {
		var parts []string
		for part := range strings.SplitSeq(one, "+") {
			part = strings.Join(strings.Fields(part), " ")
			if part == "" {
				return errors.New("empty words")
			}
			parts = append(parts, part)
		}
		r.words = append(r.words, parts)
	}
	return nil
}

func parseTime(text string, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > most {
		return 0, fmt.Errorf("want a time from 1s to %s, got %q", most, text)
	}
	return d, nil
}

// Fits reports whether the rule speaks of a reply, given its code and its folded
// text; see Fold.
func (r *Rule) Fits(code int, folded string) bool {
	if len(r.codes) > 0 && !r.hasCode(code) {
		return false
	}
	if len(r.words) == 0 {
		return true
	}
	for _, parts := range r.words {
		if containsAll(folded, parts) {
			return true
		}
	}
	return false
}

func (r *Rule) hasCode(code int) bool {
	digits := strconv.Itoa(code)
	for _, c := range r.codes {
		if len(digits) == 3 && c[0] == digits[0] && (c[1] == 'x' || c[1] == digits[1]) && (c[2] == 'x' || c[2] == digits[2]) {
			return true
		}
	}
	return false
}

func containsAll(s string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
