package mail_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

var (
	seed     = flag.Uint64("seed", 1, "of the first malformed message")
	messages = flag.Int("messages", 10_000, "malformed messages to go through")
)

// forge makes messages that no program should send.
type forge struct{ *rand.Rand }

func (f forge) pick(list ...string) string { return list[f.IntN(len(list))] }

// junk is what means something to somebody.
func (f forge) junk() string {
	return strings.Repeat(f.pick("x", "\x00", "\xff", "ü", "=", "--b", "--b--", "\r", "\n", "\r\n", "\r\n\r\n", " ", ":", "\"", "=?utf-8?q?=C3?="), 1+f.IntN(3))
}

func (f forge) end() string {
	if f.IntN(10) > 0 {
		return "\r\n"
	}
	return f.pick("\n", "\r", "", " \r\n", "\n\r", "\r\r\n")
}

// part writes a part whose parts stand up to depth deep.
func (f forge) part(b *strings.Builder, depth int) {
	for range f.IntN(4) {
		b.WriteString(f.pick("Subject: a", "X: =?utf-8?q?=C3=BC?=", "From: \xfc <a@b>", "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: quoted-printable",
			"no field", " continued", "Content-Disposition: attachment; filename*0*=utf-8''%C3;filename*1=b", "DKIM-Signature: v=1; a=rsa-sha256; d=x", "A"+f.junk()+": "+f.junk()) + f.end())
	}
	if depth == 0 || f.IntN(3) == 0 {
		b.WriteString(f.pick("", "Content-Type: text/plain"+f.end(), "Content-Type: "+f.junk()+f.end()) + f.end() + "text" + f.junk() + f.end())
		return
	}
	boundary := f.pick("b", "bb", "b--", "c d", strings.Repeat("e", 80))
	fmt.Fprintf(b, f.pick("Content-Type: multipart/mixed; boundary=%q%s", "content-type:multipart/x;\r\n boundary=%q%s"), boundary, f.end())
	b.WriteString(f.end() + f.pick("", "preamble"+f.end()))
	for range f.IntN(4) {
		b.WriteString("--" + boundary + f.end())
		f.part(b, depth-1)
	}
	b.WriteString(f.pick("", "--"+boundary+"--"+f.end(), "--"+boundary+"--"+f.end()+"epilogue"+f.end()))
}

// message returns a malformed message, perhaps with further damage.
func (f forge) message() string {
	var b strings.Builder
	f.part(&b, 4)
	s := b.String()
	for f.IntN(2) == 0 && len(s) > 0 {
		at := f.IntN(len(s))
		s = f.pick(s[:at], s[:at]+f.junk()+s[at:], s[:at]+s[min(len(s), at+f.IntN(9)):])
	}
	return s
}

// handling is what a script does with each message: it asks every getter of every
// part, makes one edit of one part, and goes back to what came.
const handling = `
function look($p)
{
	$n = length($p->getID() . $p->getSize() . $p->getFileName() . $p->getType() . $p->getTypeParameter("boundary") . $p->getBody() . $p->getBody(["decode" => false])
		. $p->getPreamble() . $p->getEpilogue() . array_join($p->getErrors()));
	foreach ($p->getHeaderNames() as $name)
		foreach ($p->getHeaders($name) as $i => $text)
			if ($i < 3 and $p->getHeader($name, ["index" => $i]) != $text) throw Exception("getHeader and getHeaders differ: " . $name);
	foreach ($p->getParts() as $q)
	{
		if ($p->getByID($q->getID())->getSize() != $q->getSize()) throw Exception("getByID");
		look($q);
	}
	$p->findByType("text"); $p->findByFileName("b");
}
$m = MailMessage::String($text);
look($m);
if ($m->toString() !== $text or $m->toFile()->read() !== $text) throw Exception("it does not come out as it went in");
$id = $m->snapshot();
$p = $target == "0" ? $m : $m->getByID($target);
switch ($edit)
{
	case 0: $p->addHeader("X-New", $junk); break;
	case 1: $p->setHeader("Subject", $junk); break;
	case 2: $p->delHeader("Subject"); break;
	case 3: $p->renameHeader("Subject", "X-Old"); break;
	case 4: $p->setBody($junk); break;
	case 5: $p->setBody($junk, ["encoding" => "base64"]); break;
	case 6: $p->setDateLater(); break;
	case 7: $p->setPreamble($junk); break;
	case 8: $p->setEpilogue($junk); break;
	case 9: $m->signDKIM("e", "example.com", $pem); $m->verifyDKIM(); break;
	case 10: $p->appendPart(MIME()->setBody($junk)); break;
	case 11: $p->prependPart($m->getByID("1") ?? $m, ["type" => "multipart/alternative"]); break;
	case 12: $p->replacePart(MIME()->setBody($junk)); break;
	case 13: if ($target != "0") $p->remove(); break;
	case 14: $m->modifyContent(0, length($text), $junk); break;
}
$out = $m->toString();
look(MailMessage::String($out));
$m->restore($id);
if ($m->toString() !== $text) throw Exception("restore does not bring back what came");
echo $out;
`

// edits is how many there are in handling; the first of them stay within the part.
const edits, within = 15, 7

// TestMalformed lets a script look at and edit ten thousand malformed messages.
// What it does not touch comes out byte for byte, and going back gives what came.
// Run it with -seed and -messages for others and more.
func TestMalformed(t *testing.T) {
	k, variables, _ := signing(t)
	var declared []*value.Variable
	for _, name := range []string{"text", "target", "edit", "junk", "pem"} {
		declared = append(declared, &value.Variable{Name: name, Type: value.AnyType})
	}
	p, err := hsl.Compile("t", handling, hsl.Options{Library: value.NewLibrary(k.Library(stdlib.New(stdlib.Options{})), value.Declarations{Variables: declared})})
	if err != nil {
		t.Fatal(err)
	}
	for i := range *messages {
		f := forge{rand.New(rand.NewPCG(*seed+uint64(i), 0))}
		text := f.message()
		whole := mime.NewBytes([]byte(text)).Root()
		parts := append([]*mime.Part{whole}, whole.Find(func(*mime.Part) bool { return true })...)
		target, edit := parts[f.IntN(len(parts))], f.IntN(edits)
		var out string
		_, err := p.Run(t.Context(), hsl.Execution{
			Setup: value.Setup{Limits: value.Limits{Memory: 16 << 20, Instructions: 1 << 20}, Echo: func(s string) { out = s }},
			Variables: map[string]value.Value{"text": value.String(text), "target": value.String(target.ID()), "edit": value.Int(edit),
				"junk": value.String(f.junk()), "pem": variables["pem"]},
		})
		if err != nil {
			t.Fatalf("seed %d, edit %d of part %s: %v\n%q", *seed+uint64(i), edit, target.ID(), err, text)
		}
		_, body, size := target.RawBody().Outer()
		end := body + size
		start := end - target.Size()
		if edit < within && (!strings.HasPrefix(out, text[:start]) || !strings.HasSuffix(out, text[end:])) {
			t.Fatalf("seed %d: edit %d of part %s changed more than that\n%q\n%q", *seed+uint64(i), edit, target.ID(), text, out)
		}
		if edit == 9 && !isInsertion(text, out) {
			t.Fatalf("seed %d: a signature changed the message\n%q\n%q", *seed+uint64(i), text, out)
		}
	}
}

// isInsertion reports whether b is a with something put into one place.
func isInsertion(a, b string) bool {
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	return strings.HasSuffix(b, a[same:]) && len(b) >= len(a)
}

// FuzzScript lets a script handle whatever comes.
func FuzzScript(f *testing.F) {
	for _, s := range []string{nested, small, letter} {
		f.Add(s, uint8(0), "x")
	}
	k, variables, _ := signing(f)
	f.Fuzz(func(t *testing.T, text string, edit uint8, junk string) {
		variables := map[string]value.Value{"text": value.String(text), "target": value.String("0"), "edit": value.Int(int(edit) % edits),
			"junk": value.String(junk), "pem": variables["pem"]}
		if got := execute(t, k, handling, variables, ""); strings.HasPrefix(got, "error: ") && !strings.Contains(got, "memory") {
			t.Error(got)
		}
	})
}
