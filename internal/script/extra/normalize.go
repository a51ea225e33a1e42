package extra

import (
	"regexp"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func normalizerLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("bounce_normalizer(string text) string",
			"Returns the answer of a server in a form that is the same for answers that differ in details: lower case, without punctuation, "+
				"5.7.1 as 5_7_1, and __url__, __email__, __ip__ and __uuid__ in place of URLs, addresses and what looks like an identifier.",
			`echo bounce_normalizer("550-5.7.1 Blocked, see https://example.com/?ip=192.0.2.1"); // 550 5_7_1 blocked see __url__`,
			func(c *value.Call) (value.Value, error) {
				if err := c.Step(len(c.Str(0))); err != nil {
					return value.None, err
				}
				return declare.Text(c, normalized(c.Str(0)))
			}),
	})
}

// stand-ins are what is replaced before punctuation goes, in this order.
var standIns = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`\b(?:https?://|www\.)\S+`), " __url__ "},
	{regexp.MustCompile(`[^\s<>()\[\]:;,"']+@[a-z0-9.-]+[a-z0-9]`), " __email__ "},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), " __uuid__ "},
	{regexp.MustCompile(`\b(?:\d{1,3}\.){3}\d{1,3}\b`), " __ip__ "},
	{regexp.MustCompile(`\b(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4})+\b|\b(?:[0-9a-f]{1,4}:){3,}:`), " __ip__ "},
	{regexp.MustCompile(`\b([245])[.-](\d{1,3})\.(\d{1,3})\b`), " ${1}_${2}_${3} "},
}

// statusAfterCode is "550-5.7.1": the code and the status are two words.
var statusAfterCode = regexp.MustCompile(`\b([245]\d\d)-`)

// normalized is the form of bounce_normalizer.
func normalized(text string) string {
	text = statusAfterCode.ReplaceAllString(strings.ToLower(text), "$1 ")
	for _, s := range standIns {
		text = s.pattern.ReplaceAllString(text, s.by)
	}
	words := strings.Fields(text)
	kept := words[:0]
	for _, w := range words {
		if w = bare(w); w != "" {
			kept = append(kept, w)
		}
	}
	return strings.Join(kept, " ")
}

// bare takes the punctuation out of a word, and says when it is an identifier.
func bare(w string) string {
	if strings.HasPrefix(w, "__") && strings.HasSuffix(w, "__") {
		return w
	}
	letters, digits := 0, 0
	w = strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case r >= 'a' && r <= 'z' || r > 0x7f:
			letters++
		case r == '_':
		default:
			return -1
		}
		return r
	}, w)
	// Words and codes have few digits, ids of queues many.
	if letters+digits >= 10 && digits >= 3 {
		return "__uuid__"
	}
	return w
}
