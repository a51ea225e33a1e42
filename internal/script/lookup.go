package script

import (
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions that ask SMTP servers.
func (l *Client) Builtins() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("smtp_lookup_rcpt(string or array server, string or array sender, string or array recipient, [array options]) number or array",
			"Asks an SMTP server whether it takes a recipient, and sends nothing. The server is the id of a transport or an array of options, by default the mail exchanges of the recipient's domain. "+
				"Returns 1 if the recipient is accepted, 0 if it is refused, and -1 if that cannot be said now.",
			`echo smtp_lookup_rcpt(["host" => "127.0.0.1", "port" => 25], "ann@example.org", "joe@example.net"); // 1`, l.lookupRecipient,
			declare.Option("boolean extended_result = false", "Return an array instead: error_code and error_message, the last reply; on_rcptto, whether it was that to RCPT; tls.")),
		declare.Function("smtp_lookup_auth(string or array server, string username, string password) number",
			"Asks an SMTP server whether it takes a user's password. Returns 1 if it does, 0 if it does not, and -1 if that cannot be said now.",
			`echo smtp_lookup_auth(["host" => "127.0.0.1", "port" => 587], "joe", "secret"); // 1`, l.lookupLogin),
	}
}

func (l *Client) lookupRecipient(c *value.Call) (value.Value, error) {
	a, o, err := l.attempt(c, c.Args[0])
	if err == nil {
		err = setSender(a, c.Args[1])
	}
	if err == nil {
		err = setRecipient(a, c.Args[2])
	}
	if err != nil {
		return value.None, value.Errorf("%s: %v", c.Builtin.Name, err)
	}
	out := l.courier.Probe(c.Context(), a, delivery.StageRcpt)
	if err := ended(c); err != nil {
		return value.None, err
	}
	if c.Options(3).Bool("extended_result") {
		return extendedValue(&out, captures(o)), nil
	}
	return answer(out.Status == delivery.Delivered, out.FromPeer && out.Reply.Permanent()), nil
}

// answer is 1, 0 or -1.
func answer(yes, no bool) value.Value {
	switch {
	case yes:
		return value.Int(1)
	case no:
		return value.Int(0)
	}
	return value.Int(-1)
}

// extendedValue is the result of a look-up with extended_result.
func extendedValue(out *delivery.Outcome, capture bool) value.Value {
	code := value.Undefined
	if out.FromPeer {
		code = number(out.Reply.Code)
	}
	tls := value.Undefined
	if out.Connection.ID != 0 {
		tls = clientTLS(&out.Connection.TLS, capture)
	}
	return record("error_code", code, "error_message", value.String(failureText(out)),
		"on_rcptto", value.Boolean(out.FromPeer && out.Stage == delivery.StageRcpt), "tls", tls)
}

func (l *Client) lookupLogin(c *value.Call) (value.Value, error) {
	a, _, err := l.attempt(c, c.Args[0])
	if err != nil {
		return value.None, value.Errorf("%s: %v", c.Builtin.Name, err)
	}
	way := *unconfigured
	if a.Override == nil {
		way = *a.Transport
	} else {
		way = *a.Override
	}
	if len(way.Servers) == 0 {
		return value.None, value.Errorf("%s: the server has no host", c.Builtin.Name)
	}
	way.Auth = delivery.Auth{Username: c.Str(1), Password: c.Str(2)}
	a.Override = &way
	if way.Auth.Username == "" {
		return value.Int(0), nil // nobody is called that
	}
	out := l.courier.Probe(c.Context(), a, delivery.StageAuth)
	if err := ended(c); err != nil {
		return value.None, err
	}
	return answer(out.Status == delivery.Delivered, out.FromPeer && out.Stage >= delivery.StageAuthCRAMMD5 && out.Stage <= delivery.StageAuth && out.Reply.Permanent()), nil
}
