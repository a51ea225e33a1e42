package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// call is http, which is none where a request fails.
func call(c *value.Call, o Options) (value.Value, error) {
	v, err := exchange(c, o)
	var failure *failure
	if errors.As(err, &failure) {
		return value.None, nil
	}
	return v, err
}

// failure is a request that went wrong, which is no exception.
type failure struct{ err error }

func (f *failure) Error() string { return f.err.Error() }

// exchange makes the request. A *failure says that it went wrong; other errors end
// the script or are thrown.
func exchange(c *value.Call, o Options) (value.Value, error) {
	client, err := newClient(c, o)
	if err != nil {
		return value.None, err
	}
	defer client.CloseIdleConnections()
	ctx, cancel := withTimeout(c)
	defer cancel()
	body, err := bodyOf(c)
	if err != nil {
		return value.None, err
	}
	request, err := newRequest(ctx, c, body)
	if err != nil {
		return value.None, &failure{err}
	}
	response, err := body.serve(func() (*http.Response, error) { return client.Do(request) })
	if err != nil {
		return failed(c, err)
	}
	defer response.Body.Close()
	content, err := read(c, response)
	if err != nil {
		return failed(c, err)
	}
	return result(c, response, content)
}

// failed makes a *failure of an error, unless the script has to end.
func failed(c *value.Call, err error) (value.Value, error) {
	if value.Uncatchable(err) {
		return value.None, err
	}
	if c.Context().Err() != nil {
		return value.None, c.Interrupted(err)
	}
	var thrown *callbackError
	if errors.As(err, &thrown) {
		return value.None, thrown.err
	}
	return value.None, &failure{err}
}

// withTimeout returns the context of the script that also ends when the option
// timeout is over, counted from the connection on.
func withTimeout(c *value.Call) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(c.Context())
	o := c.Options(1)
	if !o.Has("timeout") {
		return ctx, cancel
	}
	limit := seconds(o.Num("timeout"))
	var once sync.Once // redirections connect again
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		once.Do(func() {
			timer := time.AfterFunc(limit, cancel)
			context.AfterFunc(ctx, func() { timer.Stop() })
		})
	}})
	return ctx, cancel
}

// seconds converts an option, within a century.
func seconds(n float64) time.Duration {
	return time.Duration(max(min(n, 3e9), 0) * float64(time.Second))
}

func newRequest(ctx context.Context, c *value.Call, body *body) (*http.Request, error) {
	o := c.Options(1)
	method := http.MethodGet
	if body.reader != nil {
		method = http.MethodPost
	}
	if o.Has("method") {
		method = o.Str("method")
	}
	r, err := http.NewRequestWithContext(ctx, method, substituted(c.Str(0), c.Array(2)), body.reader)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "*/*")
	r.Header.Set("User-Agent", "") // none unless the script gives one
	if body.kind != "" {
		r.Header.Set("Content-Type", body.kind)
	}
	given := map[string]bool{}
	for line := range o.Array("headers").Values() {
		setHeader(r, line.Text(), given)
	}
	return r, nil
}

// substituted puts values in place of $1, $2 and so on.
func substituted(url string, values *value.Array) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(url, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		n, _ := strconv.Atoi(digits)
		if v, ok := values.At(n - 1); ok {
			b.WriteString(escape(v.Text()))
		} else {
			b.WriteString("$" + digits)
		}
		url = rest[len(digits):]
	}
}

// escape writes all but unreserved bytes as percent signs (RFC 3986 §2.1).
func escape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// setHeader sets the header of a line, in place of a default or behind those that
// were given before it, or takes it away if it is empty.
func setHeader(r *http.Request, line string, given map[string]bool) {
	name, text, _ := strings.Cut(line, ":")
	name, text = http.CanonicalHeaderKey(strings.TrimSpace(name)), strings.TrimSpace(text)
	switch {
	case name == "Host":
		r.Host = text
	case name == "Content-Length":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && r.Body != nil {
			r.ContentLength = n
		}
	case text != "" && given[name]:
		r.Header.Add(name, text)
	case text != "":
		given[name] = true
		r.Header.Set(name, text)
	case name == "User-Agent":
		r.Header.Set(name, "")
	default:
		r.Header.Del(name)
	}
}

// read returns the body, as large as it may be.
func read(c *value.Call, response *http.Response) (string, error) {
	o := c.Options(1)
	var b strings.Builder
	if o.Bool("response_headers") {
		b.WriteString(response.Proto + " " + response.Status + "\r\n")
		response.Header.Write(&b) //nolint:errcheck // into memory
		b.WriteString("\r\n")
	}
	most := -1
	if o.Has("max_file_size") {
		most = o.Int("max_file_size")
	}
	var growth value.Growth
	piece, size := make([]byte, 1<<15), 0
	for {
		n, err := response.Body.Read(piece)
		b.Write(piece[:n])
		if size += n; most >= 0 && size > most {
			return "", errTooLarge
		}
		if err := growth.To(c.Thread, b.Len()); err != nil {
			return "", err
		}
		if errors.Is(err, io.EOF) {
			return b.String(), nil
		}
		if err != nil {
			return "", err
		}
	}
}

var errTooLarge = value.Errorf("http: the response is too large")

func result(c *value.Call, response *http.Response, content string) (value.Value, error) {
	o := c.Options(1)
	if o.Bool("extended_result") {
		return value.FromArray(value.Map("status", value.Int(response.StatusCode), "content", value.String(content))), c.Alloc(len(content))
	}
	if response.StatusCode/100 != 2 && !o.Bool("response_headers") {
		return value.None, nil
	}
	return declare.Text(c, content)
}
