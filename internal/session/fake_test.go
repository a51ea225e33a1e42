package session

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// memory is a Queue that keeps what it is given.
type memory struct {
	mu       sync.Mutex
	messages []kept
	open     int   // bodies not discarded
	addErr   error // of Add
	writeErr error // of Body.Write, after failAt bytes
	failAt   int
}

type kept struct {
	*envelope.Message
	body []byte
}

func (q *memory) Body() Body {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open++
	return &bodyBuffer{queue: q}
}

func (q *memory) Add(_ context.Context, m *envelope.Message, b Body) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.addErr != nil {
		return fmt.Errorf("queue: %w", q.addErr)
	}
	q.messages = append(q.messages, kept{m, bytes.Clone(b.(*bodyBuffer).b)})
	return nil
}

type bodyBuffer struct {
	queue *memory
	b     []byte
}

func (b *bodyBuffer) Write(p []byte) (int, error) {
	if b.queue.writeErr != nil && len(b.b)+len(p) > b.queue.failAt {
		return 0, b.queue.writeErr
	}
	b.b = append(b.b, p...)
	return len(p), nil
}

func (b *bodyBuffer) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(b.b).ReadAt(p, off)
}

func (b *bodyBuffer) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b.b)
	return int64(n), err
}

func (b *bodyBuffer) Size() int64 { return int64(len(b.b)) }

func (b *bodyBuffer) Discard() {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	if b.queue.open--; b.queue.open < 0 {
		panic("body discarded twice")
	}
}

// String describes a queued message on one line.
func (k kept) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "body=%s size=%d subject=%q", k.Body, len(k.body), k.Subject)
	if k.SMTPUTF8 {
		b.WriteString(" smtputf8")
	}
	if k.RequireTLS {
		b.WriteString(" requiretls")
	}
	if k.Ret != 0 || k.EnvID != "" {
		fmt.Fprintf(&b, " ret=%s envid=%q", k.Ret, k.EnvID)
	}
	fmt.Fprintf(&b, " client=%s ptr=%q helo=%q tls=%q user=%q", k.Client.IP, k.Client.PTR, k.Client.Helo, k.Client.TLS, k.Client.Username)
	for _, r := range k.Recipients {
		fmt.Fprintf(&b, " | %d %s > %s by %s", r.Number, r.Sender.Path(), r.Address.Path(), r.Transport)
		if r.Notify != 0 || r.ORcpt != "" {
			fmt.Fprintf(&b, " notify=%s orcpt=%q", r.Notify, r.ORcpt)
		}
	}
	return b.String()
}

// rules are hooks that are written down in a transcript.
type rules struct {
	rules []rule
	saw   []string // what the hooks were told
}

type rule struct {
	phase   Phase
	subject string // glob
	verdict Verdict
	option  map[string]string
}

// parseRule reads "PHASE SUBJECT ACTION [CODE] [ENHANCED] [KEY=VALUE...] [TEXT...]".
func parseRule(s string) rule {
	words := strings.Fields(s)
	r := rule{phase: phaseNamed(words[0]), subject: words[1], option: map[string]string{}}
	r.verdict.Action = map[string]Action{"accept": Accept, "pass": Pass, "reject": Reject, "defer": Defer, "reply": Reply}[words[2]]
	for i, w := range words[3:] {
		key, value, isOption := strings.Cut(w, "=")
		if code, err := strconv.Atoi(w); err == nil {
			r.verdict.Reply.Code = code
		} else if e, ok := smtp.ParseEnhanced(w); ok {
			r.verdict.Reply.Enhanced = e
		} else if w == "disconnect" {
			r.verdict.Disconnect = true
		} else if isOption {
			r.option[key] = value
		} else {
			r.verdict.Reply.Lines = strings.Split(strings.Join(words[3+i:], " "), "|")
			break
		}
	}
	return r
}

func phaseNamed(name string) Phase {
	for p := PhaseConnect; p <= PhaseDisconnect; p++ {
		if p.String() == name {
			return p
		}
	}
	panic("no phase " + name)
}

func (h *rules) decide(p Phase, subject string) rule {
	h.saw = append(h.saw, p.String()+" "+subject)
	for _, r := range h.rules {
		if ok, _ := path.Match(r.subject, strings.ReplaceAll(subject, " ", "_")); r.phase == p && ok {
			return r
		}
	}
	return rule{verdict: Verdict{Action: map[Phase]Action{PhaseAuth: Reject}[p]}}
}

func (h *rules) Phases() Phases {
	var set Phases
	for _, r := range h.rules {
		set |= PhaseSet(r.phase)
	}
	return set
}

func (h *rules) Connect(_ context.Context, c *Connection) ConnectVerdict {
	r := h.decide(PhaseConnect, fmt.Sprintf("%s ptr=%s early=%t proxy=%s tlvs=%d", c.Remote.Addr(), c.PTR.Name, c.Early, c.Proxy, len(c.TLVs)))
	v := ConnectVerdict{Verdict: r.verdict, RemotePTR: r.option["ptr"]}
	if ip := r.option["ip"]; ip != "" {
		v.RemoteIP = parseAddr(ip)
	}
	return v
}

func (h *rules) Proxy(_ context.Context, _ *Connection, t *Transaction, line string) ProxyVerdict {
	r := h.decide(PhaseProxy, fmt.Sprintf("%s transaction=%t", line, t != nil))
	return ProxyVerdict{Verdict: r.verdict, Command: strings.ReplaceAll(r.option["command"], "_", " "), Next: r.option["next"] != ""}
}

func (h *rules) Helo(_ context.Context, c *Connection, extensions []string) HeloVerdict {
	r := h.decide(PhaseHelo, c.Helo.Verb+" "+c.Helo.Host)
	v := HeloVerdict{Verdict: r.verdict, Host: r.option["host"]}
	if list, ok := r.option["extensions"]; ok {
		v.Extensions = strings.Split(strings.ReplaceAll(list, "_", " "), ",")
	}
	if more, ok := r.option["add"]; ok {
		v.Extensions = append(extensions, more)
	}
	return v
}

func (h *rules) Auth(_ context.Context, _ *Connection, a *Authentication) AuthVerdict {
	subject := fmt.Sprintf("%s %s %s %s %d %s", a.Mechanism, a.Identity, a.Username, a.Password, a.State, a.Response)
	r := h.decide(PhaseAuth, subject)
	return AuthVerdict{Verdict: r.verdict, Username: r.option["username"]}
}

func (h *rules) MailFrom(_ context.Context, _ *Connection, t *Transaction) MailVerdict {
	r := h.decide(PhaseMailFrom, t.Sender.Path()+string(t.Params.Append(nil)))
	v := MailVerdict{Verdict: r.verdict}
	if sender, ok := r.option["sender"]; ok {
		v.Sender = parseAddress(sender)
	}
	return v
}

func (h *rules) RcptTo(_ context.Context, _ *Connection, t *Transaction, to *Recipient) RcptVerdict {
	r := h.decide(PhaseRcptTo, fmt.Sprintf("%s%s %d", to.Address.Path(), to.Params.Append(nil), len(t.Recipients)))
	v := RcptVerdict{Verdict: r.verdict, Transport: r.option["transport"]}
	if recipient, ok := r.option["recipient"]; ok {
		v.Recipient = parseAddress(recipient)
	}
	return v
}

func (h *rules) EndOfData(ctx context.Context, c *Connection, t *Transaction, m *Mail) Verdict {
	r := h.decide(PhaseEndOfData, m.Summary.Subject)
	if copies, _ := strconv.Atoi(r.option["copies"]); r.option["copies"] != "" {
		for range copies {
			Relay{}.EndOfData(ctx, c, t, m)
		}
		return r.verdict
	}
	Relay{}.EndOfData(ctx, c, t, m)
	return r.verdict
}

func (h *rules) Disconnect(_ context.Context, _ *Connection, c Closing) {
	h.decide(PhaseDisconnect, fmt.Sprintf("local=%t reply=%d state=%s tls=%t err=%v", c.Local, c.Reply.Code, c.State, c.TLS, c.Err))
}

func parseAddress(s string) *address.Address {
	a, err := address.Parse(s)
	if err != nil {
		panic(err)
	}
	return &a
}
