package stdlib

import (
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// aliases are names of older versions for functions that take the same
// arguments today.
var aliases = map[string]string{
	"count": "length", "strlen": "length", "strpos": "str_find", "strrpos": "str_rfind", "substr": "str_slice",
	"strtolower": "str_lower", "strtoupper": "str_upper", "trim": "str_strip", "rand": "random_number",
	"in_array": "array_includes", "range": "array_range", "is_subdomain": "domain_includes", "in_network": "inet_includes",
	"GetAddressList": "header_addresslist_extract",
}

// swapped are older functions whose arguments stand in another order: the
// places, in the old call, of the arguments of the new one.
var swapped = []struct {
	signature, name string
	order           []int
}{
	{"explode(string delimiter, string string, [number limit = 0]) array", "str_split", []int{1, 0, 2}},
	{"implode(string separator, array array) string", "array_join", []int{1, 0}},
}

// recordTypes are older functions that asked the DNS, and for what.
var recordTypes = map[string]string{
	"dns": "a", "dns4": "a", "dns6": "aaaa", "dnstxt": "txt", "dnsmx": "mx", "dnsptr": "ptr", "dnscname": "cname", "dnsns": "ns",
}

// legacy returns the older functions that today's can stand in for.
func legacy(today []*value.Builtin) (old []*value.Builtin) {
	named := map[string]*value.Builtin{}
	for _, b := range today {
		named[b.Name] = b
	}
	for name, now := range aliases {
		old = append(old, declare.Alias(name, named[now]))
	}
	for _, s := range swapped {
		old = append(old, reordered(s.signature, named[s.name], s.order))
	}
	if query := named["dns_query"]; query != nil {
		for name, recordType := range recordTypes {
			old = append(old, lookup(name, recordType, query))
		}
		old = append(old, blocklist(query, named["inet_reverse"]))
	}
	return old
}

// reordered returns the builtin that calls another with its arguments in
// another order.
func reordered(signature string, b *value.Builtin, order []int) *value.Builtin {
	old := declare.Function(signature, b.Doc, "", func(c *value.Call) (value.Value, error) {
		args := make([]value.Value, len(order))
		for i, place := range order {
			args[i] = c.Args[place]
		}
		return invoke(c, b, args...)
	})
	old.Deprecated = "Use " + b.Name + ", whose arguments stand in another order."
	return old
}

// invoke calls a builtin on behalf of another.
func invoke(c *value.Call, b *value.Builtin, args ...value.Value) (value.Value, error) {
	inner := value.Call{Thread: c.Thread, Builtin: b}
	if done, err := inner.Bind(args); done || err != nil {
		return value.None, err
	}
	return b.Func(&inner)
}

// lookup returns a function that asks the DNS for records of one type.
func lookup(name, recordType string, query *value.Builtin) *value.Builtin {
	b := declare.Function(name+"(string host) array", "Returns the list of records of type "+recordType+"; empty if there are none.", "",
		func(c *value.Call) (value.Value, error) {
			return ask(c, query, c.Args[0], value.NewArray(0), recordType)
		})
	b.Deprecated = "Use dns_query, which tells why there are none."
	return b
}

// ask returns the list that dns_query gives, empty in place of an error.
func ask(c *value.Call, query *value.Builtin, host value.Value, options *value.Array, recordType string) (value.Value, error) {
	options.SetString("type", value.String(recordType))
	answer, err := invoke(c, query, host, value.FromArray(options))
	if err != nil {
		return value.None, err
	}
	list, ok := answer.Array().GetString("result")
	if !ok {
		list = value.FromArray(value.NewArray(0))
	}
	return list, nil
}

func blocklist(query, reverse *value.Builtin) *value.Builtin {
	b := declare.Function("dnsbl(string ip, string zone, [array resolvers], [number timeout = 5]) array",
		"Returns the addresses that a block list in the DNS has for an address; empty if it has none.", "",
		func(c *value.Call) (value.Value, error) {
			if _, err := netip.ParseAddr(c.Str(0)); err != nil {
				return value.FromArray(value.NewArray(0)), nil // no address is on no list
			}
			name, err := invoke(c, reverse, c.Args[0], c.Args[1])
			if err != nil {
				return value.None, err
			}
			return ask(c, query, name, value.Map("servers", c.Args[2], "timeout", c.Args[3]), "a")
		})
	b.Deprecated = "Use dns_query and inet_reverse."
	return b
}
