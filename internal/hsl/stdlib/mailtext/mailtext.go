// Package mailtext holds the builtins for the text formats of mail: addresses of
// envelopes and headers, and lists of tags. They are plain string functions,
// which work anywhere.
package mailtext

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	field := declare.Option("boolean field = false", "The text begins with the name of the field and a colon.")
	return []*value.Builtin{
		declare.Function("envelope_address_parse(string address) array or none",
			"Returns localpart and domain of an address, the local part without quotes; both empty for the null sender. Returns none if it is malformed.",
			`echo envelope_address_parse("\"joe x\"@example.com"); // ["localpart"=>"joe x","domain"=>"example.com"]`, parseEnvelope),
		declare.Function("envelope_localpart_escape(string localpart) string",
			"Returns a local part as it stands in an address, in quotes if it has to be.",
			`echo envelope_localpart_escape("joe x"); // "joe x"`, escapeLocal),
		declare.Function("header_addresslist_compile(array addresses) string",
			"Returns the value of a header field such as To for a list of arrays of name and address. Names are quoted or encoded if they have to be.",
			`echo header_addresslist_compile([["name" => "Joe, x", "address" => "joe@example.com"]]); // "Joe, x" <joe@example.com>`, compileList),
		declare.Function("header_addresslist_extract(string value, [array options]) array or none",
			"Returns the addresses in the value of a header field such as To, in their order. Groups and comments are understood; commas and semicolons part addresses. "+
				"Returns none if the text is malformed.",
			`echo header_addresslist_extract("Joe <joe@example.com>, ann@example.com"); // [0=>"joe@example.com",1=>"ann@example.com"]`, extractList,
			field, declare.Option("boolean name = false", "The elements are arrays of name and address.")),
		declare.Function("header_dkim_decode(string value, [array options]) array or none",
			"Returns the tags of a DKIM field or record with their values, sorted by name. White space around both is removed. "+
				"Returns none if the text is malformed, has a tag twice, or has the tag v but not first.",
			`echo header_dkim_decode("v=DKIM1; p=abc"); // ["p"=>"abc","v"=>"DKIM1"]`, decodeTags, field),
	}
}
