package stdlib_test

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

//go:embed testdata/catalogue.txt
var catalogue string

// missing are the names of the catalogue that this library does not have, and
// why. A class stands for its methods.
var missing = map[string]string{
	"array":            "construct of the language",
	"isset":            "construct of the language",
	"unset":            "construct of the language",
	"smtp_lookup_rcpt": "needs the SMTP client",
	"smtp_lookup_auth": "needs the SMTP client",
	"MIME":             "needs messages and the SMTP client",
	"MailMessage":      "needs messages and the SMTP client",
	"MIMEPart":         "needs messages",
	"FFIFunction":      "what FFI->func would return; FFI is refused",
	"FFI->func":        "method of an object that nobody can make; FFI is refused",
	"FFI->symbol":      "method of an object that nobody can make; FFI is refused",
}

// differing are the names whose declaration is not that of the catalogue, and
// why.
var differing = map[string]string{
	"csv_encode":       "returns the line as a string, as its example shows",
	"cms_sign":         "returns an array of result and data, as scripts expect",
	"cms_decrypt":      "takes the certificate as a second argument, as scripts pass it",
	"spf_query":        "takes options, as its predecessor did",
	"str_chunk":        "takes lengths as numbers",
	"TLSSocket":        "the options may be left out",
	"queue_suspend":    "may return none",
	"queue_policy":     "may return none",
	"strptime":         "returns none for a text that does not fit",
	"strpduration":     "returns none for a text that does not fit",
	"ord":              "returns none for an empty string",
	"base32_decode":    "returns none for a malformed text",
	"zlib_uncompress":  "returns none for damaged data",
	"xtext_decode":     "returns none for a malformed text",
	"array_random":     "returns none for an empty array",
	"X509::String":     "returns none for a malformed certificate, and a list if asked for",
	"X509CRL::String":  "returns none for a malformed list",
	"X509->toFFIValue": "throws, whatever it would return",
}

func TestCatalogue(t *testing.T) {
	library := newLibrary(t)
	seen := map[string]bool{}
	for line := range strings.Lines(catalogue) {
		line = strings.TrimSuffix(strings.TrimSpace(line), " None")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, _, _ := strings.Cut(line, "(")
		have := find(library, name)
		if have == nil {
			if !excused(seen, name) {
				t.Errorf("missing: %s", line)
			}
			continue
		}
		want := declare.Function(strings.NewReplacer("->", "_", "::", "_").Replace(line), "", "", nil)
		why := difference(have, want)
		if why != "" && differing[name] == "" {
			t.Errorf("%s: %s\nwant %s\n got %s", name, why, line, have)
		}
		seen[name] = seen[name] || why != ""
	}
	for name := range maps.Keys(missing) {
		if !seen[name] {
			t.Errorf("%s is not missing any more", name)
		}
	}
	for name := range maps.Keys(differing) {
		if !seen[name] {
			t.Errorf("%s does not differ any more", name)
		}
	}
}

// excused looks the name up among the missing, and its class if it is a method.
func excused(seen map[string]bool, name string) bool {
	class, _, _ := strings.Cut(strings.ReplaceAll(name, "::", "->"), "->")
	for _, n := range []string{name, class} {
		if missing[n] != "" {
			seen[n] = true
			return true
		}
	}
	return false
}

// find returns the builtin, constructor, method or static method of a name.
func find(l *value.Library, name string) *value.Builtin {
	if class, method, ok := strings.Cut(name, "->"); ok {
		if c := l.Class(class); c != nil && c.Method(method) != nil {
			return c.Method(method).Builtin
		}
		return nil
	}
	if class, method, ok := strings.Cut(name, "::"); ok {
		if c := l.Class(class); c != nil && c.Static(method) != nil {
			return c.Static(method).Builtin
		}
		return nil
	}
	if c := l.Class(name); c != nil {
		return c.Constructor
	}
	return l.Builtin(name)
}

// difference says in what a declaration is narrower than the catalogue's, or
// has another number of parameters or another result.
func difference(have, want *value.Builtin) string {
	least, most := have.Arity()
	wantLeast, wantMost := want.Arity()
	if least != wantLeast || most != wantMost {
		return "takes another number of arguments"
	}
	for i := range want.Params {
		if want.Params[i].Type&^have.Params[i].Type != 0 {
			return "parameter " + want.Params[i].Name + " is of another type"
		}
	}
	if want.Returns == value.NoneType || want.Returns == value.AnyType {
		return ""
	}
	if extra := have.Returns &^ want.Returns; extra != 0 {
		return "returns also " + extra.String()
	}
	if want.Returns&^have.Returns&^value.NoneType != 0 {
		return "returns no " + (want.Returns &^ have.Returns).String()
	}
	return ""
}

// TestDocumented: everything that scripts can call says what it does.
func TestDocumented(t *testing.T) {
	check := func(name string, b *value.Builtin) {
		if len(b.Doc) < 5 || !strings.HasSuffix(b.Doc, ".") {
			t.Errorf("%s: text is %q", name, b.Doc)
		}
		for _, p := range b.Params {
			for _, o := range p.Options {
				if !strings.HasSuffix(o.Doc, ".") {
					t.Errorf("%s: option %s: text is %q", name, o.Name, o.Doc)
				}
			}
		}
	}
	libraries := slices.Collect(maps.Values(stdlib.Modules()))
	for _, l := range append(libraries, newLibrary(t)) {
		for b := range l.Builtins() {
			check(b.Name, b)
		}
		for c := range l.Classes() {
			if c.Doc == "" {
				t.Errorf("%s has no text", c.Name)
			}
			for _, b := range slices.Concat(c.Methods, c.Statics) {
				check(c.Name+"->"+b.Name, b)
			}
			if c.Constructor != nil {
				check(c.Name, c.Constructor)
			}
		}
	}
}

// TestLegacy: names of older versions.
func TestLegacy(t *testing.T) {
	library := newLibrary(t)
	for source, want := range map[string]string{
		`echo count([1, 2]) . strlen("abc");`:                        "23",
		`echo strpos("abc", "c") . strrpos("aa", "a");`:              "21",
		`echo substr("abc", 1) . strtolower("A") . strtoupper("b");`: "bcaB",
		`echo trim(" x ") . in_array(1, [1]) . range(0, 2);`:         "xtrue[0=>0,1=>1]",
		`echo explode(",", "a,b,c", 2);`:                             `[0=>"a",1=>"b,c"]`,
		`echo implode("-", ["a", "b"]);`:                             "a-b",
		`echo is_subdomain("a.b", "b") . in_network("::1", "::/8");`: "truetrue",
		`echo GetAddressList("<a@b>");`:                              `[0=>"a@b"]`,
		`echo dns("example.com") . dns6("example.org");`:             `[0=>"192.0.2.1"][]`,
		`echo dnsbl("192.0.2.9", "bl.example.com");`:                 "[]",
		`echo dnsbl("nobody", "bl.example.com");`:                    "[]",
		`echo file("a.txt") . file_get_contents("a.txt")[:3];`:       `[0=>"one",1=>"two"]one`,
		`echo in_file("two", "a.txt") . in_file("six", "a.txt");`:    `[0=>"two"][]`,
		`echo file("b.txt") ?? "none";`:                              "none",
		`echo rand(3, 3);`:                                           "3",
	} {
		if got, err := run(t.Context(), library, source); got != want || err != nil {
			t.Errorf("%s\n got %s %v\nwant %s", source, got, err, want)
		}
	}
}
