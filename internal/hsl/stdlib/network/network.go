// Package network holds the builtins for addresses, domains and URLs, and for
// questions to the DNS, which a Resolver of the embedding program answers.
package network

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme that need no network.
func Builtins() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("inet_includes(string ip, string network) boolean or none",
			"Returns whether the address is in the network: a single address, a prefix such as 192.0.2.0/24, or a range such as 192.0.2.1-192.0.2.9. "+
				"Returns none if one of them is malformed.",
			`echo inet_includes("192.0.2.7", "192.0.2.0/24"); // true`, includes),
		declare.Function("inet_pton(string ip) string or none",
			"Returns the 4 or 16 bytes of an address, or none if it is malformed.",
			`echo length(inet_pton("2001:db8::1")); // 16`, toBinary),
		declare.Function("inet_ntop(string ip) string or none",
			"Returns the text of an address of 4 or 16 bytes, or none.",
			`echo inet_ntop("\xc0\x00\x02\x01"); // 192.0.2.1`, toText),
		declare.Function("inet_reverse(string ip, [string zone]) string or none",
			"Returns the name under which the zone has the address: its bytes, or for IPv6 its digits, in reverse. "+
				"The zone is in-addr.arpa or ip6.arpa unless it is given. Returns none if the address is malformed.",
			`echo inet_reverse("192.0.2.1", "bl.example.com"); // 1.2.0.192.bl.example.com`, reverse),
		declare.Function("domain_includes(string subdomain, string domain, [array options]) boolean",
			"Returns whether subdomain is the domain or below it, or, if the domain begins with a dot, whether it is below it. Case does not matter.",
			`echo domain_includes("mail.example.com", "example.com"); // true`, domainIncludes),
		declare.Function("domain_publicsuffix(string domain) string or none",
			"Returns the public suffix of the domain: what registries, and those who act like one, give names under. Returns none if the list has none for it.",
			`echo domain_publicsuffix("www.example.co.uk"); // co.uk`, publicSuffix),
		declare.Function("idna_encode(string domain) string or none",
			"Returns the domain with its labels in the ASCII form of IDNA, or none if it cannot be.",
			`echo idna_encode("bücher.example"); // xn--bcher-kva.example`, idnaEncode),
		declare.Function("idna_decode(string domain) string or none",
			"Returns the domain with its labels in UTF-8, or none if one is malformed.",
			`echo idna_decode("xn--bcher-kva.example"); // bücher.example`, idnaDecode),
		declare.Function("url_parse(string url, [array options]) array or none",
			"Returns the parts that a URL has: schema, username, password, hostname, port, path, query and fragment. "+
				"The port is a number; percent signs stay. Returns none if the text is no URL.",
			`echo url_parse("https://example.com:8080/a?b=c"); // ["schema"=>"https","hostname"=>"example.com","port"=>8080,"path"=>"/a","query"=>"b=c"]`,
			urlParse),
	}
}
