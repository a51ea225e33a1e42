package mtasts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"
)

// Result is what a domain has, as far as it is known.
type Result struct {
	Policy *Policy // nil on an error
	Text   string  // of the policy, as it was fetched
	Err    error   // why there is none, although one is announced
	Type   string  // the result type of a report about Err (RFC 8460 §4.3)
}

// Result types of reports (RFC 8460 §4.3.2.2).
const (
	FetchError     = "sts-policy-fetch-error"
	InvalidPolicy  = "sts-policy-invalid"
	InvalidWebCert = "sts-webpki-invalid"
)

const (
	longestPolicy = 64 << 10
	patience      = 10 * time.Second
	// again is how long a domain whose policy cannot be had is left alone (§3.3: no
	// more than once in five minutes).
	again = 5 * time.Minute
	// most is how many domains a Cache knows; beyond that it forgets some.
	most = 20000
)

// Cache keeps policies in memory. It is safe for concurrent use.
type Cache struct {
	client *http.Client

	mu    sync.Mutex
	known map[string]*entry // by domain
}

// entry is what is known of a domain. Whoever fetches holds busy.
type entry struct {
	busy    chan struct{} // holds one while somebody fetches
	id      string
	result  Result // the last policy
	expires time.Time
	failure Result // why there is no newer one
	retry   time.Time
}

// NewCache returns an empty cache that fetches policies with the client, whose
// timeout and handling of redirections it sets; nil takes one that trusts the
// authorities of the system.
func NewCache(client *http.Client) *Cache {
	if client == nil {
		client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	}
	own := *client
	own.Timeout = patience
	// A redirection must not be followed (§3.3).
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Cache{client: &own, known: map[string]*entry{}}
}

// Find returns what is known of a domain that announces the policy of that id, or,
// with an empty id, none; ok is false when there is no policy at all. A policy that
// was fetched before holds for its time, whatever the DNS says now (§3.1), and is
// fetched anew when the id has changed.
func (c *Cache) Find(ctx context.Context, domain, id string) (result Result, ok bool, err error) {
	e := c.entry(domain, id != "")
	if e == nil {
		return Result{}, false, nil
	}
	select {
	case e.busy <- struct{}{}:
		defer func() { <-e.busy }()
	case <-ctx.Done():
		return Result{}, false, context.Cause(ctx)
	}
	now := time.Now()
	valid := e.result.Policy != nil && now.Before(e.expires)
	switch {
	case id == "" || valid && e.id == id:
		return e.result, valid, nil
	case now.Before(e.retry):
	default:
		c.fetch(ctx, domain, id, e)
		if ctx.Err() != nil {
			return Result{}, false, context.Cause(ctx)
		}
		valid = e.result.Policy != nil && time.Now().Before(e.expires)
	}
	if valid {
		return e.result, true, nil
	}
	return e.failure, true, nil
}

func (c *Cache) entry(domain string, wanted bool) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.known[domain]
	if e == nil && wanted {
		for other := range c.known {
			if len(c.known) < most {
				break
			}
			delete(c.known, other)
		}
		e = &entry{busy: make(chan struct{}, 1)}
		c.known[domain] = e
	}
	return e
}

// fetch puts a new policy into the entry, or says why there is none.
func (c *Cache) fetch(ctx context.Context, domain, id string, e *entry) {
	text, kind, err := c.get(ctx, domain)
	var policy *Policy
	if err == nil {
		kind = InvalidPolicy
		policy, err = ParsePolicy(text)
	}
	if err != nil {
		e.failure, e.retry = Result{Text: text, Err: err, Type: kind}, time.Now().Add(again)
		return
	}
	e.id, e.result, e.expires = id, Result{Policy: policy, Text: text}, time.Now().Add(policy.MaxAge)
	e.failure, e.retry = Result{}, time.Time{}
}

// get fetches the text of a policy (§3.3).
func (c *Cache) get(ctx context.Context, domain string) (text, kind string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://mta-sts."+domain+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return "", FetchError, fmt.Errorf("mtasts: %w", err)
	}
	answer, err := c.client.Do(r)
	if err != nil {
		kind = FetchError
		var untrusted *tls.CertificateVerificationError
		if errors.As(err, &untrusted) {
			kind = InvalidWebCert
		}
		return "", kind, fmt.Errorf("mtasts: %w", err)
	}
	defer answer.Body.Close()
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")) // "" if there is none
	switch {
	case answer.StatusCode != http.StatusOK:
		return "", FetchError, fmt.Errorf("mtasts: %s answers with status %d", r.URL.Host, answer.StatusCode)
	case media != "text/plain":
		return "", FetchError, fmt.Errorf("mtasts: %s answers with type %q, want text/plain", r.URL.Host, media)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, longestPolicy+1))
	switch {
	case err != nil:
		return "", FetchError, fmt.Errorf("mtasts: %w", err)
	case len(body) > longestPolicy:
		return "", FetchError, fmt.Errorf("mtasts: the policy is longer than %d bytes", longestPolicy)
	}
	return string(body), "", nil
}
