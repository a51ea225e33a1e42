package source

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// Options say what a Source sends. To (or Dial), From and Rcpt must be set;
// everything else has a default.
type Options struct {
	To   string                                      // "127.0.0.1:25" or "unix:/path"
	Dial func(ctx context.Context) (net.Conn, error) // in place of dialling To

	Sessions      int           // at once; 1 if zero
	Messages      uint64        // in all; 0: until Duration or the context ends
	Duration      time.Duration // no message starts later; 0: no limit
	PerConnection int           // messages of one connection, then a new one; 0: no limit
	Rate          float64       // messages per second over all sessions; 0: no limit

	From       Pattern  // numbered by message
	Rcpt       Pattern  // numbered by entry, see package sequence
	Recipients int      // of each message; 1 if zero
	Size       int      // bytes of generated messages, about; 10 KB if zero
	Files      []string // files or folders of messages to send in turn, in place of generated ones

	TLS      *tls.Config // nil: clear text
	Implicit bool        // TLS from the first byte, not with STARTTLS
	Username string      // AUTH PLAIN, or LOGIN if that is all there is; empty: none
	Password string
	LMTP     bool
	Helo     string // "localhost" if empty
	Lockstep bool   // waits for each reply even where PIPELINING is offered
	Chunking bool   // sends bodies with BDAT where CHUNKING is offered

	Retry      int           // further tries after a 4xx reply
	RetryDelay time.Duration // before each; 1 second if zero
	Reconnect  time.Duration // how long to try for a new connection when one is lost; 0: the session ends
	Timeout    time.Duration // for each reply and each connection; 5 minutes if zero

	Run   string        // name in the marks; random if empty
	Acked *sequence.Log // gets each acknowledged entry; may be nil
}

func (o Options) withDefaults() (Options, error) {
	setDefault(&o.Sessions, 1)
	setDefault(&o.Recipients, 1)
	setDefault(&o.Size, 10_000)
	setDefault(&o.RetryDelay, time.Second)
	setDefault(&o.Timeout, 5*time.Minute) // RFC 5321 §4.5.3.2
	setDefault(&o.Helo, "localhost")
	if o.Run == "" {
		o.Run = strings.ToLower(rand.Text()[:8])
	}
	if o.Dial == nil {
		o.Dial = dialer(o.To)
	}
	return o, o.check()
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

func (o Options) check() error {
	switch {
	case o.Sessions < 0 || o.PerConnection < 0 || o.Rate < 0 || o.Recipients < 0 || o.Size < 0 || o.Retry < 0:
		return errors.New("source: a count or size is negative")
	case o.Rcpt.local == nil:
		return errors.New("source: no recipient address")
	case o.Recipients > 1 && !o.Rcpt.endsInNumber():
		return fmt.Errorf("source: several recipients need a local part that ends in %%d, not %s", o.Rcpt)
	case !sequence.ValidRun(o.Run):
		return fmt.Errorf("source: bad run name %q: want up to 32 letters, digits, dots, dashes and underscores", o.Run)
	case strings.ContainsFunc(o.Helo, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fmt.Errorf("source: bad HELO name %q", o.Helo)
	case o.Implicit && o.TLS == nil:
		return errors.New("source: implicit TLS without TLS settings")
	}
	return nil
}

func dialer(to string) func(context.Context) (net.Conn, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(to, "unix:"); ok {
		network, to = "unix", path
	}
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, to)
	}
}
