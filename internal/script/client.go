package script

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// Courier carries out what scripts send by themselves. *delivery.Courier is one.
type Courier interface {
	Send(context.Context, *delivery.Attempt) delivery.Outcome
	Probe(ctx context.Context, a *delivery.Attempt, until delivery.Stage) delivery.Outcome
}

// Client is the SMTP client that scripts steer, outside of any queue: send() of
// messages, smtp_lookup_rcpt and smtp_lookup_auth (spec hsl-stdlib.md 13). It is
// safe for concurrent use.
type Client struct {
	courier Courier
	ways    ways
}

var _ mail.Sender = (*Client)(nil)

// NewClient returns a client. Without resources, nil, scripts can refer to
// nothing by id.
func NewClient(c Courier, r Resources) *Client { return &Client{courier: c, ways: ways{r}} }

// Library returns base with the functions of the client.
func (l *Client) Library(base *value.Library) *value.Library {
	return value.NewLibrary(base, value.Declarations{Builtins: l.Builtins()})
}

// serverOptions are those of a server that a script names itself.
var serverOptions = append([]value.Option{
	{Name: "host", Type: value.StringType, Doc: "host, address, lookup-mx or lookup-mx:DOMAIN"},
	{Name: "server", Type: value.StringType, Doc: "the same"},
	{Name: "sourceip", Type: value.StringType | value.ArrayType, Doc: "address to leave from, or a list"},
	{Name: "sourceipid", Type: value.StringType, Doc: "id of a configured address to leave from"},
	{Name: "tls_capture_peer_cert", Type: value.BooleanType, Default: value.False, Doc: "return the certificate of the host in tls"},
}, wayOptions...)

// unconfigured is what the servers of scripts are laid over.
var unconfigured = &delivery.Transport{ID: "script", TLS: delivery.TLS{Mode: delivery.TLSDisabled}}

// attempt begins an attempt at a server: the id of a transport, or options.
func (l *Client) attempt(c *value.Call, server value.Value) (a *delivery.Attempt, o value.Options, err error) {
	a = &delivery.Attempt{Number: 1, Transport: unconfigured}
	if id, err := envelope.ParseID(c.Transaction); err == nil {
		a.ID = id
	} else {
		a.ID = envelope.NewID() // the seed of the order of hosts
	}
	if !server.IsArray() {
		a.Transport, err = l.transport(server.Text())
		return a, o, err
	}
	if o, err = value.CheckOptions(c.Builtin.Name, serverOptions, server.Array()); err != nil {
		return nil, o, err
	}
	way := *unconfigured
	if _, err := l.ways.apply(&way, serverOptions, o); err != nil {
		return nil, o, value.Errorf("%s: %v", c.Builtin.Name, err)
	}
	a.Override = &way
	return a, o, nil
}

func (l *Client) transport(id string) (*delivery.Transport, error) {
	if l.ways.resources != nil {
		if t, ok := l.ways.resources.Transport(id); ok {
			return t, nil
		}
	}
	return nil, value.Errorf("there is no transport %q", id)
}

// Send delivers a message at once. The server is the id of a transport or an
// array of options; the addresses may be arrays with params. All recipients are
// in one transaction, which ends with the first that is refused, so that the
// message goes to all or none; only LMTP can tell them apart afterwards. The
// result is an array of result or error, connection and duration. The error is
// an exception for what cannot be tried, or what ends the script.
func (l *Client) Send(c *value.Call, m mail.Content, sender value.Value, recipients *value.Array, server value.Value) (value.Value, error) {
	a, o, err := l.attempt(c, server)
	if err == nil {
		err = addressed(a, sender, recipients)
	}
	if err == nil && a.Override != nil && len(a.Override.Servers) == 0 {
		err = value.Errorf("the server has no host")
	}
	if err != nil {
		return value.None, value.Errorf("%s: %v", c.Builtin.Name, err)
	}
	a.Size = m.Size()
	if a.Body == envelope.Body7Bit {
		a.Body = bodyOf(m)
	}
	a.Content = func() (delivery.Content, error) { return finished{m}, nil }
	out := l.courier.Send(c.Context(), a)
	if err := ended(c); err != nil {
		return value.None, err
	}
	return sentValue(&out, captures(o)), nil
}

// captures reports whether the script wants to see the certificate of the host.
func captures(o value.Options) bool {
	return o.Has("tls_capture_peer_cert") && o.Bool("tls_capture_peer_cert")
}

func addressed(a *delivery.Attempt, sender value.Value, recipients *value.Array) error {
	if err := setSender(a, sender); err != nil {
		return err
	}
	first := true
	for v := range recipients.Values() {
		if first {
			first = false
			if err := setRecipient(a, v); err != nil {
				return err
			}
			continue
		}
		r, err := recipientOf(v)
		if err != nil {
			return err
		}
		a.More = append(a.More, r)
	}
	if first {
		return value.Errorf("there are no recipients")
	}
	return nil
}

// ended returns what ends the script, if anything has.
func ended(c *value.Call) error {
	if c.Context().Err() == nil {
		return nil
	}
	return c.Interrupted(context.Cause(c.Context()))
}

// finished is the bytes of a message as the courier reads them.
type finished struct{ mail.Content }

func (finished) Close() error { return nil }

// errEnough ends a writing from which all that was wanted has been taken.
var errEnough = errors.New("script: enough was written")

// ReadAt implements io.ReaderAt by writing all that comes before. Only the last
// bytes of a message are read so, and the header of one that is marked SMTPUTF8.
func (f finished) ReadAt(p []byte, off int64) (int, error) {
	if at, ok := f.Content.(io.ReaderAt); ok {
		return at.ReadAt(p, off)
	}
	w := &section{into: p, skip: off}
	if _, err := f.WriteTo(w); err != nil && !errors.Is(err, errEnough) {
		return w.n, err
	}
	if w.n < len(p) {
		return w.n, io.EOF
	}
	return w.n, nil
}

// section keeps a part of what is written.
type section struct {
	into []byte
	skip int64
	n    int
}

func (s *section) Write(p []byte) (int, error) {
	all := len(p)
	if skipped := min(s.skip, int64(len(p))); skipped > 0 {
		p, s.skip = p[skipped:], s.skip-skipped
	}
	s.n += copy(s.into[s.n:], p)
	if s.n == len(s.into) {
		return all, errEnough
	}
	return all, nil
}

// bodyOf says what a message needs of those who pass it on (RFC 6152).
func bodyOf(m mail.Content) envelope.Body {
	var s survey
	if _, err := m.WriteTo(&s); errors.Is(err, errEnough) {
		return envelope.Body8BitMIME
	}
	return envelope.Body7Bit // an error comes again when it is sent
}

// survey looks for bytes beyond ASCII.
type survey struct{}

func (*survey) Write(p []byte) (int, error) {
	for i, b := range p {
		if b >= 0x80 {
			return i, errEnough
		}
	}
	return len(p), nil
}

// sentValue is the result of send().
func sentValue(out *delivery.Outcome, capture bool) value.Value {
	result, failure := value.Undefined, value.Undefined
	if out.FromPeer {
		result = resultValue(out)
	} else {
		text := value.String(failureText(out))
		failure = record("temporary", value.Boolean(out.Status == delivery.Deferred), "message", text, "reason", text)
	}
	return record("result", result, "error", failure, "connection", clientConnection(out, capture),
		"duration", value.Number(out.Duration.Round(time.Microsecond).Seconds()))
}

// clientConnection is the connection of a result; absent when none was made.
func clientConnection(out *delivery.Outcome, capture bool) value.Value {
	c := &out.Connection
	if c.ID == 0 {
		return value.Undefined
	}
	return record("localip", ip(c.LocalIP), "remoteip", ip(c.RemoteIP), "remotemx", value.String(c.RemoteMX), "tls", clientTLS(&c.TLS, capture))
}

func clientTLS(t *delivery.TLSInfo, capture bool) value.Value {
	if !t.Started {
		return record("started", value.False)
	}
	cert := value.Undefined
	if capture {
		cert = peerCertificate(t)
	}
	return record("started", value.True, "protocol", value.String(t.Protocol), "cipher", value.String(t.Cipher),
		"keysize", number(t.KeySize), "peercert", cert)
}
