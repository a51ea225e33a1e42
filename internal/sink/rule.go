package sink

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Action is what a Rule does.
type Action uint8

const (
	ActionReply Action = iota // answers with Rule.Reply in place of the normal reply
	ActionDelay               // waits for Rule.Delay before it goes on
	ActionDrop                // closes the connection
	ActionReset               // closes the connection with a TCP reset
	ActionStall               // says nothing more, and waits for the peer to leave
)

var actionNames = []string{"reply", "delay", "drop", "reset", "stall"}

// String returns the name of the action as rules write it.
func (a Action) String() string { return actionNames[a] }

// Rule injects one fault.
//
// As text it is "PATTERN PHASE ACTION [ARGUMENT] [@PERCENT%]", for example
//
//   - connect    delay 300ms @5%
//     *@busy.example    rcpt       reply 451 4.7.1 slow down @10%
//     gone.example      rcpt       reply 550 5.1.1 no such user
//   - after-data drop @1%
//
// A reply of several lines has "\n" between them. The phase may have "after-"
// in front for drop, reset and stall: the normal reply is sent first. A reply
// of class 4 or 5 refuses; one of class 2 or 3 only changes the text; 421 closes
// the connection as well (RFC 5321 §3.8).
//
// At mail the pattern is compared with the sender; at rcpt with the recipient;
// at data, body and eod with each accepted recipient of the transaction; at the
// other phases it must be "*". A pattern without "@" means a domain. "*" stands
// for any run of characters; case does not matter.
type Rule struct {
	Pattern string
	Phase   Phase
	After   bool // act after the reply, not in its place
	Action  Action
	Reply   smtp.Reply    // for ActionReply
	Delay   time.Duration // for ActionDelay
	Percent float64       // how often a matching rule acts, above 0 to 100
}

// maxDelay bounds the delay of one rule.
const maxDelay = 24 * time.Hour

var errArgument = errors.New("unexpected argument")

// ParseRule reads the text form of a rule.
func ParseRule(text string) (Rule, error) {
	pattern, rest := cutField(text)
	phase, rest := cutField(rest)
	action, arg := cutField(rest)
	r := Rule{Pattern: strings.ToLower(pattern)}
	for i, name := range actionNames {
		if name == action {
			r.Action = Action(i)
			return r.parse(phase, arg)
		}
	}
	return Rule{}, fmt.Errorf("sink: rule %q: want PATTERN PHASE ACTION, with an action of %s", text, strings.Join(actionNames, ", "))
}

// ParseFault reads the short form of a rule for all mail, as flags have it:
// "PHASE[=ARGUMENT][@PERCENT%]", for example "rcpt=451 4.7.1 slow down@10%".
func ParseFault(action Action, text string) (Rule, error) {
	phase, arg, found := strings.Cut(text, "=")
	if !found {
		phase, arg = text, ""
		if at := strings.IndexByte(text, '@'); at >= 0 {
			phase, arg = text[:at], text[at:]
		}
	}
	return Rule{Pattern: "*", Action: action}.parse(phase, arg)
}

// parse fills r from its phase and what follows its action.
func (r Rule) parse(phase, arg string) (Rule, error) {
	name, after := strings.CutPrefix(strings.TrimSpace(phase), "after-")
	var ok bool
	if r.Phase, ok = parsePhase(name); !ok {
		return Rule{}, fmt.Errorf("sink: unknown phase %q: want one of %s", name, strings.Join(Phases(), ", "))
	}
	r.After = after
	arg, percent, err := cutPercent(strings.TrimSpace(arg))
	if err == nil {
		r.Percent = percent
		err = r.parseArgument(arg)
	}
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return Rule{}, fmt.Errorf("sink: %s %s: %w", phase, r.Action, err)
	}
	return r, nil
}

func (r *Rule) parseArgument(arg string) (err error) {
	switch r.Action {
	case ActionReply:
		r.Reply, err = parseReply(arg)
	case ActionDelay:
		r.Delay, err = time.ParseDuration(arg)
		if err == nil && (r.Delay <= 0 || r.Delay > maxDelay) {
			err = fmt.Errorf("delay %s is not between 0 and %s", r.Delay, maxDelay)
		}
	default:
		if arg != "" {
			err = fmt.Errorf("%w %q", errArgument, arg)
		}
	}
	return err
}

// check refuses combinations that could never act.
func (r *Rule) check() error {
	switch {
	case r.Pattern == "" || strings.ContainsFunc(r.Pattern, isControl):
		return errors.New("the pattern is empty or has control characters")
	case r.Pattern != "*" && !r.Phase.hasAddress():
		return fmt.Errorf("no address is known at this phase, so the pattern must be *, not %s", r.Pattern)
	case r.After && (r.Action == ActionReply || r.Action == ActionDelay):
		return errors.New("after- goes with drop, reset and stall")
	case r.Phase == PhaseBody && (r.After || r.Action == ActionReply):
		return errors.New("there is no reply at this phase: use data or eod")
	}
	return nil
}

// String returns the text form of the rule, which ParseRule reads back.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(r.Pattern + " ")
	if r.After {
		b.WriteString("after-")
	}
	b.WriteString(r.Phase.String() + " " + r.Action.String())
	switch r.Action {
	case ActionReply:
		b.WriteString(" " + replyText(r.Reply))
	case ActionDelay:
		b.WriteString(" " + r.Delay.String())
	}
	// A text that itself ends like a percentage must not be taken for one.
	if r.Percent != 100 || strings.HasSuffix(b.String(), "%") {
		b.WriteString(" @" + strconv.FormatFloat(r.Percent, 'f', -1, 64) + "%")
	}
	return b.String()
}

// ReadRules reads one rule per line. Empty lines and lines that start with "#"
// are skipped. Errors name the line.
func ReadRules(in io.Reader) ([]Rule, error) {
	var rules []Rule
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

// cutField splits off the first word.
func cutField(s string) (field, rest string) {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t"); i >= 0 {
		return s[:i], strings.TrimSpace(s[i:])
	}
	return s, ""
}

// cutPercent splits "@10%" off the end; without it the rule always acts.
func cutPercent(s string) (rest string, percent float64, err error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 || !strings.HasSuffix(s, "%") {
		return s, 100, nil
	}
	percent, err = strconv.ParseFloat(s[at+1:len(s)-1], 64)
	if err != nil || math.IsNaN(percent) || percent <= 0 || percent > 100 {
		return "", 0, fmt.Errorf("want a percentage above 0 and up to 100 such as @5%%, got %q", s[at:])
	}
	return strings.TrimSpace(s[:at]), percent, nil
}
