package extra

import (
	"encoding/json"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/track"
)

func trackingLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("enable_tracking(MailMessage or EODMailMessage mail, string recipient, array tracking)",
			"Makes the links of a message's HTML tell who follows them, adds a picture that tells who looks at it, and a way to leave with one click, "+
				"by the keys click, open and unsubscribe of tracking. It also has url, where the links lead, secret, an array of id (1 to 254) and key, and "+
				"perhaps additional, an array that stands in the links. Without one of the first three, url or secret it does nothing. Links with "+
				"tracking=\"off\" are left alone.",
			`$m = MailMessage::String("Content-Type: text/html\r\n\r\n<a href=x.test>x</a>\r\n"); `+
				`enable_tracking($m, "joe@example.com", ["click" => true, "url" => "https://t.test", "secret" => ["id" => 1, "key" => "k"]]); `+
				`echo $m->toString() =~ "t.test/c/"; // true`,
			enableTracking),
	})
}

func enableTracking(c *value.Call) (value.Value, error) {
	settings := c.Array(2)
	wants := func(name string) bool { return at(settings, name).Truth() }
	id, key := at(settings, "secret", "id").ToNumber(), at(settings, "secret", "key").Text()
	if !wants("click") && !wants("open") && !wants("unsubscribe") || !wants("url") || !(id >= 1 && id <= 254) || key == "" {
		return value.None, nil
	}
	index, err := messageOf(c, 0)
	if err != nil {
		return value.None, err
	}
	t := &track.Tracker{Base: at(settings, "url").Text(), Secret: track.Secret{ID: byte(id), Key: key}}
	t.Payload.Recipient = c.Str(1)
	t.Payload.MessageID, _ = index.Root().Header("Message-ID", 0, mime.Text)
	if more := at(settings, "additional"); more.Truth() {
		text, err := c.Call(value.FromFunction(c.Library.Function("json_encode")), more)
		if err != nil {
			return value.None, err
		}
		t.Payload.Additional = json.RawMessage(strings.ReplaceAll(text.Str(), `\/`, "/"))
	}
	for _, part := range htmlParts(index.Root()) {
		if err := trackPart(c, t, part, wants("click"), wants("open")); err != nil {
			return value.None, err
		}
	}
	if wants("unsubscribe") {
		return value.None, trackLeaving(t, index.Root())
	}
	return value.None, nil
}

var trackedTypes = map[string]bool{"text/html": true, "text/x-amp-html": true}

// htmlParts are the parts that are shown as HTML: inline ones, or the whole.
func htmlParts(root *mime.Part) []*mime.Part {
	if isHTML(root) {
		return []*mime.Part{root}
	}
	return root.Find(isHTML)
}

func isHTML(p *mime.Part) bool {
	kind, _ := p.Type()
	disposition, given := p.Header("Content-Disposition", 0, mime.Text)
	word, _, _ := strings.Cut(disposition, ";")
	return trackedTypes[kind] && (!given || strings.EqualFold(strings.TrimSpace(word), "inline"))
}

// mostHTML bounds what is rewritten.
const mostHTML = 16 << 20

func trackPart(c *value.Call, t *track.Tracker, p *mime.Part, click, open bool) error {
	if !click && !open || p.BodySize() > mostHTML {
		return nil
	}
	if err := c.AllocFloat(2 * float64(p.BodySize())); err != nil {
		return err
	}
	old, err := p.Content(true, mostHTML)
	if err != nil {
		return value.Errorf("%s: %v", c.Builtin.Name, err)
	}
	text := string(old)
	if click {
		if text, err = t.Clicks(text); err != nil {
			return value.Errorf("%s: %v", c.Builtin.Name, err)
		}
	}
	if open {
		kind, _ := p.Type()
		if text, err = t.Open(text, kind == "text/x-amp-html"); err != nil {
			return value.Errorf("%s: %v", c.Builtin.Name, err)
		}
	}
	if text == string(old) {
		return nil
	}
	return p.SetBody(text, "")
}

// trackLeaving adds what RFC 8058 wants, unless there is a way to leave already.
// One click goes by POST, which needs https.
func trackLeaving(t *track.Tracker, root *mime.Part) error {
	if _, given := root.Header("List-Unsubscribe", 0, mime.Text); given {
		return nil
	}
	link, err := t.Link("u", "")
	if err != nil {
		return err
	}
	if _, err := root.SetHeader("List-Unsubscribe", "<"+link+">", 0, field.Verbatim); err != nil {
		return err
	}
	if strings.HasPrefix(strings.ToLower(t.Base), "https:") {
		_, err = root.SetHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click", 0, field.Verbatim)
	}
	return err
}
