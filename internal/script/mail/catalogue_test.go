package mail_test

import (
	"os"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// differing are the methods whose declaration is not that of the catalogue, and
// why.
var differing = map[string]string{
	"MIME":                    "takes the id of a part, as older scripts pass it",
	"MailMessage->signDKIM":   "returns a text with return_header",
	"MailMessage->verifyDKIM": "takes a field and options, as scripts pass them",
}

// TestCatalogue: every method of the catalogue is there with its parameters and
// result.
func TestCatalogue(t *testing.T) {
	text, err := os.ReadFile("../../hsl/stdlib/testdata/catalogue.txt")
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]*value.Class{"EODMailMessage": mail.EODClass}
	for _, c := range mail.New(mail.Options{}).Declarations().Classes {
		classes[c.Name] = c
	}
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(strings.TrimSpace(line), " None")
		name, _, _ := strings.Cut(line, "(")
		class, method, _ := strings.Cut(strings.ReplaceAll(name, "::", "->"), "->")
		c := classes[class]
		if c == nil {
			continue
		}
		n++
		have := c.Constructor
		switch {
		case strings.Contains(name, "::"):
			have = c.Static(method).Builtin
		case method != "":
			if f := c.Method(method); f != nil {
				have = f.Builtin
			}
		}
		if method == "" && have == nil {
			continue // not to be constructed
		}
		if have == nil {
			t.Errorf("missing: %s", line)
			continue
		}
		want := declare.Function(strings.NewReplacer("->", "_", "::", "_").Replace(line), "", "", nil)
		if why := difference(have, want); why != "" {
			seen[name] = true
			if differing[name] == "" {
				t.Errorf("%s %s:\nwant %s\n got %s %s", name, why, line, have, have.Returns)
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d lines of the catalogue are about mail", n)
	}
	for name := range differing {
		if !seen[name] {
			t.Errorf("%s does not differ any more", name)
		}
	}
	for _, of := range []string{"MailMessage", "EODMailMessage"} {
		for _, m := range classes["MIMEPart"].Methods {
			if classes[of].Method(m.Name) == nil {
				t.Errorf("%s lacks %s of MIMEPart", of, m.Name)
			}
		}
	}
}

// difference says in what a declaration is narrower than the catalogue's, or has
// another number of parameters or another result.
func difference(have, want *value.Builtin) string {
	least, most := have.Arity()
	wantLeast, wantMost := want.Arity()
	if least != wantLeast || most != wantMost {
		return "takes another number of arguments"
	}
	for i := range want.Params {
		if want.Params[i].Type&^have.Params[i].Type != 0 {
			return "takes a narrower " + want.Params[i].Name
		}
	}
	if extra := have.Returns &^ want.Returns; extra != 0 && want.Returns != value.AnyType && want.Returns != value.NoneType {
		return "returns also " + extra.String()
	}
	if lacking := want.Returns &^ have.Returns &^ value.NoneType; lacking != 0 && want.Returns != value.AnyType {
		return "returns no " + lacking.String()
	}
	return ""
}
