package sink

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// ruleset is the rules of a sink, arranged so that a recipient costs one map
// look-up however many domains have rules. It is made once and then only its
// dice change.
type ruleset struct {
	byPhase [phases]phaseRules
	seed    uint64
}

// phaseRules are the rules of one phase by how they are found: those for
// everyone, those for one domain, those with a wildcard in the domain.
type phaseRules struct {
	all      []*liveRule
	byDomain map[string][]*liveRule
	globs    []*liveRule
}

// liveRule is a Rule at work.
type liveRule struct {
	Rule
	order         int // place among the rules: the first reply wins
	local, domain string
	reply         string
	trials        atomic.Uint64
}

func newRuleset(rules []Rule, seed uint64) *ruleset {
	s := &ruleset{seed: seed}
	for i, r := range rules {
		s.add(newLiveRule(r, i))
	}
	return s
}

func newLiveRule(r Rule, order int) *liveRule {
	l := &liveRule{Rule: r, order: order, local: "*", domain: r.Pattern}
	if at := strings.LastIndexByte(r.Pattern, '@'); at >= 0 {
		l.local, l.domain = r.Pattern[:at], r.Pattern[at+1:]
	}
	if r.Action == ActionReply {
		l.reply = string(r.Reply.Append(nil))
	}
	return l
}

func (s *ruleset) add(l *liveRule) {
	p := &s.byPhase[l.Phase]
	switch {
	case l.Pattern == "*":
		p.all = append(p.all, l)
	case strings.Contains(l.domain, "*"):
		p.globs = append(p.globs, l)
	default:
		if p.byDomain == nil {
			p.byDomain = make(map[string][]*liveRule)
		}
		p.byDomain[l.domain] = append(p.byDomain[l.domain], l)
	}
}

// judgeAll adds the rules that hold for everyone to the verdict.
func (s *ruleset) judgeAll(v *verdict, phase Phase) {
	for _, l := range s.byPhase[phase].all {
		if s.roll(l) {
			v.add(l)
		}
	}
}

// judgeAddress adds the rules whose pattern matches the address.
func (s *ruleset) judgeAddress(v *verdict, phase Phase, a mailbox) {
	p := &s.byPhase[phase]
	for _, l := range p.byDomain[a.domain] {
		if matchGlob(l.local, a.local) && s.roll(l) {
			v.add(l)
		}
	}
	for _, l := range p.globs {
		if matchGlob(l.domain, a.domain) && matchGlob(l.local, a.local) && s.roll(l) {
			v.add(l)
		}
	}
}

// roll throws the dice of a rule. The n-th throw of a rule always ends the same
// way for the same seed, so the number of faults among n trials does not depend
// on how connections interleave.
func (s *ruleset) roll(l *liveRule) bool {
	if l.Percent >= 100 {
		return true
	}
	n := l.trials.Add(1)
	const unit = 1.0 / (1 << 53)
	return float64(mix(s.seed, uint64(l.order), n)>>11)*unit < l.Percent/100
}

// mix is the finaliser of splitmix64 over its arguments.
func mix(seed, stream, n uint64) uint64 {
	const golden = 0x9e3779b97f4a7c15
	z := (seed^stream*0xd1342543de82ef95)*golden + n*golden
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// mailbox is an address in lower case, as patterns are.
type mailbox struct{ local, domain string }

func foldMailbox(a address.Address) mailbox {
	return mailbox{strings.ToLower(a.Local), strings.ToLower(a.Domain)}
}

// matchGlob matches s against a pattern in which "*" stands for any run of
// bytes. It takes at most len(pattern)·len(s) steps.
func matchGlob(pattern, s string) bool {
	star, mark, p, i := -1, 0, 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// verdict is what the rules that act at one moment come to: the sum of their
// delays, the first reply, the first way to end the connection.
type verdict struct {
	delay time.Duration
	reply *liveRule
	end   *liveRule
}

func (v *verdict) add(l *liveRule) {
	switch l.Action {
	case ActionDelay:
		v.delay += l.Delay
	case ActionReply:
		if v.reply == nil || l.order < v.reply.order {
			v.reply = l
		}
	default:
		if v.end == nil || l.order < v.end.order {
			v.end = l
		}
	}
}

// accepts reports whether the normal reply, of the given class, is not replaced
// by one of another class.
func (v *verdict) accepts(class int) bool {
	return v.reply == nil || v.reply.Reply.Code/100 == class
}

// addressRule reads the convention by which the local part of a recipient asks
// for a fault: [PHASE-]CODE[-X.Y.Z], [PHASE-]drop, [PHASE-]reset, [PHASE-]stall
// or [PHASE-]delay-DURATION, each with "+anything" behind it. The phase is rcpt,
// data, body or eod, and rcpt if none is given.
func addressRule(local string) *liveRule {
	if len(local) == 0 || strings.IndexByte("45rdbes", local[0]) < 0 {
		return nil
	}
	local, _, _ = strings.Cut(local, "+")
	words := strings.Split(local, "-")
	r := Rule{Pattern: "*", Phase: PhaseRcpt, Percent: 100}
	if p, ok := parsePhase(words[0]); ok && p.hasAddress() && p != PhaseMail {
		r.Phase, words = p, words[1:]
	}
	if len(words) == 0 || !r.parseWords(words[0], words[1:]) || r.check() != nil {
		return nil
	}
	return newLiveRule(r, -1)
}

// parseWords reads the action of an address and its arguments.
func (r *Rule) parseWords(action string, args []string) bool {
	argument := strings.Join(args, "-")
	if i := slices.Index(actionNames, action); i > int(ActionReply) {
		r.Action = Action(i)
		return r.parseArgument(argument) == nil
	}
	r.Action = ActionReply
	if len(args) == 0 {
		argument = ""
	} else if _, ok := smtp.ParseEnhanced(argument); !ok {
		return false
	}
	text := strings.TrimRight(action+" "+argument, " ") + " as the address asks"
	err := r.parseArgument(text)
	return err == nil && r.Reply.Code >= 400
}
