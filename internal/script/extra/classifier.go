package extra

import (
	"container/list"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/web"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func classifierLibrary(o Options) *value.Library {
	http := web.Builtins(o.Web)[0]
	background := web.Background(o.Web, o.Plugins.background.Admit)
	return library([]*value.Builtin{
		declare.Function(`bounce_classifier(string message, [string url = "http://127.0.0.1:8000/v1/bnac/single"], [array options]) any`,
			"Asks a bounce classifier what an answer of a server means, and returns its reply, decoded from JSON, or none if there is none. Replies are kept "+
				"under the normalized answer.",
			`echo bounce_classifier("550 mailbox full", "http://127.0.0.1:1/") ?? "no reply"; // no reply`,
			func(c *value.Call) (value.Value, error) {
				return classify(c, o.Plugins.replies, http, background)
			},
			declare.Option("string http_background", "The pool of http_background to ask from."),
			declare.Option("array http_options", "More options of http."),
			declare.Option("number cache_size = 65536", "How many replies are kept."),
			declare.Option("number cache_ttl_good", "Seconds that a reply is kept; none keeps it until there is no room."),
			declare.Option("number cache_ttl_bad = 30", "Seconds for which a server that did not reply is left alone.")),
	})
}

func classify(c *value.Call, replies *replyCache, http, background *value.Builtin) (value.Value, error) {
	o := c.Options(2)
	key := replyKey{c.Str(1), normalized(c.Str(0))}
	text, known := replies.get(key)
	if !known {
		var err error
		if text, err = askClassifier(c, http, background); err != nil {
			return value.None, err
		}
		ttl := span(o.Num("cache_ttl_bad"))
		if text != "" {
			ttl = -1
			if o.Has("cache_ttl_good") {
				ttl = span(o.Num("cache_ttl_good"))
			}
		}
		replies.put(key, text, ttl, o.Int("cache_size"))
	}
	if text == "" {
		return value.None, nil
	}
	return c.Call(value.FromFunction(c.Library.Function("json_decode")), value.String(text))
}

// askClassifier returns the body of the reply, or "".
func askClassifier(c *value.Call, http, background *value.Builtin) (string, error) {
	o := c.Options(2)
	body, err := c.Call(value.FromFunction(c.Library.Function("json_encode")), value.FromArray(value.Map("message", c.Args[0])))
	if err != nil || body.IsNone() {
		return "", err
	}
	options := value.NewArray(0)
	if more := o.Array("http_options"); more != nil {
		options = more.Clone()
	}
	options.SetString("extended_result", value.True)
	headers := value.Strings([]string{"Content-Type: application/json", "Accept: application/json"})
	for v := range at(options, "headers").Array().Values() {
		headers.Append(v)
	}
	options.SetString("headers", value.FromArray(headers))
	call, args := http, []value.Value{c.Args[1], value.FromArray(options), value.None, body}
	if pool := o.Get("http_background"); pool.IsSet() {
		call, args = background, []value.Value{pool, c.Args[1], value.FromArray(options), body}
	}
	answer, err := c.Call(value.FromFunction(&value.Function{Builtin: call}), args...)
	if err != nil || at(answer.Array(), "status").ToNumber() != 200 {
		return "", err
	}
	return at(answer.Array(), "content").Str(), nil
}

// replyCache keeps the replies of classifiers, those that were not asked for longest
// going first. It is safe for concurrent use.
type replyCache struct {
	mu    sync.Mutex
	known map[replyKey]*list.Element
	order list.List // of *reply, the last used in front
}

type replyKey struct{ url, text string }

type reply struct {
	key     replyKey
	text    string
	expires time.Time // zero: never
}

func (r *replyCache) get(key replyKey) (text string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.known[key]
	if e == nil {
		return "", false
	}
	kept := e.Value.(*reply)
	if !kept.expires.IsZero() && time.Now().After(kept.expires) {
		r.order.Remove(e)
		delete(r.known, key)
		return "", false
	}
	r.order.MoveToFront(e)
	return kept.text, true
}

// put keeps a text for a time, for good if that is negative.
func (r *replyCache) put(key replyKey, text string, ttl time.Duration, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept := &reply{key: key, text: text}
	if ttl >= 0 {
		kept.expires = time.Now().Add(ttl)
	}
	if r.known == nil {
		r.known = map[replyKey]*list.Element{}
	}
	if e := r.known[key]; e != nil {
		r.order.Remove(e)
	}
	r.known[key] = r.order.PushFront(kept)
	for r.order.Len() > max(size, 1) {
		last := r.order.Back()
		delete(r.known, last.Value.(*reply).key)
		r.order.Remove(last)
	}
}
