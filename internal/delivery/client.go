package delivery

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// client is one connection to a host and the conversation on it. One goroutine
// uses it at a time.
type client struct {
	route
	courier *Courier
	conn    net.Conn // the TLS layer once there is one
	raw     net.Conn // beneath it
	in      *smtp.Reader
	out     []byte // commands not yet written
	ext     smtp.Extensions
	limit   int // transactions that the host allows (RFC 9422 §4.1); zero: does not say
	info    Connection

	broken    bool // nothing more can be said on it
	quitting  bool // QUIT has been sent
	fallBack  bool // TLS failed, and a new connection may do without
	stale     bool // the peer had left before the last transaction
	authentic bool // its certificate is good and names the host

	by *health // the proxy in between; nil: none

	pooled // what the pool knows of it
}

func newClient(c *Courier, conn net.Conn, r route) *client {
	cl := &client{route: r, courier: c, conn: conn, raw: conn, in: smtp.NewReader(conn), info: r.describe()}
	cl.info.ID = c.lastID.Add(1)
	cl.info.Helo = cl.name()
	// Through a proxy the address is the one that the proxy has; ours means nothing
	// to the host.
	if cl.source == nil || cl.proxy() == nil {
		if a, err := netip.ParseAddrPort(conn.LocalAddr().String()); err == nil {
			cl.info.LocalIP = a.Addr().Unmap()
		}
	}
	if p := cl.proxy(); p != nil {
		cl.by = c.proxies.opened(p)
	}
	c.metrics.Concurrent.Inc()
	return cl
}

// name is what we call ourselves. What is set for an address goes before what is
// set for all of a transport's: hosts compare it with the name of the address.
func (c *client) name() string {
	switch {
	case c.source != nil && c.source.Hostname != "":
		return c.source.Hostname
	case c.Helo != "":
		return c.Helo
	}
	return c.courier.settings.Load().Hostname
}

// begin converses up to MAIL.
func (c *client) begin(a *Attempt) *Outcome {
	r, out := c.reply(StageBanner)
	if out != nil {
		return out
	}
	c.info.Greeting = r.Lines
	if !r.Positive() {
		return refusal(StageBanner, r)
	}
	for _, step := range []func(*Attempt) *Outcome{c.hello, c.secure, c.xclient, c.login} {
		if out := step(a); out != nil {
			return out
		}
	}
	return nil
}

// hello says who we are and learns what the host can do.
func (c *client) hello(a *Attempt) *Outcome {
	stage := StageEHLO
	if c.Protocol == LMTP {
		stage = StageLHLO
	}
	r, out := c.ask(stage, stage.String()+" "+c.info.Helo)
	switch {
	case out != nil:
		return out
	case r.Positive():
		c.ext = smtp.ParseExtensions(r.Lines)
		c.limit = mailMax(c.ext["LIMITS"])
		return nil
	case r.Permanent() && stage == StageEHLO && !c.broken && !c.needsTLS(a):
		return c.oldHello()
	}
	return refusal(stage, r)
}

// oldHello greets a host that knows no extensions (RFC 5321 §3.2).
func (c *client) oldHello() *Outcome {
	c.ext, c.limit = nil, 0
	r, out := c.ask(StageHELO, "HELO "+c.info.Helo)
	if out == nil && !r.Positive() {
		out = refusal(StageHELO, r)
	}
	return out
}

// mailMax reads MAILMAX from the LIMITS extension (RFC 9422 §4.1).
func mailMax(limits string) int {
	for _, l := range strings.Fields(limits) {
		if digits, ok := strings.CutPrefix(strings.ToUpper(l), "MAILMAX="); ok {
			n, err := strconv.Atoi(digits)
			if err == nil && n > 0 {
				return n
			}
		}
	}
	return 0
}

var errLineBreak = errors.New("delivery: line break within a command")

// put appends one command to what will be written. That it is a single line is
// checked here, for all commands and whatever their parts come from.
func (c *client) put(stage Stage, command []byte) *Outcome {
	for _, b := range command {
		if b == '\r' || b == '\n' || b == 0 {
			code := codeConfig
			if stage == StageMail || stage == StageRcpt {
				code = codeSyntax // an address no mail can go to
			}
			return verdict(stage, KindConfig, code, stage.String()+" would hold a line break", errLineBreak)
		}
	}
	c.out = append(append(c.out, command...), '\r', '\n')
	return nil
}

// flush writes the commands.
func (c *client) flush(stage Stage) *Outcome {
	err := c.conn.SetWriteDeadline(time.Now().Add(c.timeouts[stage]))
	if err == nil {
		_, err = c.conn.Write(c.out)
	}
	c.out = c.out[:0]
	if err != nil {
		return c.lastWords(stage, err)
	}
	return nil
}

// reply reads one reply. A 421 means that the host hangs up, whenever it comes
// (RFC 5321 §3.8).
func (c *client) reply(stage Stage) (smtp.Reply, *Outcome) {
	err := c.conn.SetReadDeadline(time.Now().Add(c.timeouts[stage]))
	var r smtp.Reply
	if err == nil {
		r, err = smtp.ReadReply(c.in)
	}
	if err != nil {
		c.broken = true
		return r, networkFailure(stage, err)
	}
	if r.Code == 421 {
		c.broken = true
	}
	return r, nil
}

// ask sends one command and reads its reply.
func (c *client) ask(stage Stage, command string) (smtp.Reply, *Outcome) {
	if out := c.put(stage, []byte(command)); out != nil {
		return smtp.Reply{}, out
	}
	if out := c.flush(stage); out != nil {
		return smtp.Reply{}, out
	}
	return c.reply(stage)
}

// lastWait is how long to look for a reply after a write has failed.
const lastWait = time.Second

// lastWords ends a connection on which a write has failed. A host that hangs up
// in the middle often says why first.
func (c *client) lastWords(stage Stage, err error) *Outcome {
	c.broken = true
	if errors.Is(causeOf(err), ErrClosed) && c.conn.SetReadDeadline(time.Now().Add(lastWait)) == nil {
		if r, rerr := smtp.ReadReply(c.in); rerr == nil && (r.Transient() || r.Permanent()) {
			return refusal(stage, r)
		}
	}
	return networkFailure(stage, err)
}

// reusable reports whether another transaction may follow on the connection.
// One on which something unasked has arrived is not to be trusted.
func (c *client) reusable() bool {
	return !c.broken && !c.quitting && !c.last() && c.in.Buffered() == 0
}

// last reports whether the current transaction is the last that the connection
// is for.
func (c *client) last() bool {
	n := c.info.Transactions
	return !c.Pooling.Enabled || c.courier.settings.Load().PoolSize == 0 || n >= c.Pooling.Transactions || c.limit > 0 && n >= c.limit
}

// close says QUIT, unless the connection is past that, waits a moment for the
// answer (RFC 5321 §4.1.1.10) and hangs up.
func (c *client) close() {
	if !c.broken && !c.quitting {
		c.quitting = c.put(StageQUIT, []byte("QUIT")) == nil && c.flush(StageQUIT) == nil
	}
	if !c.broken {
		_, _ = c.reply(StageQUIT)
	}
	c.disconnect()
}

// hangUp says QUIT and does not wait, for connections that idled.
func (c *client) hangUp() {
	if c.put(StageQUIT, []byte("QUIT")) == nil {
		_ = c.flush(StageQUIT)
	}
	c.disconnect()
}

func (c *client) disconnect() {
	if c.broken {
		c.raw.Close()
	} else {
		c.conn.Close() // with TLS, this says so to the peer
	}
	c.in.Release()
	if c.by != nil {
		c.courier.proxies.closed(c.by)
	}
	c.courier.metrics.Concurrent.Dec()
}
