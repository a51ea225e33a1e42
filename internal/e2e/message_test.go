package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	ours "github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// messages is a running configuration whose scripts edit, sign, copy and queue
// messages with every option.
const messages = `
servers:
  - id: inbound
    transport: out
    hostname: mta.test
    resolve: { ptr: false }
    phases: { rcptto: { hook: any }, eod: { hook: copies } }
scripting:
  hooks:
    rcptto: [ { id: any, data: 'Accept();' } ]
    eod:
      - id: copies
        data: |
          $mail = $arguments["mail"];
          $mail->signDKIM("s", "example.org", "mykey", ["timestamp" => true]);
          foreach ($transaction["recipients"] as $r)
          {
              $id = $mail->snapshot();
              $mail->addHeader("X-For", $r["recipient"]);
              if ($r["address"]["localpart"] == "text")
                  $mail->findByType("text/plain")[0]->setBody("another text");
              $options = ["metadata" => ["who" => $r["address"]["localpart"]]];
              if ($r["address"]["localpart"] == "all")
                  $options = ["hold" => true, "jobid" => "j", "tenantid" => "n", "quotas" => ["q"], "priority" => 1, "delay" => 3600, "metadata" => ["k" => "v"],
                      "dsn" => ["envid" => "my id", "ret" => "HDRS", "notify" => "FAILURE,DELAY", "orcpt" => "rfc822;o@example.net"]];
              $mail->queue($transaction["senderaddress"], $r["address"], "out", $options);
              $mail->restore($id);
          }
          Accept();
    predelivery: |
      // Whoever sees another size or other bytes than those that are sent deletes.
      $new = File($message["file"]["modified"])->read();
      $old = File($message["file"]["original"])->read();
      if (length($new) != $message["size"]) Delete(["reason" => "size"]);
      if ($old =~ #/X-For/) Delete(["reason" => "original"]);
      if (MailMessage::File(File($message["file"]["modified"]))->getHeader("X-For") != $message["recipient"]) Delete(["reason" => "header"]);
      if ($message["recipientaddress"]["localpart"] == "all")
      {
          $d = $message["dsn"];
          if ($d["envid"] != "my id" or $d["ret"] != "HDRS" or $d["notify"] != ["FAILURE", "DELAY"] or $d["orcpt"] != "rfc822;o@example.net") Delete(["reason" => "dsn"]);
          if ($message["jobid"] != "j" or $message["tenantid"] != "n" or $message["priority"] != 1 or GetMetaData() != ["k" => "v"]) Delete(["reason" => "options"]);
      }
      Try();
    postdelivery: |
      if (length(File($message["file"]["modified"])->read()) != $message["size"] or File($message["file"]["original"])->read() =~ #/X-For/) throw Exception("file");
`

// TestScriptedMessages: a message too large for memory goes to several recipients
// with the edits of each; what no edit names arrives as it came, and the signature
// that was made before the edits of the header still holds. The options of queue
// are what the queue, the scripts of the queue and the next hop see, also after a
// restart.
func TestScriptedMessages(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Capture: 8 << 20})
	m := newMTA(t)
	m.running(messages)
	m.running(transportTo(far.Addr()))
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	m.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	m.startup(fmt.Sprintf("pki: { private: [ { id: mykey, privatekey: { path: %q } } ] }", m.path("key.pem")))
	m.start()

	attachment := strings.Repeat("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\r\n", 50000) + "odd  \t\r\n"
	text := "From: ann@example.org\r\nSubject:  odd   spacing\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
		"--b\r\nContent-Type: text/plain\r\n\r\nthe text\r\n--b\r\nContent-Type: application/x\r\n\r\n" + attachment + "--b--\r\n"
	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	c.ehlo()
	c.say("MAIL FROM:<ann@example.org>", "250")
	for _, to := range []string{"plain", "text", "all"} {
		c.say("RCPT TO:<"+to+"@open.example>", "250")
	}
	c.say("DATA", "354")
	c.say(text+".", "250 2.0.0 Ok: queued as ")

	m.waitCount(1) // the other two are delivered
	for _, got := range far.wait(t, 2) {
		received := got.text
		want := text
		if to := got.to(); to == "text@open.example" {
			want = strings.Replace(text, "the text", "another text", 1)
		} else {
			expectSigned(t, key, received)
		}
		top, rest, _ := strings.Cut(received, "DKIM-Signature: ")
		if top != "X-For: "+got.to()+"\r\n" {
			t.Errorf("above the signature stands %q", top)
		}
		if !strings.HasSuffix(rest, want) {
			t.Errorf("%s got other text: %.600q", got.to(), rest)
		}
	}

	m.waitCount(1, "--state", "HOLD", "--jobid", "j", "--tenantid", "n", "--priority", "1", "--metadata", "k=v", "--quota", "q")
	m.stop()
	m.start()
	m.waitCount(1, "--state", "HOLD", "--jobid", "j", "--tenantid", "n", "--priority", "1", "--metadata", "k=v", "--quota", "q")
	m.ctl("queue", "release", "--all")
	m.waitCount(1, "--state", "DEFER") // for the delay
	m.ctl("queue", "retry", "--all")
	last := far.wait(t, 3)[2]
	params := fmt.Sprint(last.Params, last.Recipients[0].Params)
	for _, want := range []string{"RET", "HDRS", "ENVID", "my+20id", "NOTIFY", "FAILURE,DELAY", "ORCPT", "rfc822;o@example.net"} {
		if !strings.Contains(params, want) {
			t.Errorf("the next hop was told %s, want %s", params, want)
		}
	}
	if !strings.HasPrefix(last.text, "X-For: all@open.example\r\nDKIM-Signature: ") || !strings.HasSuffix(last.text, text) {
		t.Errorf("after a restart it got %.600q", last.text)
	}
	m.waitCount(0)
	if strings.Contains(m.err.String(), "script failed") {
		t.Errorf("a script failed:\n%s", m.err.String())
	}
}

// expectSigned lets another implementation check the signature.
func expectSigned(t *testing.T, key *rsa.PrivateKey, text string) {
	t.Helper()
	private, err := ours.NewPrivateKey(key, ours.KeyDefault)
	must(t, err)
	record, err := private.Record()
	must(t, err)
	found, err := dkim.VerifyWithOptions(strings.NewReader(text), &dkim.VerifyOptions{
		LookupTXT: func(string) ([]string, error) { return []string{record}, nil },
	})
	if err != nil || len(found) != 1 || found[0].Err != nil {
		t.Errorf("the signature does not hold: %v, %+v", err, found)
	}
}

// TestScriptsQueue queues a message of its own making in every phase.
func TestScriptsQueue(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Capture: 1 << 20})
	m := newMTA(t)
	const queue = `MIME()->addHeader("Subject", "%[1]s")->setBody("from %[1]s")->queue("", "%[1]s@made.example", "out", ["jobid" => "made"]);`
	hooks, phases := "", ""
	for _, phase := range []string{"connect", "proxy", "helo", "auth", "mailfrom", "rcptto", "eod", "disconnect"} {
		script := fmt.Sprintf(queue, phase)
		switch phase {
		case "proxy":
			script += ` Pass();`
		case "disconnect":
			script += ` Pass();`
		case "eod":
			script += ` $o = MailMessage::String("Subject: own\r\n\r\nown\r\n"); $o->addHeader("X-Own", "1");
				$o->queue("", "own@made.example", "out"); $arguments["mail"]->queue("ann@example.org", "came@open.example", "out"); Accept();`
		default:
			script += ` Accept();`
		}
		hooks += fmt.Sprintf("%s: [ { id: h, data: %q } ]\n    ", phase, script)
		hook := "h"
		if phase == "rcptto" {
			hook = "{ id: h }"
		}
		if phase == "proxy" {
			continue
		}
		phases += fmt.Sprintf("%s: { hook: %s }, ", phase, hook)
	}
	m.running(fmt.Sprintf(`
servers: [ { id: inbound, transport: out, hostname: mta.test, resolve: { ptr: false }, phases: { %s proxy: { hook: h } } } ]
scripting:
  hooks:
    %s
    predelivery: 'if ($message["sender"] != "") { %s }'
    postdelivery: 'if ($message["sender"] != "") { %s }'
`, phases, hooks, fmt.Sprintf(queue, "predelivery"), fmt.Sprintf(queue, "postdelivery")))
	m.running(transportTo(far.Addr()))
	m.start()
	conn, err := net.Dial("tcp", m.smtp)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	c.ehlo()
	c.say("AUTH PLAIN AGpvZQBzZWNyZXQ=", "235")
	c.say("MAIL FROM:<ann@example.org>", "250")
	c.say("RCPT TO:<x@open.example>", "250")
	c.say("DATA", "354")
	c.say("Subject: came\r\n\r\ncame\r\n.", "250")
	c.say("QUIT", "221")
	seen := map[string]int{}
	for _, got := range far.wait(t, 12) {
		name, _, _ := strings.Cut(got.to(), "@")
		seen[name]++
		text := got.text
		switch name {
		case "own":
			expectContains(t, text, "X-Own: 1\r\nSubject: own\r\n\r\nown\r\n")
		case "came":
		default:
			expectContains(t, text, "Subject: "+name+"\r\n")
			expectContains(t, text, "from "+name)
		}
	}
	for _, name := range []string{"connect", "proxy", "helo", "auth", "mailfrom", "rcptto", "eod", "disconnect", "predelivery", "postdelivery", "own", "came"} {
		if seen[name] != 1 {
			t.Errorf("%d messages of %s; all: %v", seen[name], name, seen)
		}
	}
	m.waitCount(0)
	expectContains(t, m.err.String(), "queued by a script from <> for <connect@made.example>")
	if strings.Contains(m.err.String(), "script failed") {
		t.Errorf("a script failed:\n%s", m.err.String())
	}
}
