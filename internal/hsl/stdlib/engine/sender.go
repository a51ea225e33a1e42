package engine

import (
	"context"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Sender checks who may send for a domain (RFC 7208).
type Sender interface {
	// CheckHost returns pass, fail, softfail, neutral, none, temperror or
	// permerror, and why.
	CheckHost(ctx context.Context, q SenderQuery) (result, reason string)
}

// SenderQuery is what a script asks of a Sender.
type SenderQuery struct {
	IP     string
	Helo   string
	Sender string        // an address or a domain; "": Helo is checked
	Within time.Duration // 0: as long as a check may take
	// Servers are the resolvers to ask instead of those of the program, at Port.
	Servers []netip.Addr
	Port    uint16
}

func senderBuiltins(s Sender) []*value.Builtin {
	spf := declare.Function("spf_query(string ip, string helo, string sender, [array options]) array",
		"Returns an array of result, whether the host at the address may send for the domain of the sender or, if that is empty, of its HELO (SPF): "+
			"pass, fail, softfail, neutral, none, temperror or permerror; and of reason.",
		`echo spf_query("192.0.2.1", "mx.example.com", "joe@example.com")["result"]; // none`,
		func(c *value.Call) (value.Value, error) {
			result, reason, err := checkHost(c, s)
			return value.FromArray(value.Map("result", value.String(result), "reason", value.String(reason))), err
		}, senderOptions...)
	old := declare.Function("spf(string ip, string helo, string domain, [array options]) string or array",
		"Returns the result of spf_query as a word.", "",
		func(c *value.Call) (value.Value, error) {
			result, _, err := checkHost(c, s)
			if c.Options(3).Bool("extended_result") {
				return value.FromArray(value.Map("result", value.String(result))), err
			}
			return value.String(result), err
		}, append(senderOptions[:len(senderOptions):len(senderOptions)], declare.Option("boolean extended_result = false", "Return an array of result."))...)
	old.Deprecated = "Use spf_query."
	return []*value.Builtin{spf, old}
}

var senderOptions = []value.Option{
	declare.Option("number timeout = 20", "Seconds that all look-ups together may take."),
	declare.Option("array servers", "Addresses of the servers to ask instead of those of the system."),
	declare.Option("number port = 53", "The port of the servers."),
}

func checkHost(c *value.Call, s Sender) (result, reason string, err error) {
	o := c.Options(3)
	q := SenderQuery{IP: c.Str(0), Helo: c.Str(1), Sender: c.Str(2)}
	timeout := o.Num("timeout")
	if !(timeout > 0 && timeout < 1e6) {
		return "", "", declare.UnwantedOption(c, "timeout", "seconds", o.Get("timeout"))
	}
	q.Within = time.Duration(timeout * float64(time.Second))
	port := o.Int("port")
	if port < 1 || port > 65535 {
		return "", "", declare.UnwantedOption(c, "port", "1 to 65535", o.Get("port"))
	}
	q.Port = uint16(port)
	for v := range o.Array("servers").Values() {
		a, err := netip.ParseAddr(v.Text())
		if err != nil || a.Zone() != "" {
			return "", "", declare.UnwantedOption(c, "servers", "addresses", v)
		}
		q.Servers = append(q.Servers, a)
	}
	result, reason = s.CheckHost(c.Context(), q)
	if err := c.Context().Err(); err != nil {
		return "", "", c.Interrupted(err)
	}
	return result, reason, nil
}
