package sink

import (
	"net"
	"strings"
	"sync"
	"time"
)

// patience is the limits of a sink at work: what each source address has used up
// of them. It is safe for concurrent use.
type patience struct {
	limits []*liveLimit

	mu   sync.Mutex
	used map[used]*usage
}

// liveLimit is a Limit with the rule that acts.
type liveLimit struct {
	Limit
	local, domain string
	acts          *liveRule
}

// used names what a source address has used up: of a limit, and with greylisting
// of one sender and recipient.
type used struct {
	limit *liveLimit
	ip    string
	pair  string
}

// usage is a window that has begun.
type usage struct {
	began   time.Time
	count   int
	serial  uint64    // of the connection that was counted last
	blocked time.Time // until then
}

// maxUsages bounds memory: peers choose addresses. Above it all are forgotten.
const maxUsages = 100_000

func newPatience(limits []Limit, order int) *patience {
	p := &patience{used: map[used]*usage{}}
	for i, l := range limits {
		rule := newLiveRule(l.rule, order+i)
		p.limits = append(p.limits, &liveLimit{Limit: l, local: rule.local, domain: rule.domain, acts: rule})
	}
	return p
}

// visit is a recipient that somebody wants to reach.
type visit struct {
	ip     string
	serial uint64 // of the connection
	sender string
	to     mailbox
}

func (c *conn) visit(to mailbox) visit {
	ip, _, err := net.SplitHostPort(c.nc.RemoteAddr().String())
	if err != nil {
		ip = "" // no network: all are one
	}
	return visit{ip: ip, serial: c.serial, sender: strings.ToLower(c.tx.mail.From.String()), to: to}
}

// judge counts a visit and adds what the limits that it passes want.
func (p *patience) judge(v *verdict, who visit, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.limits {
		if matchGlob(l.domain, who.to.domain) && matchGlob(l.local, who.to.local) && l.passed(p.usageLocked(l, who), who, now) {
			v.add(l.acts)
		}
	}
}

func (p *patience) usageLocked(l *liveLimit, who visit) *usage {
	key := used{limit: l, ip: who.ip}
	if l.Kind == LimitGreylist {
		key.pair = who.sender + " " + who.to.local + "@" + who.to.domain
	}
	u := p.used[key]
	if u == nil {
		if len(p.used) >= maxUsages {
			clear(p.used)
		}
		u = &usage{}
		p.used[key] = u
	}
	return u
}

// passed counts a visit and reports whether it is one too many.
func (l *liveLimit) passed(u *usage, who visit, now time.Time) bool {
	if l.Kind == LimitGreylist {
		if u.began.IsZero() {
			u.began = now
		}
		return now.Before(u.began.Add(l.Time))
	}
	if now.Before(u.blocked) {
		return true
	}
	if u.began.IsZero() || !now.Before(u.began.Add(l.Window)) {
		*u = usage{began: now}
	}
	if l.Kind != LimitConnections || u.serial != who.serial {
		u.count, u.serial = u.count+1, who.serial
	}
	if u.count <= l.Count {
		return false
	}
	if l.Kind == LimitBlock {
		*u = usage{blocked: now.Add(l.Time)}
	}
	return true
}
