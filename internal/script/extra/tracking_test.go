package extra_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/script/extra"
	"github.com/posthaste-mta/posthaste/internal/track"
)

func TestTracking(t *testing.T) {
	m := extra.New(extra.Options{})
	const settings = `"url" => "https://t.test", "secret" => ["id" => 9, "key" => "k"], "additional" => ["job" => "a/b"]`
	const message = `$m = MailMessage::String("Message-ID: <1@x>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<a href=\"http://x.test\">x</a></body>\r\n--b\r\nContent-Type: text/html\r\nContent-Disposition: attachment\r\n\r\n<a href=\"http://x.test\">x</a>\r\n--b--\r\n");`
	got, err := run(t, m, `import { enable_tracking } from "extras://tracking"; `+message+
		`enable_tracking($m, "joe@example.com", ["click" => true, "open" => true, "unsubscribe" => true, `+settings+`]); echo $m->toString();`)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(strings.ReplaceAll(got, "=\r\n", ""), "=3D", "=")
	for _, want := range []string{`<a href="https://t.test/c/`, `<img src="https://t.test/o/`, "List-Unsubscribe: <https://t.test/u/", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q stands there %d times in\n%s", want, strings.Count(text, want), text)
		}
	}
	_, rest, _ := strings.Cut(text, "https://t.test/c/")
	token, _, _ := strings.Cut(rest, `"`)
	p, err := track.Open(token, func(id byte) (track.Secret, bool) { return track.Secret{ID: id, Key: "k"}, id == 9 })
	if err != nil || p.Recipient != "joe@example.com" || p.MessageID != "<1@x>" || p.URL != "http://x.test" || string(p.Additional) != `{"job":"a/b"}` {
		t.Errorf("the token says %+v, %v", p, err)
	}
	for _, nothing := range []string{settings, `"click" => true, "url" => "https://t.test", "secret" => ["id" => 255, "key" => "k"]`, `"click" => true`} {
		got, err := run(t, m, `import { enable_tracking } from "extras://tracking"; `+message+
			`enable_tracking($m, "joe@example.com", [`+nothing+`]); echo $m->reset();`)
		if err != nil || got != "0" {
			t.Errorf("%s: %s edits, %v", nothing, got, err)
		}
	}
}

func TestBounceClassifier(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "broken") {
			w.WriteHeader(500)
			return
		}
		fmt.Fprintf(w, `{"class":"FULL","probability":0.5,"type":%q}`, r.Header.Get("Content-Type"))
	}))
	defer s.Close()
	m := extra.New(extra.Options{})
	ask := func(message, options, want string, times int32) {
		t.Helper()
		before := asked.Load()
		expect(t, m, "bounce-classifier", "bounce_classifier", `echo bounce_classifier("`+message+`", "`+s.URL+`", [`+options+`]) ?? "none";`, want)
		if n := asked.Load() - before; n != times {
			t.Errorf("%s [%s]: asked %d times", message, options, n)
		}
	}
	const full = `["class"=>"FULL","probability"=>0.5,"type"=>"application/json"]`
	ask("552 Mailbox full", "", full, 1)
	ask("552 mailbox FULL.", "", full, 0) // the same when it is normalized
	ask("552 broken", "", "none", 1)
	ask("552 broken", "", "none", 0)
	ask("552 broken again", `"cache_ttl_bad" => 0`, "none", 1)
	ask("553 other", `"cache_size" => 1`, full, 1)
	ask("552 Mailbox full", "", full, 1) // there was room for one
	ask("554 pool", `"http_background" => "none"`, "none", 0)
}

// TestElsewhere: what is known and not here says so.
func TestElsewhere(t *testing.T) {
	m := extra.New(extra.Options{})
	for module, want := range map[string]string{"kafka": "no client of that store", "vade": "commercial service", "jlog": "does not write jlog queues", "x": "there is no such module"} {
		if _, err := run(t, m, `import { f } from "extras://`+module+`";`); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", module, err)
		}
	}
	if got, err := run(t, m, `import { suppression_list } from "extras://suppression"; echo suppression_list("x", "y") ?? "none";`); got != "none" || err != nil {
		t.Errorf("an older name: %s, %v", got, err)
	}
}
