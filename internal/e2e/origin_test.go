package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/arc"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// checked is a server that checks where messages come from, says so in them,
// seals them and signs them with two keys of the configuration.
const checked = `
resolver: { servers: [ %q ] }
scripting:
  hooks:
    eod:
      - id: relay
        data: |
          import { dmarc } from "extras://dmarc";
          import { AuthenticationResults } from "extras://authentication-results";
          import { ARC } from "extras://arc";
          $mail = $arguments["mail"];
          $helo = $connection["helo"]["host"];
          $domain = $transaction["senderaddress"]["domain"];
          $dmarc = dmarc($mail, "192.0.2.1", $helo, $domain);
          if ($dmarc["result"] == "reject") Reject("policy of " . $dmarc["from"]);
          $results = AuthenticationResults(["hostname" => "mta.test"])
              ->SPF(spf_query("192.0.2.1", $helo, $domain), $helo, $domain)->DKIM($dmarc["dkim"])->DMARC($dmarc)->toString();
          $chain = ARC::chainValidate($mail);
          $mail->setHeader("Subject", "[list] " . $mail->getHeader("Subject"));
          $mail->addHeader("Authentication-Results", $results);
          if (!ARC::seal($mail, "s", "relay.example", "alone", $chain, $results, ["id" => true])) Defer("not sealed");
          $mail->signDKIM("s", "relay.example", "alone", ["id" => true])->signDKIM("t", "relay.example", "pki:alone");
          foreach ($transaction["recipients"] as $r)
              $mail->queue($transaction["senderaddress"], $r["address"], "out");
          Accept();
`

// keyTexts are the keys that a test looks up.
type keyTexts map[string]string

func (k keyTexts) TXT(_ context.Context, name string) ([]string, error) {
	return []string{k[name]}, nil
}

// TestOrigin sends messages that prove their author and ones that do not, over a
// socket, and checks with keys from the DNS what arrives.
func TestOrigin(t *testing.T) {
	t.Parallel()
	_, author, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	_, ours, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	record := func(key ed25519.PrivateKey) string {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	}
	zone := dnstest.New(t, fmt.Sprintf(`
		_dmarc.author.example. IN TXT "v=DMARC1; p=reject"
		author.example. IN TXT "v=spf1 ip4:198.51.100.0/24 -all"
		a._domainkey.author.example. IN TXT %q
		s._domainkey.relay.example. IN TXT %q
		t._domainkey.relay.example. IN TXT %q
	`, record(author), record(ours), record(ours)))
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	der, err := x509.MarshalPKCS8PrivateKey(ours)
	must(t, err)
	must(t, os.WriteFile(m.path("dkim.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	m.startup(fmt.Sprintf("pki: { private: [ { id: alone, privatekey: { path: %q } } ] }", m.path("dkim.pem")))
	m.running(fmt.Sprintf(checked, zone.Addr()))
	m.running(transportTo(far.Addr()))
	m.start()

	letter := "From: Joe <joe@author.example>\r\nSubject: hello\r\n\r\nHello\r\n"
	c := dial(t, m.smtp)
	c.ehlo()
	post := func(text, want string) {
		c.say("MAIL FROM:<joe@author.example>", "250")
		c.say("RCPT TO:<ann@example.org>", "250")
		c.say("DATA", "354")
		c.say(text+".", want)
	}
	post(letter, "550 5.7.1 policy of author.example")
	signer, err := dkim.NewSigner(author, dkim.Options{Domain: "author.example", Selector: "a"})
	must(t, err)
	post(signature(t, signer, letter)+letter, "250")

	got := far.wait(t, 1)[0].text
	expectContains(t, strings.Join(strings.Fields(got), " "),
		"Authentication-Results: mta.test; spf=fail smtp.mailfrom=author.example; dkim=pass header.d=author.example",
		"dmarc=pass (p=reject dis=none) header.from=author.example", "Subject: [list] hello")
	keys := keyTexts{
		"a._domainkey.author.example": record(author), "s._domainkey.relay.example": record(ours), "t._domainkey.relay.example": record(ours),
	}
	results, err := dkim.NewVerifier(keys, dkim.VerifyOptions{}).Message(t.Context(), strings.NewReader(got), int64(len(got)))
	must(t, err)
	if len(results) != 3 || results[0].Status != dkim.Pass || results[1].Status != dkim.Pass || results[2].Status != dkim.Fail {
		t.Errorf("our two signatures must be good and the author's broken by the subject, got %+v of\n%s", results, got)
	}
	chain, err := arc.NewValidator(keys, arc.Options{}).Message(t.Context(), strings.NewReader(got), int64(len(got)))
	must(t, err)
	if chain.Status != arc.Pass || len(chain.Chain.Sets) != 1 {
		t.Errorf("the chain: %s %s", chain.Status, chain.Reason())
	}
	if failed := m.err.String(); strings.Contains(failed, "script failed") {
		t.Errorf("a script failed:\n%s", failed)
	}
}

// signature returns the field that signs a text.
func signature(t *testing.T, s *dkim.Signer, text string) string {
	t.Helper()
	end, at, _ := message.Split([]byte(text))
	body := new(dkim.Body)
	body.Want(s.BodyHash())
	_, err := body.Write([]byte(text[at:]))
	must(t, err)
	must(t, body.Close())
	field, err := s.Sign(dkim.NewHeader([]byte(text[:end])), body)
	must(t, err)
	return string(field)
}
