package lookup

import (
	"encoding/hex"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// recordOf shows a record to scripts (spec hsl-stdlib.md 5.1).
func recordOf(r dns.Record) network.Record {
	out := network.Record{TTL: r.TTL, Text: r.Data.String()}
	switch d := r.Data.(type) {
	case dns.MX:
		out.Text, out.Fields = d.Host, fields("preference", int(d.Preference))
	case dns.SOA:
		out.Text = d.MName
		out.Fields = append(fields("mname", d.MName, "rname", d.RName), fields(
			"serial", int(d.Serial), "refresh", int(d.Refresh), "retry", int(d.Retry), "expire", int(d.Expire), "minimum", int(d.Minimum))...)
	case dns.SRV:
		out.Text = d.Target
		out.Fields = fields("priority", int(d.Priority), "weight", int(d.Weight), "port", int(d.Port), "target", d.Target)
	case dns.TLSA:
		out.Fields = fields("usage", int(d.Usage), "selector", int(d.Selector), "mtype", int(d.MatchingType), "data", hex.EncodeToString(d.Data))
	case dns.CAA:
		out.Fields = fields("flags", int(d.Flags), "tag", d.Tag, "value", d.Value)
	}
	return out
}

// fields makes fields of pairs of name and text or number.
func fields(pairs ...any) (all []network.Field) {
	for i := 0; i < len(pairs); i += 2 {
		f := network.Field{Name: pairs[i].(string)}
		switch v := pairs[i+1].(type) {
		case int:
			f.Value = value.Int(v)
		case string:
			f.Value = value.String(v)
		}
		all = append(all, f)
	}
	return all
}
