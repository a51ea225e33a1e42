package script_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// TestReportOptions bounces with each option of a report.
func TestReportOptions(t *testing.T) {
	const key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n"
	for name, c := range map[string]struct {
		dsn  string
		to   string // who gets the report; "": the sender
		want []string
		not  string
		meta string
	}{
		"recipient":        {dsn: `"recipient" => "ops@example.org"`, to: "ops@example.org", want: []string{"To: ops@example.org\r\n", "<ops@example.org>"}},
		"from":             {dsn: `"from" => "post@example.org", "from_name" => "The Post"`, want: []string{"From: The Post <post@example.org>"}},
		"readable part":    {dsn: `"readable_mimepart" => "Content-Type: text/html\r\n\r\n<p>Sorry"`, want: []string{"Content-Type: text/html\r\n\r\n<p>Sorry"}},
		"without original": {dsn: `"original_headers" => false`, want: []string{"Action: failed"}, not: "Subject: hi"},
		"with original":    {dsn: `"original_headers" => true`, want: []string{"Subject: hi"}},
		"subject":          {dsn: `"subject_prepend" => "[list]"`, want: []string{"Subject: [list] Your message"}},
		"headers":          {dsn: `"headers" => ["X-One: 1", "X-Two" => "2"]`, want: []string{"X-One: 1\r\n", "X-Two: 2\r\n"}},
		"always":           {dsn: ``, want: []string{"Auto-Submitted: auto-replied\r\n", "Arrival-Date: ", "Reporting-MTA: dns; mta.example"}},
		"signature":        {dsn: `"dkim" => ["selector" => "s", "domain" => "example.org", "key" => "` + strings.ReplaceAll(key, "\n", `\n`) + `", "identity" => "@example.org"]`, want: []string{"DKIM-Signature: v=1; a=ed25519-sha256;", "i=@example.org"}},
		"metadata":         {dsn: `"metadata" => ["why" => "full"], "jobid" => "bounces", "delay" => 600`, meta: "full"},
		"transport":        {dsn: `"transportid" => "other"`, meta: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := newFar(t, sink.Options{})
			hold := ""
			if c.meta == "other" {
				hold = `if ($message["transportid"] == "other") Queue(["hold" => true]);`
			}
			p := newPost(t, peer, hold, `if ($message["sender"] != "") { echo $arguments["dsn"]["id"]["transaction"]; Bounce(["dsn" => [`+c.dsn+`]]); }`)
			id := p.submit("550@example.net")
			if c.meta != "" {
				v := p.entry("the report", func(v *queue.View) bool {
					return v.Sender.IsNull() && (v.State == queue.StateDefer && v.Job == "bounces" && time.Until(v.Due) > 5*time.Minute || v.State == queue.StateHold)
				})
				if err := p.queue.Load(&v); err != nil {
					t.Fatal(err)
				}
				m := v.Metadata()
				if _, promised := p.said(); v.ID.String() != promised || m["dsn-transaction"] != id.String() || c.meta == "full" && m["why"] != "full" || c.meta == "other" && v.Transport != "other" {
					t.Errorf("the report is %+v with %v, promised as %s", v, m, promised)
				}
				return
			}
			to := c.to
			if to == "" {
				to = "a@example.org"
			}
			p.wait("delivered " + to)
			took := strings.Join(peer.took(), "\n")
			for _, want := range c.want {
				if !strings.Contains(took, want) {
					t.Errorf("%q is not in %s", want, took)
				}
			}
			if c.not != "" && strings.Contains(took, c.not) {
				t.Errorf("%q is in %s", c.not, took)
			}
			if name == "signature" {
				verify(t, took)
			}
		})
	}
}

// verify checks the signature of the message behind the line of the peer.
func verify(t *testing.T, took string) {
	t.Helper()
	text := took[strings.Index(took, "DKIM-Signature:"):]
	results, err := dkim.NewVerifier(publicKey{}, dkim.VerifyOptions{}).Message(t.Context(), strings.NewReader(text), int64(len(text)))
	if err != nil || len(results) != 1 || results[0].Err != nil {
		t.Errorf("the signature: %+v, %v", results, err)
	}
}

// publicKey is the record of the key in the test (RFC 8463 appendix A.2).
type publicKey struct{}

func (publicKey) TXT(context.Context, string) ([]string, error) {
	return []string{"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}, nil
}
