package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// begin makes a connection to a directory of one to a host.
func (k *connection) begin(ctx context.Context, u *url.URL, wire net.Conn) error {
	k.host = u.Hostname()
	if u.Scheme == "ldaps" {
		config, err := k.terms(k.host).Config()
		if err != nil {
			return err
		}
		secure := tls.Client(wire, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		wire = secure
	}
	k.net, k.conn = wire, ldap.NewConn(wire, u.Scheme == "ldaps")
	k.conn.SetTimeout(k.seconds("timeout"))
	k.conn.Start()
	return nil
}

func startTLS(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*connection)
	ok, err := k.do(c, func() error {
		config, err := k.terms(k.host).Config()
		if err != nil {
			return err
		}
		return k.conn.StartTLS(config)
	})
	return done(c, ok, err)
}

func setOption(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*connection)
	k.mu.Lock()
	defer k.mu.Unlock()
	name, v := c.Str(0), c.Args[1]
	old, known := k.options[name]
	switch {
	case !known,
		name == "protocol_version" && v.ToNumber() != 3,
		name == "referrals" && v.Truth(), // nobody follows them
		strings.Contains(name, "time") && !(v.ToNumber() >= 0):
		k.errno = parameterError
		return value.None, nil
	}
	k.options[name] = value.Number(v.ToNumber())
	if old.IsBoolean() {
		k.options[name] = value.Boolean(v.Truth())
	}
	if k.conn != nil {
		k.conn.SetTimeout(k.seconds("timeout"))
	}
	k.errno = 0
	return value.FromObject(c.This), nil
}

func getOption(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*connection)
	k.mu.Lock()
	defer k.mu.Unlock()
	if c.Str(0) == "diagnostic_message" {
		return value.String(k.diagnostic), nil
	}
	return k.options[c.Str(0)], nil
}

// The numbers of errors that the library of C has for what goes wrong on this
// side.
const (
	serverDown     = -1
	localError     = -2
	timeoutError   = -5
	filterError    = -7
	parameterError = -9
)

var localErrors = map[int]string{
	serverDown: "Can't contact LDAP server", localError: "Local error", timeoutError: "Timed out",
	filterError: "Bad search filter", parameterError: "Bad parameter to an ldap routine",
}

// errorNumber is the result code of the server, or a negative number for what
// went wrong on this side.
func errorNumber(err error) int {
	var e *ldap.Error
	var timeout net.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &timeout) && timeout.Timeout():
		return timeoutError
	case !errors.As(err, &e):
		return localError
	case e.ResultCode == ldap.ErrorNetwork:
		if strings.Contains(e.Error(), "timed out") {
			return timeoutError
		}
		return serverDown
	case e.ResultCode == ldap.ErrorFilterCompile:
		return filterError
	case e.ResultCode >= ldap.ErrorNetwork:
		return localError
	}
	return int(e.ResultCode)
}

func errorText(c *value.Call) (value.Value, error) {
	n := c.Int(0)
	if text, ok := localErrors[n]; ok {
		return value.String(text), nil
	}
	if text, ok := ldap.LDAPResultCodeMap[uint16(n)]; ok && n >= 0 && n < ldap.ErrorNetwork {
		return value.String(text), nil
	}
	return value.String("Unknown error"), nil
}

func parseDN(c *value.Call) (value.Value, error) {
	if err := c.Step(len(c.Str(0))); err != nil {
		return value.None, err
	}
	dn, err := ldap.ParseDN(c.Str(0))
	if err != nil {
		return value.None, nil // none says so
	}
	list := value.NewArray(len(dn.RDNs))
	for _, rdn := range dn.RDNs {
		for _, part := range rdn.Attributes {
			list.Push(value.FromArray(value.List(value.String(part.Type), value.String(part.Value))))
		}
	}
	return declare.Array(c, list)
}

func formatDN(c *value.Call) (value.Value, error) {
	var parts []string
	for pair := range c.Array(0).Values() {
		name, ok1 := pair.Array().At(0)
		v, ok2 := pair.Array().At(1)
		if !ok1 || !ok2 {
			return value.None, declare.Unwanted(c, 0, "a list of pairs of name and value")
		}
		parts = append(parts, name.Text()+"="+ldap.EscapeDN(v.Text()))
	}
	return declare.Text(c, strings.Join(parts, ","))
}
