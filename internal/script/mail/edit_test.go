package mail_test

import (
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// small is a message with one part.
var small = crlf("A: 1\nSubject: hi\nb: 2\nB: 3\n\nbody\n")

// TestEdits: what comes out when a script has changed a message. The getters go
// on telling what came in.
func TestEdits(t *testing.T) {
	k := mail.New(mail.Options{})
	for _, c := range []struct{ name, message, script, want string }{
		{"nothing", small, ``, small},
		{"addHeader", small, `$m->addHeader("X", "y");`, "X: y\n" + small},
		{"addHeader twice", small, `$m->addHeader("X", "1"); $m->addHeader("X", "2");`, "X: 2\nX: 1\n" + small},
		{"addHeader folds as given", small, `$m->addHeader("X", "a\r\n\tb");`, "X: a\n\tb\n" + small},
		{"addHeader cannot end the header", small, `$m->addHeader("X", "a\r\n\r\nevil");`, "X: a\n evil\n" + small},
		{"addHeader verbatim", small, `$m->addHeader("X", "ü");`, "X: ü\n" + small},
		{"addHeader encode", small, `$m->addHeader("X", "ü", ["encode" => true]);`, "X: =?utf-8?q?=C3=BC?=\n" + small},
		{"addHeader base64", small, `$m->addHeader("X", "ü", ["encode" => true, "encoding" => "B"]);`, "X: =?utf-8?b?w7w=?=\n" + small},
		{"setHeader", small, `echo $m->setHeader("subject", "ü");`, "A: 1\nsubject: =?utf-8?q?=C3=BC?=\nb: 2\nB: 3\n\nbody\n1"},
		{"setHeader verbatim", small, `echo $m->setHeader("subject", "ü", ["encode" => false]);`, "A: 1\nsubject: ü\nb: 2\nB: 3\n\nbody\n1"},
		{"setHeader all", small, `echo $m->setHeader("b", "4");`, "A: 1\nSubject: hi\nb: 4\n\nbody\n2"},
		{"setHeader one", small, `echo $m->setHeader("b", "4", ["index" => 1]);`, "A: 1\nSubject: hi\nb: 2\nb: 4\n\nbody\n1"},
		{"setHeader none such", small, `echo $m->setHeader("b", "4", ["index" => 7]);`, small + "0"},
		{"setHeader negative", small, `echo $m->setHeader("b", "4", ["index" => -1]);`, small + "0"},
		{"setHeader new", small, `echo $m->setHeader("N", "4");`, "A: 1\nSubject: hi\nb: 2\nB: 3\nN: 4\n\nbody\n1"},
		{"delHeader", small, `echo $m->delHeader("b");`, "A: 1\nSubject: hi\n\nbody\n2"},
		{"delHeader one", small, `echo $m->delHeader("b", ["index" => 0]);`, "A: 1\nSubject: hi\nB: 3\n\nbody\n1"},
		{"delHeader none", small, `echo $m->delHeader("nothing");`, small + "0"},
		{"renameHeader", small, `echo $m->renameHeader("B", "C");`, "A: 1\nSubject: hi\nC: 2\nC: 3\n\nbody\n2"},
		{"setBody", small, `$m->setBody("new\n");`, "A: 1\nSubject: hi\nb: 2\nB: 3\n\nnew\n"},
		{"setBody chains", small, `echo $m->setBody("new")->getID();`, "A: 1\nSubject: hi\nb: 2\nB: 3\n\nnew0"},
		{"setBody quoted", small, `$m->setBody("Das geht über mehrere Wörter.\n");`, "A: 1\nSubject: hi\nb: 2\nB: 3\nContent-Transfer-Encoding: quoted-printable\nMIME-Version: 1.0\n\nDas geht =C3=BCber mehrere W=C3=B6rter.\n"},
		{"setBody base64", small, `$m->setBody("x", ["encoding" => "base64"]);`, "A: 1\nSubject: hi\nb: 2\nB: 3\nContent-Transfer-Encoding: base64\nMIME-Version: 1.0\n\neA==\n"},
		{"setBody labelled", small, `$m->setBody("=41", ["encoding" => "quoted-printable"]);`, "A: 1\nSubject: hi\nb: 2\nB: 3\nContent-Transfer-Encoding: quoted-printable\nMIME-Version: 1.0\n\n=41"},
		{"modifyContent", small, `echo $m->modifyContent(0, 1, "Z")->getHeader("A");`, "Z: 1\nSubject: hi\nb: 2\nB: 3\n\nbody\n1"},
		{"reset", small, `$m->addHeader("X", "y"); $m->setBody("z"); echo $m->reset();`, small + "2"},
		{"snapshot", small, `$id = $m->snapshot(); $m->addHeader("X", "y"); $two = $m->snapshot(); echo $m->restore($id); echo $m->toString() == $text;
			echo $m->restore($two); echo $m->restore(99);`, "X: y\n" + small + "true\ntrue\ntrue\nfalse"},
		{"getters tell the original", small, `$m->setHeader("A", "2"); $m->delHeader("b"); $m->setBody("z"); echo $m->getHeader("A") . $m->getHeader("b") . $m->getBody(); $m->reset();`, small + "12body\n"},
		{"preamble", nested, `$m->setPreamble("P"); echo $m->getByID("2")->setPreamble("x") ?? "none";`, strings.Replace(lf(nested), "preamble", "P", 1) + "none"},
		{"epilogue", nested, `$m->setEpilogue("E\n");`, strings.Replace(lf(nested), "epilogue", "E", 1)},
		{"epilogue with a boundary", nested, `echo $m->setEpilogue("--o--") ?? "none";`, lf(nested) + "none"},
		{"remove", nested, `$m->getByID("1")->remove();`, cut(nested, "--o\nContent-Type: multipart/alternative", "--o\nContent-Type: application/pdf")},
		{"edits of what is removed", nested, `$p = $m->getByID("1"); $q = $m->getByID("1.1"); $p->remove(); $p->remove(); $q->remove(); $q->addHeader("x", "y"); echo $q->setHeader("x", "y") . $q->delHeader("Content-Type"); echo $q->setBody("x") ?? "none";
			echo $q->appendPart(MIME()) ?? "none"; $q->replacePart(MIME());`,
			cut(nested, "--o\nContent-Type: multipart/alternative", "--o\nContent-Type: application/pdf") + "00\nnone\nnone"},
		{"edits of a part", nested, `$m->getByID("1.2")->setHeader("Content-Type", "text/plain"); $m->getByID("1.2")->setBody("y");`,
			strings.Replace(lf(nested), "Content-Type: text/html\n\n<b>x</b>", "Content-Type: text/plain\n\ny", 1)},
		{"appendPart of MIME", nested, `echo $m->appendPart(MIME()->setType("text/x")->setBody("new"))->getID();`,
			strings.Replace(lf(nested), "--o--", "--o\nContent-Type: text/x; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nnew\n--o--", 1) + "0"},
		{"prependPart of a part", nested, `$m->getByID("2")->prependPart($m->getByID("2"));`,
			strings.Replace(lf(nested), "--o\nContent-Type: application/pdf", pdf+"--o\nContent-Type: application/pdf", 1)},
		{"replacePart by a message", nested, `$m->getByID("1")->replacePart(MailMessage::String("Content-Type: text/x\r\n\r\nz"));`,
			cut(nested, "--o\nContent-Type: multipart/alternative", "--o\nContent-Type: application/pdf", "--o\nContent-Type: text/x\n\nz\n")},
		{"new multipart", small, `echo $m->appendPart(MIME()->setBody("x"), ["type" => "multipart/x; boundary=n"])->getID();`,
			"A: 1\nSubject: hi\nb: 2\nB: 3\nMIME-Version: 1.0\nContent-Type: multipart/x; boundary=n\n\n--n\n\nbody\n\n--n\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nx\n--n--\n0"},
		{"no multipart", small, `echo $m->appendPart(MIME(), ["type" => "text/plain"]) ?? "none";`, small + "none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, k, c.message, c.script+`echo "\x00" . $m->toString();`)
			said, text, ok := strings.Cut(got, "\x00")
			if !ok {
				t.Fatal(got)
			}
			text = strings.TrimSuffix(text, "\n") // of echo
			if got := lf(text) + lf(strings.TrimSuffix(said, "\n")); got != lf(c.want) {
				t.Errorf("\n got %q\nwant %q", got, lf(c.want))
			}
		})
	}
}

const pdf = "--o\nContent-Type: application/pdf; name=\"a.pdf\"\nContent-Transfer-Encoding: base64\n\nUERG\n"

func lf(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// cut takes out what stands from one text up to another, and puts others there.
func cut(s, from, to string, with ...string) string {
	s = lf(s)
	i, j := strings.Index(s, from), strings.Index(s, to)
	return s[:i] + strings.Join(with, "") + s[j:]
}

// TestRefusedEdits: mistakes of a script are exceptions.
func TestRefusedEdits(t *testing.T) {
	k := mail.New(mail.Options{})
	for script, want := range map[string]string{
		`$m->addHeader("bad name", "x");`:                                        "addHeader: field: bad name",
		`$m->setHeader("", "x");`:                                                "setHeader: field: bad name",
		`$m->renameHeader("A", "b:c");`:                                          "renameHeader: field: bad name",
		`$m->setHeader("A", "x", ["encoding" => "Z"]);`:                          "setHeader: option encoding: want Q or B",
		`$m->setBody("x", ["encoding" => "rot13"]);`:                             "setBody: option encoding: want",
		`$m->modifyContent(0, 1000, "x");`:                                       "modifyContent: 1000 bytes at 0",
		`$m->remove();`:                                                          "remove: mime: not possible for the whole message",
		`$m->queue("a@b.example", "", "t");`:                                     "queue: the recipient is empty",
		`$m->queue("a@b.example", "c@d.example", "t");`:                          "queue: there is no queue",
		`$m->queue(["localpart" => "a", "domain" => "b\r\nX"], "c@d.e", "t");`:   "are no address",
		`$m->queue("a@b.example", "nonsense", "t");`:                             "is not an address",
		`$m->send("a@b.example", ["c@d.example"], "t");`:                         "send: this program cannot send",
		`$m->verifyDKIM();`:                                                      "verifyDKIM: there is no DNS here",
		`$m->signDKIM("s", "d.example", "k", ["canonicalization_body" => "x"]);`: "canonicalization_body: want relaxed or simple",
		`$m->signDKIM("s", "d.example", "k", ["algorithm" => "x"]);`:             "algorithm: want",
		`MIME()->signDKIM("s", "d.example", "no key");`:                          "signDKIM: mail: no such private key",
		`MIME()->setBoundary("a\nb");`:                                           "setBoundary: argument 1 (boundary)",
		`MIME()->addHeader("a b", "c");`:                                         "addHeader: field: bad name",
		`MIME("1");`:                                                             "MIME: there is no message here",
		`$a = MIME(); $a->appendPart($a); $a->toString();`:                       "build: too many parts",
	} {
		if got := run(t, k, small, script); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, want) {
			t.Errorf("%s\n got %q\nwant %q", script, got, want)
		}
	}
}

// TestMemory: what edits hold on to counts as the script's.
func TestMemory(t *testing.T) {
	k := mail.New(mail.Options{})
	for _, script := range []string{
		`while (true) $m->addHeader("X", str_repeat("x", 100000));`,
		`while (true) $m->appendPart(MIME()->setBody(str_repeat("x", 100000)));`,
		`while (true) { $m->setBody(str_repeat("x", 1000000)); $m->snapshot(); }`,
		`$x = MIME(); while (true) $x->addHeader("X", str_repeat("x", 100000));`,
		`$x = MIME(); while (true) $x->appendPart(MIME()->setBody(str_repeat("x", 100000)));`,
	} {
		if got := run(t, k, small, script); !strings.Contains(got, "memory") {
			t.Errorf("%s: %.200q", script, got)
		}
	}
}

// TestDateLater: the date is that of the moment at which the message goes.
func TestDateLater(t *testing.T) {
	k := mail.New(mail.Options{})
	got := run(t, k, "Date: old\r\n\r\n", `echo $m->setDateLater(); $d = MailMessage::String($m->toString())->getHeader("Date");
		echo $d != "old" and time() - strptime($d, "%a, %d %b %Y %H:%M:%S %z") < 3600;`)
	if got != "1\ntrue\n" {
		t.Error(got)
	}
}

// files are what a script imports.
type files map[string]string

func (f files) Load(name, _ string) (*resolve.File, error) {
	return &resolve.File{ID: name, Text: f[name]}, nil
}

// TestImport: a message as data. Each execution has its own, so that edits of one
// are not seen by the next.
func TestImport(t *testing.T) {
	k := mail.New(mail.Options{})
	p, err := hsl.Compile("t", `import $m from "a.eml"; echo $m->getHeader("subject") . $m->reset(); $m->setHeader("Subject", "changed");`,
		hsl.Options{Library: k.Library(stdlib.New(stdlib.Options{})), Loader: files{"a.eml": small}})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for range 2 {
		if _, err := p.Run(t.Context(), hsl.Execution{Setup: value.Setup{Echo: func(s string) { out.WriteString(s) }}}); err != nil {
			t.Fatal(err)
		}
	}
	if out.String() != "hi0hi0" {
		t.Error(out.String())
	}
}
