package mail_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// TestBuild: what MIME writes.
func TestBuild(t *testing.T) {
	k := mail.New(mail.Options{})
	const plain = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
	for script, want := range map[string]string{
		`MIME()`:                   plain,
		`MIME()->setBody("Hello")`: plain + "Hello",
		`MIME()->addHeader("Subject", "Grüße")`:                                               "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n" + plain,
		`MIME()->addHeader("A", "1")->addHeader("B", "ü", ["encode" => false])->setBody("x")`: "A: 1\nB: ü\n" + plain + "x",
		`MIME()->addHeader("A", "ü", ["encoding" => "B"])->setBody("x")`:                      "A: =?utf-8?b?w7w=?=\n" + plain + "x",
		`MIME()->setDate(86400)->setBody("x")`:                                                "Date: " + time.Unix(86400, 0).Format("Mon, 02 Jan 2006 15:04:05 -0700") + "\n" + plain + "x",
		`MIME()->setType("text/html")->setBody("x")`:                                          strings.Replace(plain, "plain", "html", 1) + "x",
		`MIME()->addHeader("Content-Transfer-Encoding", "7bit")->setBody("x")`:                "Content-Transfer-Encoding: 7bit\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\nx",
		`MIME()->setFileName("a b.txt")->setBody("x")`:                                        strings.TrimSuffix(plain, "\n") + "Content-Disposition: attachment; filename=\"a b.txt\"\n\nx",
		`MIME()->setFileName("a.txt")->setDisposition("inline")->setBody("x")`:                strings.TrimSuffix(plain, "\n") + "Content-Disposition: inline; filename=a.txt\n\nx",
		`MIME()->setType("multipart/alternative")->setBoundary("b")->appendPart(MIME()->setBody("1"))->appendPart(MailMessage::String("A: b\r\n\r\n2"))->setBody("old")`: "MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\nold\n--b\n" +
			strings.TrimPrefix(plain, "MIME-Version: 1.0\n") + "1\n--b\nA: b\n\n2\n--b--\n",
	} {
		got := run(t, k, small, `$x = `+script+`; $s = $x->toString(); echo $s; if ($x->toFile()->read() != $s) echo "the file differs";`)
		if lf(got) != want+"\n" {
			t.Errorf("%s\n got %q\nwant %q", script, lf(got), want)
		}
	}
}

// TestPartsStayOpen: a part that is changed after it was added is written as it
// is at the end.
func TestPartsStayOpen(t *testing.T) {
	got := run(t, mail.New(mail.Options{}), small, `$p = MIME(); $x = MIME()->appendPart($p); $p->setBody("late"); echo $x->toString();`)
	if !strings.Contains(got, "late") {
		t.Error(got)
	}
}

// store is a queue that keeps what it is given.
type store struct {
	messages []*envelope.Message
	texts    []string
	err      error
}

func (s *store) Queue(_ context.Context, m *envelope.Message, content mail.Content) error {
	if s.err != nil {
		return s.err
	}
	var b strings.Builder
	n, err := content.WriteTo(&b)
	if err != nil || n != content.Size() {
		return fmt.Errorf("%d bytes of %d: %w", n, content.Size(), err)
	}
	m.ID, m.Size = envelope.ID{15: byte(len(s.messages) + 1)}, n
	s.messages, s.texts = append(s.messages, m), append(s.texts, b.String())
	return nil
}

const everyOption = `["metadata" => ["k" => "v", 7 => 8], "hold" => true, "jobid" => "j", "tenantid" => "n", "quotas" => ["q", "r"], "delay" => 60, "priority" => 1,
	"dsn" => ["envid" => "e", "ret" => "hdrs", "notify" => ["SUCCESS", "failure"], "orcpt" => "o@x.example"]]`

// TestQueue: what queue asks for, of messages that came in and of built ones.
func TestQueue(t *testing.T) {
	for _, object := range []string{"$m", "MIME()->addHeader(\"Subject\", \"hi\")->setBody(\"x\")"} {
		s := new(store)
		k := mail.New(mail.Options{Queue: s})
		before := time.Now()
		got := run(t, k, small, `$x = `+object+`; echo $x->queue("a@b.example", ["localpart" => "c", "domain" => "d.example"], "out", `+everyOption+`);
			echo $x->queue("<>", "ü@d.example", "out", ["jobid" => none]); if ($x->toString() == "") echo "x";`)
		if want := `["transaction"=>"00000000-0000-0000-0000-000000000001","queue"=>1]` + "\n" + `["transaction"=>"00000000-0000-0000-0000-000000000002","queue"=>1]` + "\n"; got != want {
			t.Fatalf("%s: %s", object, got)
		}
		m := s.messages[0]
		r := m.Recipients[0]
		if r.Sender.String() != "a@b.example" || r.Address.String() != "c@d.example" || r.Transport != "out" || !r.Hold || r.Job != "j" || r.Tenant != "n" || r.Number != 1 ||
			fmt.Sprint(r.Quotas, r.Metadata) != "[q r] map[7:8 k:v]" || r.NotBefore.Before(before.Add(time.Minute)) {
			t.Errorf("%s: recipient %+v", object, r)
		}
		if m.EnvID != "e" || m.Ret != envelope.RetHeaders || r.Notify != envelope.NotifySuccess|envelope.NotifyFailure || r.ORcpt != "rfc822;o@x.example" || m.Priority != 1 || m.Subject != "hi" || m.SMTPUTF8 {
			t.Errorf("%s: message %+v", object, m)
		}
		if m := s.messages[1]; !m.Recipients[0].Sender.IsNull() || m.Recipients[0].Job != "" || !m.SMTPUTF8 || m.Priority != 0 {
			t.Errorf("%s: second message %+v", object, m)
		}
	}
}

// TestQueueFails: what the queue does not take is an exception.
func TestQueueFails(t *testing.T) {
	k := mail.New(mail.Options{Queue: &store{err: errors.New("no space left")}})
	if got := run(t, k, small, `$m->queue("", "a@b.example", "t");`); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, "queue: no space left") {
		t.Error(got)
	}
}

// TestMailFunction: mail() of older scripts.
func TestMailFunction(t *testing.T) {
	s := new(store)
	got := run(t, mail.New(mail.Options{Queue: s}), small,
		`echo mail("a@b.example", "c@d.example", "Grüße", "Hello", "out", ["sender_name" => "A \"B\" ü", "recipient_name" => "C", "headers" => ["X-A" => "1"], "jobid" => "j"]);`)
	if got != "00000000-0000-0000-0000-000000000001\n" {
		t.Fatal(got)
	}
	text := lf(s.texts[0])
	for _, want := range []string{"\nTo: \"C\" <c@d.example>\n", "<a@b.example>\n", "\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n", "\nX-A: 1\n", "\n\nHello"} {
		if !strings.Contains("\n"+text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if r := s.messages[0].Recipients[0]; r.Job != "j" || r.Transport != "out" || r.Address.String() != "c@d.example" {
		t.Errorf("%+v", r)
	}
}

// copies records what the message of a transaction queues.
type copies []envelope.Recipient

func (c *copies) record(r envelope.Recipient) (envelope.ID, uint32) {
	*c = append(*c, r)
	return envelope.ID{1}, uint32(len(*c))
}

// TestCopies: each copy has the edits made before it, and equal edits are kept
// once.
func TestCopies(t *testing.T) {
	k := mail.New(mail.Options{})
	var queued copies
	m := k.Received(mail.Received{Original: strings.NewReader(small), Record: queued.record})
	got := execute(t, k, `
		foreach (["a", "b", "c"] as $who)
		{
			$id = $m->snapshot();
			$m->addHeader("X-For", $who);
			$m->queue("", $who . "@x.example", "t");
			$m->queue("", $who . "2@x.example", "t");
			$m->restore($id);
		}
		echo $m->queue("", "plain@x.example", "t");`, map[string]value.Value{"m": m.Value()}, "")
	if got != `["transaction"=>"01000000-0000-0000-0000-000000000000","queue"=>7]`+"\n" {
		t.Fatal(got)
	}
	for i, who := range []string{"a", "a", "b", "b", "c", "c"} {
		if p := string(queued[i].Patch); !strings.Contains(p, "X-For: "+who+"\r\n") || len(p) > 30 {
			t.Errorf("copy %d has edits %q", i, p)
		}
	}
	if &queued[0].Patch[0] != &queued[1].Patch[0] {
		t.Error("equal edits were made twice")
	}
	if queued[6].Patch != nil {
		t.Errorf("the last has edits %q", queued[6].Patch)
	}
}
