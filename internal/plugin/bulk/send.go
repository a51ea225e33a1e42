package bulk

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// The formats of a request.
const (
	ndjson    = "ndjson"    // each text and a line break
	jsonArray = "jsonarray" // an array of texts; a text alone where a request takes one
	custom    = "custom"    // texts behind each other
)

// sender makes the requests of one queue.
type sender struct {
	settings
	client *http.Client
	fields http.Header
	scope  *scope // of signatures; nil: there are none
}

func newSender(s settings) *sender {
	d := &net.Dialer{Timeout: s.ConnectTimeout}
	n := &sender{settings: s, client: &http.Client{
		Timeout: s.Timeout,
		Transport: &http.Transport{
			DialContext: d.DialContext, Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: s.ConnectTimeout,
			TLSClientConfig:     &tls.Config{InsecureSkipVerify: !s.TLSVerify}, //nolint:gosec // the operator says so
			MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	n.fields, _ = s.header() // New has checked it
	if s.SigV4 != "" {
		n.scope, _ = parseScope(s.SigV4)
	}
	return n
}

// header returns the fields that the settings and the format give.
func (s *settings) header() (http.Header, error) {
	h := http.Header{}
	switch s.Format {
	case ndjson:
		h.Set("Content-Type", "application/x-ndjson")
	case jsonArray:
		h.Set("Content-Type", "application/json")
	}
	given := map[string]bool{}
	for i, line := range s.Headers {
		name, text, ok := strings.Cut(line, ":")
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		if !ok || name == "" || strings.ContainsAny(line, "\r\n") {
			return nil, fmt.Errorf("headers[%d]: want \"Name: value\"", i) // without the line: it may hold a password
		}
		if !given[name] {
			h.Del(name)
		}
		given[name] = true
		h.Add(name, strings.TrimSpace(text))
	}
	return h, nil
}

// payload is the body of a request.
func (n *sender) payload(texts []string) string {
	var b strings.Builder
	b.WriteString(n.Preamble)
	list := n.Format == jsonArray && n.MaxItems > 1
	if list {
		b.WriteByte('[')
	}
	for i, text := range texts {
		if list && i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text)
		if n.Format == ndjson {
			b.WriteByte('\n')
		}
	}
	if list {
		b.WriteByte(']')
	}
	b.WriteString(n.Postamble)
	return b.String()
}

// send makes one request. An error says what the server answered.
func (n *sender) send(ctx context.Context, texts []string) error {
	body := n.payload(texts)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, n.URL, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = n.fields.Clone()
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	switch {
	case n.scope != nil:
		n.scope.sign(r, body, n.Username, n.Password, time.Now())
	case n.Username != "":
		r.SetBasicAuth(n.Username, n.Password)
	}
	answer, err := n.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	start, err := io.ReadAll(io.LimitReader(answer.Body, shown))
	if err == nil {
		_, err = io.CopyN(io.Discard, answer.Body, mostAnswer) // so that the connection is used again
	}
	if answer.StatusCode/100 == 2 {
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%d, and then %w", answer.StatusCode, err)
		}
		return nil
	}
	return fmt.Errorf("%d %s", answer.StatusCode, strings.TrimSpace(strings.ToValidUTF8(string(start), "?")))
}

const (
	shown      = 2048    // of an answer that says what is wrong
	mostAnswer = 1 << 20 // that is read at all
)

func (n *sender) close() { n.client.CloseIdleConnections() }
