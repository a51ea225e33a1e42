package extra

import (
	"errors"
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/hsl/regex"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/plugin/list"
)

// pattern is a list.Pattern with the regular expressions of scripts.
type pattern struct{ *regex.Pattern }

// Match implements list.Pattern. Bytes that are no characters match nothing.
func (p pattern) Match(text string) (bool, error) {
	ok, err := p.Pattern.Match(nil, text)
	if errors.Is(err, regex.ErrUTF8) {
		return false, nil
	}
	return ok, err
}

func compileCaseless(text string) (list.Pattern, error) {
	p, err := regex.Compile(text, regex.Caseless)
	return pattern{p}, err
}

func suppressionLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("suppression_list(string id, string email) boolean or none",
			"Returns whether an address is on a list of the plug-in suppression-list: itself, its domain, its local part, or by a regular "+
				"expression. Returns none if there is no such list.",
			`echo suppression_list("no such list", "joe@example.com") ?? "no list"; // no list`,
			func(c *value.Call) (value.Value, error) {
				found, err := o.Plugins.suppression.Has(c.Str(0), c.Str(1))
				if errors.Is(err, list.ErrUnknown) {
					return value.None, nil
				}
				return value.Boolean(found), err
			}),
	})
}

func bounceListLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("bounce_list(string id, string diagnosticcode, [string grouping], [string state]) array or none",
			"Returns pattern and value of the rule of a list of the plug-in bounce-list that fits the answer of a server, or none. Rules for "+
				"the grouping or the SMTP state come before general ones. A list that does not exist throws.",
			`try { bounce_list("no such list", "550 mailbox full"); } catch ($e) { echo "no list"; } // no list`,
			func(c *value.Call) (value.Value, error) {
				rule, err := o.Plugins.bounce.Find(c.Str(0), c.Str(1), c.Str(2), c.Str(3))
				if rule == nil || err != nil {
					return value.None, err
				}
				return value.FromArray(value.Map("pattern", value.String(rule.Pattern), "value", value.String(rule.Value))), nil
			}),
	})
}

func ipListLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("ip_list_lookup(string id, string ip) string or boolean or none",
			"Returns whether an address lies in a network of a list of the plug-in ip-list, or the text that stands beside the smallest such "+
				"network. Returns none if there is no such list, and for what is no address.",
			`echo ip_list_lookup("no such list", "192.0.2.1") ?? "no list"; // no list`,
			func(c *value.Call) (value.Value, error) {
				ip, err := netip.ParseAddr(c.Str(1))
				if err != nil {
					return value.None, nil // none says so
				}
				tag, found, err := o.Plugins.ip.Find(c.Str(0), ip)
				switch {
				case errors.Is(err, list.ErrUnknown):
					return value.None, nil
				case err == nil && tag != "":
					return value.String(tag), nil
				}
				return value.Boolean(found), err
			}),
	})
}
