package network

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Resolver asks the DNS. It must be safe for concurrent use.
type Resolver interface {
	// Resolve returns what the DNS says, which includes that there is nothing.
	// The error is for questions to which no answer came.
	Resolve(ctx context.Context, q Question) (Answer, error)
}

// Question is one question of a script.
type Question struct {
	Host    string
	Type    string       // in lower case: a, aaaa, mx, txt, cname, ns, ptr, soa, srv, caa, tlsa or any
	Servers []netip.Addr // to ask instead of those of the system
	Port    uint16       // of Servers; 53 unless the script says otherwise
}

// Answer is what came back.
type Answer struct {
	// Status is empty when there are Records; otherwise NXDOMAIN, NO_DATA when
	// the name has none of the type, or the name of another response code.
	Status  string
	Records []Record
	DNSSEC  bool // the answer was validated
}

// Record is one record of the type that was asked for.
type Record struct {
	TTL time.Duration
	// Text is the address, the name without a dot at its end, or the strings of
	// a text joined.
	Text string
	// Fields are what else records of the type have, in order: preference for
	// mx; mname, rname, serial, refresh, retry, expire and minimum for soa;
	// priority, weight, port and target for srv; usage, selector, mtype and data
	// for tlsa; flags, tag and value for caa.
	Fields []Field
}

// Field is a named part of a record.
type Field struct {
	Name  string
	Value value.Value
}

var queryTypes = []string{"a", "aaaa", "mx", "txt", "cname", "ns", "ptr", "soa", "srv", "caa", "tlsa", "any"}

// Resolving returns dns_query, answered by r.
func Resolving(r Resolver) []*value.Builtin {
	return []*value.Builtin{
		declare.Function("dns_query(string host, [array options]) array",
			"Asks the DNS. Returns an array of result, the list of records, or error, which is NXDOMAIN, NO_DATA (no records of the type), SERVFAIL, "+
				"TRY_AGAIN (no answer) or another code; and dnssec, whether the answer was validated. "+
				"Addresses and names come as text, mail exchanges in the order of preference.",
			`echo dns_query("example.com")["result"]; // [0=>"192.0.2.1"]`,
			func(c *value.Call) (value.Value, error) { return query(c, r) },
			declare.Option(`string type = "a"`, "The type of record: "+strings.Join(queryTypes, ", ")+"."),
			declare.Option("number timeout = 5", "Seconds to wait."),
			declare.Option("array servers", "Addresses of the servers to ask instead of those of the system."),
			declare.Option("number port = 53", "The port of the servers."),
			declare.Option("boolean extended_result = false",
				"Records are arrays of ttl, result (the text) and what else the type has, such as preference.")),
	}
}

func query(c *value.Call, r Resolver) (value.Value, error) {
	q, err := questionOf(c)
	if err != nil {
		return value.None, err
	}
	o := c.Options(1)
	timeout := o.Num("timeout")
	if !(timeout >= 0 && timeout < 1e6) {
		return value.None, declare.UnwantedOption(c, "timeout", "seconds", o.Get("timeout"))
	}
	ctx, cancel := context.WithTimeout(c.Context(), time.Duration(timeout*float64(time.Second)))
	defer cancel()
	answer, err := r.Resolve(ctx, q)
	if err != nil {
		if interrupted := c.Interrupted(err); value.Uncatchable(interrupted) {
			return value.None, interrupted
		}
		answer = Answer{Status: "TRY_AGAIN"}
	}
	result := value.NewArray(0)
	if answer.Status == "" {
		if q.Type == "mx" {
			answer.Records = slices.Clone(answer.Records) // others may see them
			slices.SortStableFunc(answer.Records, byPreference)
		}
		result.SetString("result", records(answer.Records, o.Bool("extended_result")))
	} else {
		result.SetString("error", value.String(answer.Status))
	}
	result.SetString("dnssec", value.Boolean(answer.DNSSEC))
	return value.FromArray(result), c.Alloc(64 * len(answer.Records))
}

// questionOf reads host and options.
func questionOf(c *value.Call) (Question, error) {
	o := c.Options(1)
	q := Question{Host: c.Str(0), Type: strings.ToLower(o.Str("type"))}
	if !slices.Contains(queryTypes, q.Type) {
		return q, declare.UnwantedOption(c, "type", "one of "+strings.Join(queryTypes, ", "), o.Get("type"))
	}
	port := o.Int("port")
	if port < 1 || port > 65535 {
		return q, declare.UnwantedOption(c, "port", "1 to 65535", o.Get("port"))
	}
	q.Port = uint16(port)
	for v := range o.Array("servers").Values() {
		a, ok := parseAddress(v.Text())
		if !ok {
			return q, declare.UnwantedOption(c, "servers", "addresses", v)
		}
		q.Servers = append(q.Servers, a)
	}
	return q, nil
}

func byPreference(a, b Record) int {
	return int(preference(a)) - int(preference(b))
}

func preference(r Record) float64 {
	for _, f := range r.Fields {
		if f.Name == "preference" {
			return f.Value.ToNumber()
		}
	}
	return 0
}

func records(all []Record, extended bool) value.Value {
	list := value.NewArray(len(all))
	for _, r := range all {
		if !extended {
			list.Push(value.String(r.Text))
			continue
		}
		a := value.Map("ttl", value.Number(r.TTL.Seconds()), "result", value.String(r.Text))
		for _, f := range r.Fields {
			a.SetString(f.Name, f.Value)
		}
		list.Push(value.FromArray(a))
	}
	return value.FromArray(list)
}
