package source

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

var (
	// errProtocol says that what came is no reply, or none that fits.
	errProtocol = errors.New("malformed or unexpected reply")
	// errClosing says that the server answered 421 and closes the connection.
	errClosing = errors.New("server closes the connection")
)

// client is one connection to the server. Only its session uses it.
type client struct {
	options    *Options
	nc         net.Conn
	in         *smtp.Reader
	out        []byte // commands to send
	pieces     [3][]byte
	vector     net.Buffers // of pieces; writing eats it up
	deadline   time.Time
	extensions smtp.Extensions
	pipelining bool
	chunking   bool
	eightBit   bool
	text       []byte // the last line of the last refusal, with its code
	carried    int    // transactions that this connection has come through
	unhook     func() bool
}

// connect makes a connection that is ready for mail. It is cut off when ctx ends.
func connect(ctx context.Context, o *Options) (*client, error) {
	dial, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	nc, err := o.Dial(dial)
	if err != nil {
		return nil, err
	}
	c := &client{options: o}
	c.use(nc)
	c.unhook = context.AfterFunc(ctx, func() { nc.Close() })
	if err := c.prepare(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// use makes nc the connection to speak over.
func (c *client) use(nc net.Conn) {
	c.nc = nc
	c.in = smtp.NewReader(nc)
}

func (c *client) close() {
	c.unhook()
	c.nc.Close()
	c.in.Release()
}

// prepare goes from the first byte to where MAIL can be said.
func (c *client) prepare() error {
	if c.options.Implicit {
		c.use(tls.Client(c.nc, c.options.TLS))
	}
	c.extend()
	if _, err := c.expect("greeting", 2); err != nil {
		return err
	}
	if err := c.hello(); err != nil {
		return err
	}
	if c.options.TLS != nil && !c.options.Implicit {
		if err := c.startTLS(); err != nil {
			return err
		}
	}
	if c.options.Username != "" {
		return c.authenticate()
	}
	return nil
}

func (c *client) hello() error {
	verb := "EHLO"
	if c.options.LMTP {
		verb = "LHLO"
	}
	reply, err := c.ask(verb + " " + c.options.Helo)
	if err != nil {
		return err
	}
	if reply.Permanent() && !c.options.LMTP { // RFC 5321 §3.2
		c.extensions = nil
		_, err := c.must("HELO "+c.options.Helo, 2)
		return err
	}
	if !reply.Positive() {
		return fmt.Errorf("%s: %s", verb, reply)
	}
	c.extensions = smtp.ParseExtensions(reply.Lines)
	c.pipelining = c.extensions.Has("PIPELINING") && !c.options.Lockstep
	c.chunking = c.extensions.Has("CHUNKING") && c.options.Chunking
	c.eightBit = c.extensions.Has("8BITMIME")
	return nil
}

func (c *client) startTLS() error {
	if !c.extensions.Has("STARTTLS") {
		return errors.New("STARTTLS is not offered")
	}
	if _, err := c.must("STARTTLS", 2); err != nil {
		return err
	}
	if c.in.Buffered() > 0 {
		return fmt.Errorf("STARTTLS: %w: more than the reply came in the clear", errProtocol)
	}
	c.use(tls.Client(c.nc, c.options.TLS))
	return c.hello()
}

func (c *client) authenticate() error {
	var mechanism sasl.Client = sasl.NewPlainClient("", c.options.Username, c.options.Password)
	offered := strings.Fields(strings.ToUpper(c.extensions["AUTH"]))
	if !slices.Contains(offered, sasl.Plain) && slices.Contains(offered, sasl.Login) {
		mechanism = sasl.NewLoginClient(c.options.Username, c.options.Password)
	}
	name, initial, err := mechanism.Start()
	if err != nil {
		return err
	}
	command := "AUTH " + name
	if initial != nil {
		command += " " + base64.StdEncoding.EncodeToString(initial)
	}
	reply, err := c.ask(command)
	for err == nil && reply.Intermediate() {
		reply, err = c.respond(mechanism, reply)
	}
	if err == nil && !reply.Positive() {
		err = fmt.Errorf("AUTH: %s", reply)
	}
	return err
}

// respond answers one challenge.
func (c *client) respond(mechanism sasl.Client, reply smtp.Reply) (smtp.Reply, error) {
	challenge, err := smtp.DecodeResponse(reply.Text())
	if err != nil {
		return reply, fmt.Errorf("AUTH: %w", err)
	}
	response, err := mechanism.Next(challenge)
	if err != nil {
		return reply, fmt.Errorf("AUTH: %w", err)
	}
	return c.ask(base64.StdEncoding.EncodeToString(response))
}

// ask sends one command and returns its reply.
func (c *client) ask(command string) (smtp.Reply, error) {
	c.out = append(append(c.out, command...), "\r\n"...)
	if err := c.flush(); err != nil {
		return smtp.Reply{}, err
	}
	return smtp.ReadReply(c.in)
}

// must is ask for a reply of the class that is wanted.
func (c *client) must(command string, class int) (smtp.Reply, error) {
	c.out = append(append(c.out, command...), "\r\n"...)
	if err := c.flush(); err != nil {
		return smtp.Reply{}, err
	}
	verb, _, _ := strings.Cut(command, " ")
	return c.expect(verb, class)
}

func (c *client) expect(what string, class int) (smtp.Reply, error) {
	reply, err := smtp.ReadReply(c.in)
	if err == nil && reply.Code/100 != class {
		err = errors.New(reply.String())
	}
	if err != nil {
		return reply, fmt.Errorf("%s: %w", what, err)
	}
	return reply, nil
}

// extend moves the deadline, once in a while only: setting one costs more than
// looking at the clock.
func (c *client) extend() {
	timeout, now := c.options.Timeout, time.Now()
	if c.deadline.Sub(now) < timeout-timeout/8 {
		c.deadline = now.Add(timeout)
		_ = c.nc.SetDeadline(c.deadline) // fails on a closed connection, as the next write will
	}
}

// flush sends the commands, and behind them the pieces of a body.
func (c *client) flush(body ...[]byte) error {
	c.extend()
	n := 0
	if len(c.out) > 0 {
		c.pieces[0], n = c.out, 1
	}
	n += copy(c.pieces[n:], body)
	c.vector = c.pieces[:n]
	_, err := c.vector.WriteTo(c.nc)
	c.out = c.out[:0]
	return err
}

// reply reads one reply and returns its code. Of a refusal, the last line stays
// in text until the next. With 421 the error is errClosing (RFC 5321 §3.8).
func (c *client) reply() (code int, err error) {
	for {
		line, err := c.in.ReadLine(smtp.MaxReply)
		if err != nil && !errors.Is(err, smtp.ErrBareLF) {
			return 0, err
		}
		if len(line) < 3 {
			return 0, errProtocol
		}
		code, err = strconv.Atoi(string(line[:3]))
		if err != nil || code < 200 || code > 599 {
			return 0, errProtocol
		}
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		if code >= 400 {
			c.text = append(c.text[:0], line...)
		}
		if code == 421 {
			return code, errClosing
		}
		return code, nil
	}
}

// quit says farewell, if the server still listens.
func (c *client) quit() {
	_, _ = c.ask("QUIT") // whatever the answer, the connection is over
	c.close()
}
