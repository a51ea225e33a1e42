package mailtext_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/mailtext"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func machine(t testing.TB) *stdlibtest.Machine {
	return stdlibtest.New(t, value.NewLibrary(nil, value.Declarations{Builtins: mailtext.Builtins()}), value.Setup{})
}

func TestEnvelope(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`envelope_address_parse("joe@example.com")`, `["localpart"=>"joe","domain"=>"example.com"]`},
		{`envelope_address_parse("<joe@example.com>")`, `["localpart"=>"joe","domain"=>"example.com"]`},
		{`envelope_address_parse("")`, `["localpart"=>"","domain"=>""]`},
		{`envelope_address_parse("<>")`, `["localpart"=>"","domain"=>""]`},
		{`envelope_address_parse("\"a\\\"@b\"@[192.0.2.1]")`, `["localpart"=>''a"@b'',"domain"=>"[192.0.2.1]"]`},
		{`envelope_address_parse("a..b@example.com")`, `["localpart"=>"a..b","domain"=>"example.com"]`},
		{`envelope_address_parse("jö@bücher.example")`, `["localpart"=>"jö","domain"=>"bücher.example"]`},
		{`envelope_address_parse("joe")`, `none`},
		{`envelope_address_parse("@example.com")`, `none`},
		{`envelope_address_parse("joe@")`, `none`},
		{`envelope_address_parse("a b@example.com")`, `none`},
		{`envelope_address_parse("a@b c")`, `none`},
		{`envelope_address_parse("\"a@example.com")`, `none`},
		{`envelope_address_parse("\"a\"b@example.com")`, `none`},
		{`envelope_localpart_escape("joe.x+y")`, `"joe.x+y"`},
		{`envelope_localpart_escape("joe x\"")`, `''"joe x\""''`},
		{`envelope_localpart_escape(".joe")`, `''".joe"''`},
		{`envelope_localpart_escape("")`, `''""''`},
		{`envelope_localpart_escape("jö")`, `"jö"`},
	})
}

func TestList(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`header_addresslist_extract("")`, `[]`},
		{`header_addresslist_extract(" , ;")`, `[]`},
		{`header_addresslist_extract("Joe@Example.COM; <ann@example.com>,")`, `[0=>"Joe@Example.COM",1=>"ann@example.com"]`},
		{`header_addresslist_extract("To: joe@example.com", ["field" => true])`, `[0=>"joe@example.com"]`},
		{`header_addresslist_extract("\"Joe, x\" <joe@example.com>, Dr. Ann (MD) <ann@example.com>", ["name" => true])`, `[0=>["name"=>"Joe, x","address"=>"joe@example.com"],1=>["name"=>"Dr. Ann","address"=>"ann@example.com"]]`},
		{`header_addresslist_extract("=?utf-8?Q?J=C3=B6?= <j@example.com>", ["name" => true])`, `[0=>["name"=>"Jö","address"=>"j@example.com"]]`},
		{`header_addresslist_extract("j@example.com (Jo)", ["name" => true])`, `[0=>["name"=>"Jo","address"=>"j@example.com"]]`},
		{`header_addresslist_extract("Friends: a@example.com, B <b@example.com>;, c@example.com")`, `[0=>"a@example.com",1=>"b@example.com",2=>"c@example.com"]`},
		{`header_addresslist_extract("undisclosed-recipients:;")`, `[]`},
		{`header_addresslist_extract("<@route.example:joe@example.com>")`, `[0=>"joe@example.com"]`},
		{`header_addresslist_extract("\"joe x\"@example.com")`, `[0=>''"joe x"@example.com'']`},
		{`header_addresslist_extract("\"joe\"@example.com")`, `[0=>"joe@example.com"]`},
		{`header_addresslist_extract("joe@[192.0.2.1]")`, `[0=>"joe@[192.0.2.1]"]`},
		{`header_addresslist_extract("joe . x @ example . com\r\n\t")`, `[0=>"joe.x@example.com"]`},
		{`header_addresslist_extract("<>")`, `[0=>""]`},
		{`header_addresslist_extract("MAILER-DAEMON")`, `[0=>"MAILER-DAEMON"]`},
		{`header_addresslist_extract("a b")`, `none`},
		{`header_addresslist_extract("<a@b")`, `none`},
		{`header_addresslist_extract("a@b c@d")`, `none`},
		{`header_addresslist_extract("(open")`, `none`},
		{`header_addresslist_extract("\"open")`, `none`},
		{`header_addresslist_extract("a@")`, `none`},
		{`header_addresslist_extract("@b")`, `none`},
		{`header_addresslist_extract("a: b: c;;")`, `none`},
		{`header_addresslist_extract("a@[b")`, `none`},
		{`header_addresslist_compile([["name" => "Joe", "address" => "joe@example.com"], ["address" => "ann@example.com"]])`, `"Joe <joe@example.com>, ann@example.com"`},
		{`header_addresslist_compile([["name" => "Jö", "address" => "j@example.com"], ["name" => "a \"b\"", "address" => "c@d"]])`, `''=?UTF-8?q?J=C3=B6?= <j@example.com>, "a \"b\"" <c@d>''`},
		{`header_addresslist_compile([])`, `""`},
		{`header_addresslist_compile([["address" => "a@b\r\nBcc: c@d"]])`, `!header_addresslist_compile: argument 1 (addresses): want addresses without line ends, got an array`},
	})
}

func TestTags(t *testing.T) {
	machine(t).Check(t, []stdlibtest.Case{
		{`header_dkim_decode("v=1; a=rsa-sha256;\r\n\td=example.com ; b=ab c\r\n d;")`, "[\"a\"=>\"rsa-sha256\",\"b\"=>''ab c\r\n d'',\"d\"=>\"example.com\",\"v\"=>\"1\"]"},
		{`header_dkim_decode("DKIM-Signature: v=1; h=from:to", ["field" => true])`, `["h"=>"from:to","v"=>"1"]`},
		{`header_dkim_decode("p=")`, `["p"=>""]`},
		{`header_dkim_decode("p=a=b")`, `["p"=>"a=b"]`},
		{`header_dkim_decode("a=1; v=1")`, `none`},
		{`header_dkim_decode("a=1; a=2")`, `none`},
		{`header_dkim_decode("a")`, `none`},
		{`header_dkim_decode("a=1;;b=2")`, `none`},
		{`header_dkim_decode("")`, `none`},
		{`header_dkim_decode("1a=1")`, `none`},
	})
}

// TestListRoundTrip: a compiled list extracts to what it was made of.
func TestListRoundTrip(t *testing.T) {
	m := machine(t)
	options := value.FromArray(value.Map("name", value.True))
	rapid.Check(t, func(r *rapid.T) {
		list := value.NewArray(0)
		for range rapid.IntRange(0, 4).Draw(r, "length") {
			list.Append(value.FromArray(value.Map(
				"name", value.String(rapid.StringMatching(`([a-zA-Zöäü漢.,"\\()]([a-zA-Zöäü漢 .,"\\();:<>@]*[a-z])?)?`).Draw(r, "name")),
				"address", value.String(rapid.StringMatching(`[a-z]+(\.[a-z]+)?@[a-z]+\.example`).Draw(r, "address")),
			)))
		}
		text, err := m.Call(value.FromFunction(m.Library.Function("header_addresslist_compile")), value.FromArray(list))
		if err != nil {
			r.Fatal(err)
		}
		back, err := m.Call(value.FromFunction(m.Library.Function("header_addresslist_extract")), text, options)
		if err != nil || !value.Identical(back, value.FromArray(list)) {
			r.Fatalf("%s came back as %s over %s", value.FromArray(list).Text(), back.Text(), text.Str())
		}
	})
}

func FuzzMailText(f *testing.F) {
	m := machine(f)
	f.Add("Friends: \"a b\" <@r:x@[1.2.3.4]> (c (d)), e . f @ g;")
	f.Add("v=1; a=rsa-sha256; b=")
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"header_addresslist_extract", "header_dkim_decode", "envelope_address_parse"} {
			if _, err := m.Call(value.FromFunction(m.Library.Function(name)), value.String(text)); err != nil {
				t.Fatal(name, err)
			}
		}
	})
}
