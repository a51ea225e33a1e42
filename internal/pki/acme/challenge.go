package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"sync"
)

// The ways to show that a name is ours (RFC 8555 §8, RFC 8737).
const (
	HTTP01       = "http-01"
	TLSALPN01    = "tls-alpn-01"
	DNS01        = "dns-01"
	DNSPersist01 = "dns-persist-01"
)

// alpn is the protocol that an authority asks for (RFC 8737 §6.2).
const alpn = "acme-tls/1"

// ChallengePrefix is where authorities look (RFC 8555 §8.3).
const ChallengePrefix = "/.well-known/acme-challenge/"

// Responder answers authorities, and our own look at ourselves. It is safe for
// concurrent use.
type Responder struct {
	mu      sync.RWMutex
	storage Storage                     // nil: not started
	answers map[string]string           // by token
	certs   map[string]*tls.Certificate // by name
}

func newResponder() *Responder {
	return &Responder{answers: map[string]string{}, certs: map[string]*tls.Certificate{}}
}

func (r *Responder) use(s Storage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.storage = s
}

// put makes the answer to a token known, here and to all who share the storage:
// any of them may be asked.
func (r *Responder) put(ctx context.Context, token, answer string) error {
	r.mu.Lock()
	r.answers[token] = answer
	r.mu.Unlock()
	return r.storage.Store(ctx, challengeKey(token), []byte(answer))
}

func (r *Responder) remove(ctx context.Context, token string) {
	r.mu.Lock()
	delete(r.answers, token)
	r.mu.Unlock()
	_ = r.storage.Delete(ctx, challengeKey(token)) // an old answer does no harm
}

func (r *Responder) putCertificate(name string, c *tls.Certificate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.certs[name] = c
}

func (r *Responder) removeCertificate(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.certs, name)
}

// ServeHTTP answers below /.well-known/acme-challenge/ and nothing else. It
// never redirects.
func (r *Responder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	token, ok := strings.CutPrefix(request.URL.Path, ChallengePrefix)
	if !ok || request.Method != http.MethodGet && request.Method != http.MethodHead {
		http.NotFound(w, request)
		return
	}
	answer, ok := r.answer(request.Context(), token)
	if !ok {
		http.NotFound(w, request)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write([]byte(answer))
}

func (r *Responder) answer(ctx context.Context, token string) (string, bool) {
	if strings.Contains(token, "/") || CheckKey(challengeKey(token)) != nil {
		return "", false
	}
	r.mu.RLock()
	answer, ok := r.answers[token]
	storage := r.storage
	r.mu.RUnlock()
	if ok || storage == nil {
		return answer, ok
	}
	data, err := storage.Load(ctx, challengeKey(token))
	return string(data), err == nil
}

// errNotChallenge ends handshakes that ask for anything but a challenge.
var errNotChallenge = errors.New("acme: this listener answers challenges only")

// Config returns the TLS settings of a listener that answers tls-alpn-01 and
// nothing else.
func (r *Responder) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{alpn},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if c := r.Certificate(hello); c != nil {
				return c, nil
			}
			return nil, errNotChallenge
		},
	}
}

// Certificate returns the one that answers a challenge: only to a client that
// asks for that protocol alone (RFC 8737 §3). Any other gets nil.
func (r *Responder) Certificate(hello *tls.ClientHelloInfo) *tls.Certificate {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != alpn {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.certs[strings.ToLower(hello.ServerName)]
}

// candidates are the challenges that suit a name, in order of preference.
func candidates(configured []string, name string) (out []string) {
	if len(configured) == 0 {
		configured = []string{HTTP01}
	}
	for _, c := range configured {
		if !strings.HasPrefix(name, "*.") || c == DNS01 || c == DNSPersist01 {
			out = append(out, c)
		}
	}
	return out
}
