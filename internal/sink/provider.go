package sink

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limit is what a provider puts up with from one source address, for recipients
// of some domains. What goes beyond is slowed down or refused at RCPT.
//
// As text it is "PATTERN KIND ARGUMENTS [: REPLY]", with the patterns and replies
// of a Rule:
//
//	big.example  messages 20/10s : 421 4.7.28 unusual rate of unsolicited mail
//	big.example  connections 5/10s : 421 4.7.0 too many connections
//	big.example  block 100/1m 10m : 550 5.7.1 our block list (S3140)
//	big.example  greylist 5m : 451 4.7.1 Greylisted
//	big.example  tarpit 20/10s 2s
//
// N/TIME counts recipients, or connections with a recipient, in windows of that
// length that begin with the first; those above N draw the reply. Each of tarpit
// has to wait first, and block refuses everything for the time behind it.
// Greylist refuses sender and recipient until that time after the first try.
type Limit struct {
	Pattern string
	Kind    LimitKind
	Count   int
	Window  time.Duration
	Time    time.Duration // of greylist, tarpit and block
	rule    Rule          // that acts
}

// LimitKind is what a Limit does.
type LimitKind uint8

// The kinds of limits.
const (
	LimitMessages LimitKind = iota
	LimitConnections
	LimitBlock
	LimitGreylist
	LimitTarpit
)

var limitKinds = []string{"messages", "connections", "block", "greylist", "tarpit"}

// maxLimit bounds the count of a limit.
const maxLimit = 1_000_000

//go:embed providers.txt
var providerText string

// Providers lists the names of the profiles that ParseProvider knows.
func Providers() []string { return slices.Sorted(maps.Keys(profiles())) }

// profiles are the lines of each profile, without their names.
func profiles() map[string][]string {
	all := map[string][]string{}
	for line := range strings.SplitSeq(providerText, "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, rest := cutField(line)
		all[name] = append(all[name], rest)
	}
	return all
}

// ParseProvider reads "PROFILE=PATTERN,…": the limits of a profile for recipients
// of these domains.
func ParseProvider(text string) (limits []Limit, err error) {
	name, patterns, _ := strings.Cut(text, "=")
	lines := profiles()[name]
	if lines == nil || patterns == "" {
		return nil, fmt.Errorf("sink: provider %q: want PROFILE=DOMAIN, with a profile of %s", text, strings.Join(Providers(), ", "))
	}
	for pattern := range strings.SplitSeq(patterns, ",") {
		for _, line := range lines {
			l, err := ParseLimit(pattern + " " + line)
			if err != nil {
				return nil, err
			}
			limits = append(limits, l)
		}
	}
	return limits, nil
}

// ParseLimit reads the text form of a limit.
func ParseLimit(text string) (l Limit, err error) {
	head, reply, _ := strings.Cut(text, " : ")
	fields := strings.Fields(head)
	if len(fields) < 3 {
		return l, fmt.Errorf("sink: limit %q: want PATTERN KIND ARGUMENTS [: REPLY]", text)
	}
	l.Pattern = strings.ToLower(fields[0])
	kind := slices.Index(limitKinds, fields[1])
	if kind < 0 {
		return l, fmt.Errorf("sink: limit %q: want a kind of %s", text, strings.Join(limitKinds, ", "))
	}
	l.Kind = LimitKind(kind)
	if err = l.parseArguments(fields[2:]); err == nil {
		err = l.parseRule(strings.TrimSpace(reply))
	}
	if err != nil {
		return Limit{}, fmt.Errorf("sink: limit %q: %w", text, err)
	}
	return l, nil
}

func (l *Limit) parseArguments(args []string) (err error) {
	if l.Kind != LimitGreylist {
		count, window, _ := strings.Cut(args[0], "/")
		if l.Count, err = strconv.Atoi(count); err != nil || l.Count < 0 || l.Count > maxLimit {
			return fmt.Errorf("want a count such as 20/10s, got %q", args[0])
		}
		if l.Window, err = parseSpan(window); err != nil {
			return err
		}
		args = args[1:]
	}
	if l.Kind != LimitMessages && l.Kind != LimitConnections {
		if len(args) == 0 {
			return errors.New("want a time such as 30s")
		}
		if l.Time, err = parseSpan(args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	if len(args) > 0 {
		return fmt.Errorf("%w %q", errArgument, args[0])
	}
	return nil
}

func parseSpan(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxDelay {
		return 0, fmt.Errorf("want a time such as 10s, of at most %s, got %q", maxDelay, text)
	}
	return d, nil
}

// parseRule makes the rule that acts where the limit is passed.
func (l *Limit) parseRule(reply string) (err error) {
	l.rule = Rule{Pattern: l.Pattern, Phase: PhaseRcpt, Action: ActionReply, Percent: 100}
	switch {
	case l.Kind == LimitTarpit && reply != "":
		return fmt.Errorf("%w %q: a tarpit has no reply", errArgument, reply)
	case l.Kind == LimitTarpit:
		l.rule.Action, l.rule.Delay = ActionDelay, l.Time
	default:
		if l.rule.Reply, err = parseReply(reply); err == nil && l.rule.Reply.Code < 400 {
			err = fmt.Errorf("want a reply of class 4 or 5, got %q", reply)
		}
	}
	return errors.Join(err, l.rule.check())
}
