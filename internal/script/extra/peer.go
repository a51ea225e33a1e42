package extra

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/handshake"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// peer is a service that a module speaks with, on a socket of this host when it has
// a path.
type peer struct {
	path    string
	address string
	port    int
	timeout time.Duration // for the whole conversation
	tls     *value.Array  // options of TLS; nil without it
}

// span converts a number of seconds of a script, within a century.
func span(n float64) time.Duration {
	return time.Duration(max(min(n, 3e9), 0) * float64(time.Second))
}

// target is where the peer listens, in the terms of package net.
func (p peer) target() (network, address string) {
	if p.path != "" {
		return "unix", p.path
	}
	return "tcp", net.JoinHostPort(p.address, strconv.Itoa(p.port))
}

// dial connects. The connection ends with the timeout, and with the script.
func (p peer) dial(ctx context.Context) (net.Conn, error) {
	d := &net.Dialer{Timeout: p.timeout}
	network, address := p.target()
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &ending{Conn: conn, stop: context.AfterFunc(ctx, func() { conn.Close() })}
	if p.timeout > 0 {
		if err := conn.SetDeadline(time.Now().Add(p.timeout)); err != nil {
			c.Close()
			return nil, err
		}
	}
	if p.tls == nil {
		return c, nil
	}
	return p.secure(ctx, c)
}

// ending is a connection that was going to be closed with the script.
type ending struct {
	net.Conn
	stop func() bool
}

func (c *ending) Close() error {
	c.stop()
	return c.Conn.Close()
}

// CloseWrite tells the peer that there is no more.
func (c *ending) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// secure goes on with TLS, by options as TLSSocket takes them.
func (p peer) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	get := func(name string) value.Value {
		v, _ := p.tls.GetString(name)
		return v
	}
	terms := handshake.Terms{
		Protocols: get("tls_protocols").Text(), VerifyChain: get("tls_verify_ca").Truth(), DefaultCA: get("tls_default_ca").Truth(),
		ServerName: get("tls_sni").Str(),
	}
	for name := range get("tls_verify_name").Array().Values() {
		terms.VerifyNames = append(terms.VerifyNames, name.Text())
	}
	config, err := terms.Config()
	if err == nil {
		secure := tls.Client(conn, config)
		if err = secure.HandshakeContext(ctx); err == nil {
			return secure, nil
		}
	}
	conn.Close()
	return nil, err
}

// converse connects, writes what is to be said, and returns all that the peer
// answers, up to a bound.
func (p peer) converse(ctx context.Context, say ...string) (string, error) {
	conn, err := p.dial(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	for _, text := range say {
		if _, err := io.WriteString(conn, text); err != nil {
			return "", err
		}
	}
	answer, err := io.ReadAll(io.LimitReader(conn, mostAnswer))
	return string(answer), err
}

// mostAnswer bounds what a peer may answer.
const mostAnswer = 4 << 20

// content returns all of a File argument.
func content(c *value.Call, i int) (string, error) {
	file := c.Args[i].Object()
	for _, step := range []struct {
		method string
		args   []value.Value
	}{{"seek", []value.Value{value.Int(0)}}, {"read", nil}} {
		method := file.Class.Method(step.method)
		v, err := c.Call(value.FromFunction(&value.Function{Builtin: method.Builtin, This: file}), step.args...)
		if err != nil {
			return "", err
		}
		if step.method == "read" {
			return v.Text(), nil
		}
	}
	return "", nil
}

// failure is an array that says why, unless the script has to end.
func failure(c *value.Call, err error) (value.Value, error) {
	if value.Uncatchable(err) || c.Context().Err() != nil {
		return value.None, c.Interrupted(err)
	}
	return value.FromArray(value.Map("error", value.String(err.Error()))), nil
}
