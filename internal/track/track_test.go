package track_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/track"
)

var secret = track.Secret{ID: 7, Key: "badsecret"}

func find(id byte) (track.Secret, bool) { return secret, id == 7 }

func TestToken(t *testing.T) {
	want := track.Payload{Recipient: "joe@example.com", MessageID: "<1@x>", URL: "https://x.test/?a=1&b=<2>", Additional: json.RawMessage(`{"k":1}`)}
	token, err := secret.Token(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := track.Open(token, find); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	// Made with json, hmac and zlib of Python.
	const other = "B1nF3i1nFHvAvZfytXKzgjqGnvpU7oUga15HcK4M_iygq1YqUrJSyspPdUitSMwtyEnVS87PVdJRygWK2hg6VNgB2aVAdkZJSYGVvn6FXklqcYm-Ui0A"
	if p, err := track.Open(other, find); err != nil || p.URL != "http://x.test/" || p.Recipient != "joe@example.com" || p.MessageID != "<1@x>" {
		t.Errorf("a token of others: %+v, %v", p, err)
	}
	for _, bad := range []string{"", "x", "====", token[:len(token)-2], token[1:], "A" + token[1:]} {
		if _, err := track.Open(bad, find); !errors.Is(err, track.ErrToken) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := track.Open(token, func(byte) (track.Secret, bool) { return track.Secret{Key: "other"}, true }); !errors.Is(err, track.ErrToken) {
		t.Errorf("another key: %v", err)
	}
}

// tracked matches what was put in place of links.
var tracked = regexp.MustCompile(`https://t\.test/([cou])/([\w-]{40,})`)

// shown replaces links of ours by what they say.
func shown(t *testing.T, text string) string {
	return tracked.ReplaceAllStringFunc(text, func(link string) string {
		m := tracked.FindStringSubmatch(link)
		p, err := track.Open(m[2], find)
		if err != nil {
			t.Errorf("%s: %v", link, err)
		}
		return m[1] + ":" + p.URL
	})
}

func TestRewrite(t *testing.T) {
	tr := &track.Tracker{Base: "https://t.test", Secret: secret, Payload: track.Payload{Recipient: "joe@example.com", MessageID: "<1@x>"}}
	for _, tt := range []struct{ in, want string }{
		{`<a href="http://x.test/">x</a>`, `<a href="c:http://x.test/">x</a>`},
		{`<A class=b HREF='https://x.test/?a=1&amp;b=2' id=c>x</A>`, `<A class=b href="c:https://x.test/?a=1&b=2" id=c>x</A>`},
		{"<a\n href = x.test/y\n>x</a>", "<a\n href=\"c:x.test/y\"\n>x</a>"},
		{`<a title="a > b" href="http://x.test">`, `<a title="a > b" href="c:http://x.test">`},
		{`<a href="#top"><a href="https://t.test/c/1"><a href="mailto:a@b"><a href="tel:1"><a name="x"><a>`, ""},
		{`<a href="http://x.test" tracking="off"><a tracking=off href="http://x.test">`, ""},
		{`<abbr href="http://x.test"><area href="http://x.test"><!-- a href -->`, ""},
		{`<a data-href="http://y.test" href="http://x.test">`, `<a data-href="http://y.test" href="c:http://x.test">`},
		{`<a href="http://` + strings.Repeat("x", 5000) + `">`, ""},
		{`<a href="http://x.test`, ""},
	} {
		got, err := tr.Clicks(tt.in)
		if tt.want == "" {
			tt.want = tt.in
		}
		if err != nil || shown(t, got) != tt.want && got != tt.want {
			t.Errorf("%s\n got %s, %v\nwant %s", tt.in, shown(t, got), err, tt.want)
		}
	}
	for _, tt := range []struct {
		in, want string
		amp      bool
	}{
		{"<body>x</BODY></html>", `<body>x<img src="o:" width="1" height="1"/></BODY></html>`, false},
		{"x", `x<amp-img src="o:" width="1" height="1"/>`, true},
	} {
		if got, err := tr.Open(tt.in, tt.amp); err != nil || shown(t, got) != tt.want {
			t.Errorf("%s: %s, %v", tt.in, shown(t, got), err)
		}
	}
}

func FuzzClicks(f *testing.F) {
	f.Add(`<a href="http://x">y</a><a tracking=off href=z>`)
	tr := &track.Tracker{Base: "https://t.test", Secret: secret}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := tr.Clicks(text)
		if err != nil {
			return // bytes that are no text
		}
		if again, _ := tr.Clicks(got); strings.Count(again, "t.test/c/") != strings.Count(got, "t.test/c/") {
			t.Errorf("%q was rewritten twice", text)
		}
	})
}

// BenchmarkToken: 20 µs.
func BenchmarkToken(b *testing.B) {
	p := track.Payload{Recipient: "joe@example.com", MessageID: "<1@x>", URL: "https://x.test/?a=1&b=2"}
	for b.Loop() {
		if _, err := secret.Token(p); err != nil {
			b.Fatal(err)
		}
	}
}
