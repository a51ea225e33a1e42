package mail_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// run runs a script with $m, a message, and returns what it echoes; an error
// stands behind "error: ".
func run(t testing.TB, k *mail.Kit, message, script string) string {
	t.Helper()
	return execute(t, k, script, map[string]value.Value{"text": value.String(message)}, `$m = MailMessage::String($text); `)
}

func execute(t testing.TB, k *mail.Kit, script string, variables map[string]value.Value, before string) string {
	t.Helper()
	var declared []*value.Variable
	for name := range variables {
		declared = append(declared, &value.Variable{Name: name, Type: value.AnyType})
	}
	library := value.NewLibrary(k.Library(stdlib.New(stdlib.Options{})), value.Declarations{Variables: declared})
	p, err := hsl.Compile("t", before+script, hsl.Options{Library: library})
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	var out strings.Builder
	_, err = p.Run(context.Background(), hsl.Execution{
		Setup:     value.Setup{Limits: value.Limits{Memory: 64 << 20}, Echo: func(s string) { out.WriteString(s + "\n") }},
		Variables: variables,
	})
	if err != nil {
		return out.String() + "error: " + message(err) + "\n"
	}
	return out.String()
}

func message(err error) string {
	var failure *hsl.Error
	if errors.As(err, &failure) {
		return failure.Error()
	}
	return err.Error()
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

// nested is a message with parts of all kinds.
var nested = crlf(`Received: from a
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=
X-A: 1
X-a: 2
Content-Type: multipart/mixed; boundary="o"; x=y

preamble
--o
Content-Type: multipart/alternative; boundary=i

--i
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--i
Content-Type: text/html

<b>x</b>
--i--
--o
Content-Type: application/pdf; name="a.pdf"
Content-Transfer-Encoding: base64

UERG
--o--
epilogue
`)

// TestGetters: what a message tells of itself.
func TestGetters(t *testing.T) {
	k := mail.New(mail.Options{})
	for script, want := range map[string]string{
		`echo $m->getID();`:                                                   "0",
		`echo $m->getSize() == length($text);`:                                "true",
		`echo $m->getFileName() ?? "none";`:                                   "none",
		`echo $m->getByID("2")->getFileName();`:                               "a.pdf",
		`echo $m->getType() . $m->getByID("1.2")->getType();`:                 "multipart/mixedtext/html",
		`echo $m->getTypeParameter("X");`:                                     "y",
		`echo $m->getTypeParameter("z") ?? "none";`:                           "none",
		`echo $m->getHeader("subject");`:                                      "Grüße",
		`echo $m->getHeader("subject", ["decode" => false]);`:                 "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=",
		`echo $m->getHeader("X-A", ["field" => true]) == "X-A: 1\r\n";`:       "true",
		`echo $m->getHeader("X-A", ["index" => 1]);`:                          "2",
		`echo $m->getHeader("X-A", ["index" => 2]) ?? "none";`:                "none",
		`echo $m->getHeaders("x-a");`:                                         `[0=>"1",1=>"2"]`,
		`echo $m->getHeaders("x-a", ["field" => true])[1] == "X-a: 2\r\n";`:   "true",
		`echo $m->getHeaders("nothing");`:                                     "[]",
		`echo $m->getHeaderNames();`:                                          `[0=>"received",1=>"subject",2=>"x-a",3=>"x-a",4=>"content-type"]`,
		`echo $m->getByID("2")->getBody();`:                                   "PDF",
		`echo $m->getByID("2")->getBody(["decode" => false]);`:                "UERG",
		`echo $m->getByID("1.1")->getBody() == "caf\xe9";`:                    "true",
		`echo length($m->getBody()) > 200;`:                                   "true",
		`echo $m->getPreamble() . $m->getEpilogue();`:                         "preambleepilogue\r\n",
		`echo $m->getByID("2")->getPreamble() ?? "none";`:                     "none",
		`foreach ($m->findByType("TEXT/") as $p) echo $p->getID();`:           "1.1\n1.2",
		`foreach ($m->findByType("^text/html$") as $p) echo $p->getID();`:     "1.2",
		`foreach ($m->findByType(#/PDF/i) as $p) echo $p->getID();`:           "2",
		`foreach ($m->findByType(#/PDF/) as $p) echo $p->getID();`:            "",
		`foreach ($m->findByFileName("\\.PDF$") as $p) echo $p->getID();`:     "2",
		`echo length($m->findByType("multipart/mixed"));`:                     "0",
		`foreach ($m->getParts() as $p) echo $p->getID();`:                    "1\n2",
		`echo $m->getByID("1")->getByID("2") ?? "none";`:                      "none",
		`echo $m->getByID("1")->getByID("1.2")->getID();`:                     "1.2",
		`echo $m->getErrors();`:                                               "[]",
		`echo MailMessage::String("broken line\n\nx")->getErrors();`:          `[0=>"bad_header"]`,
		`echo $m->findByType("(") ;`:                                          "error: ",
		`echo MailMessage::File(File::String($text))->getHeader("subject");`:  "Grüße",
		`echo MailMessage::File(File::String($text))->toString() == $text;`:   "true",
		`echo MailMessage::String($m->toFile()->read())->toString() == $text`: "true",
		`memory_store("x", $m);`:                                              "error: ",
	} {
		if !strings.HasSuffix(script, ";") {
			script += ";"
		}
		got := strings.TrimSuffix(run(t, k, nested, script), "\n")
		if want == "error: " && strings.HasPrefix(got, want) {
			continue
		}
		if got != want {
			t.Errorf("%s\n got %q\nwant %q", script, got, want)
		}
	}
}
