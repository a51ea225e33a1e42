package track

import (
	"html"
	"regexp"
	"strings"
)

// Tracker makes the links of one recipient of one message.
type Tracker struct {
	Base    string // of the URLs: https://click.example.com
	Secret  Secret
	Payload Payload // without a URL
}

// longestURL is what a link may have to be rewritten.
const longestURL = 4096

// Link returns the URL of a kind: "c" for a click to a URL, "o" for the picture that
// tells of opening, "u" for leaving.
func (t *Tracker) Link(kind, url string) (string, error) {
	p := t.Payload
	p.URL = url
	token, err := t.Secret.Token(p)
	return strings.TrimSuffix(t.Base, "/") + "/" + kind + "/" + token, err
}

var (
	// anchor is a tag that links, up to its end outside of quotes.
	anchor = regexp.MustCompile(`(?is)<a(?:\s+(?:"[^"]*"|'[^']*'|[^>"'])*)?>`)
	// attribute is one attribute of a tag, with its value, if any, in one of three forms.
	attribute = regexp.MustCompile(`(?is)([a-z][a-z0-9:_-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?`)
	scheme    = regexp.MustCompile(`(?i)^\s*([a-z][a-z0-9+.-]*):`)
	bodyEnd   = regexp.MustCompile(`(?i)</body>`)
)

// Clicks returns the HTML with links that lead past us (spec operations.md 17.2).
func (t *Tracker) Clicks(text string) (string, error) {
	var failure error
	out := anchor.ReplaceAllStringFunc(text, func(tag string) string {
		changed, err := t.click(tag)
		if err != nil {
			failure = err
		}
		return changed
	})
	return out, failure
}

// click rewrites one tag, unless its link is to be left alone.
func (t *Tracker) click(tag string) (string, error) {
	from, to, url := -1, -1, ""
	for _, m := range attribute.FindAllStringSubmatchIndex(tag[2:], -1) {
		name, value := strings.ToLower(tag[2:][m[2]:m[3]]), ""
		for i := 4; i < len(m); i += 2 {
			if m[i] >= 0 {
				value = tag[2:][m[i]:m[i+1]]
			}
		}
		switch {
		case name == "tracking" && strings.EqualFold(value, "off"):
			return tag, nil
		case name == "href" && from < 0 && value != "":
			from, to, url = 2+m[0], 2+m[1], html.UnescapeString(value)
		}
	}
	if from < 0 || !t.follows(url) {
		return tag, nil
	}
	link, err := t.Link("c", url)
	if err != nil {
		return tag, err
	}
	return tag[:from] + `href="` + link + `"` + tag[to:], nil
}

// follows reports whether a link is one to follow clicks on.
func (t *Tracker) follows(url string) bool {
	if strings.HasPrefix(url, "#") || strings.HasPrefix(url, t.Base) || len(url) > longestURL {
		return false
	}
	m := scheme.FindStringSubmatch(url)
	return m == nil || strings.EqualFold(m[1], "http") || strings.EqualFold(m[1], "https")
}

// Open returns the HTML with a picture that tells that it was looked at; amp says
// that it is AMP.
func (t *Tracker) Open(text string, amp bool) (string, error) {
	link, err := t.Link("o", "")
	if err != nil {
		return text, err
	}
	image := `<img src="` + link + `" width="1" height="1"/>`
	if amp {
		image = `<amp-img src="` + link + `" width="1" height="1"/>`
	}
	if at := bodyEnd.FindStringIndex(text); at != nil {
		return text[:at[0]] + image + text[at[0]:], nil
	}
	return text + image, nil
}
