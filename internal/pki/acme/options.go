package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"
	"time"

	"github.com/posthaste-mta/posthaste/internal/metric"
)

// Options are what a reload may change (spec tls.md 3).
type Options struct {
	// Agreed and Email switch the manager on. Without either nothing is asked of
	// anybody, and what was obtained before is served all the same.
	Agreed bool
	Email  string // NoEmail registers without one
	// Fault, where it is set, says why nothing is obtained in spite of both.
	Fault string

	Authorities []Authority // in order; the later ones stand in for the first
	Profile     string      // empty: the authority's choice
	Challenges  []string    // in order of preference; empty: http-01
	Publisher   Publisher   // for dns-01
	KeyType     KeyType
	ReuseKey    func(name string) bool // nil: never
	RenewBefore time.Duration
	ARI         bool
	Intervals   []time.Duration // after failures; empty: Intervals
	Concurrency int             // attempts at once; zero: 4
	Check       Check
	Wants       []Want // canonical, each once, in the order of listings
	Hooks       Hooks
	Exports     []Export
	Budget      Budget // zero: DefaultBudget
}

// Off names what is missing for the manager to do anything; empty when nothing
// is.
func (o *Options) Off() string {
	switch {
	case !o.Agreed:
		return "pki.acme.agreetos is not set"
	case o.Email == "":
		return "pki.acme.email is not set"
	}
	return o.Fault
}

// Uses reports whether names may be shown to be ours in that way.
func (o *Options) Uses(challenge string) bool {
	return slices.Contains(candidates(o.Challenges, ""), challenge)
}

func (o *Options) policy() *policy {
	p := &policy{intervals: o.Intervals, renewBefore: o.RenewBefore, ari: o.ARI}
	if p.renewBefore <= 0 {
		p.renewBefore = 30 * 24 * time.Hour
	}
	return p
}

func (o *Options) concurrency() int {
	if o.Concurrency <= 0 {
		return 4
	}
	return o.Concurrency
}

func (o *Options) budget() Budget {
	if o.Budget == (Budget{}) {
		return DefaultBudget
	}
	return o.Budget
}

// KeyType is the kind of a private key.
type KeyType string

// The kinds of keys. Empty means P256.
const (
	P256    KeyType = "p256"
	P384    KeyType = "p384"
	RSA2048 KeyType = "rsa2048"
	RSA3072 KeyType = "rsa3072"
	RSA4096 KeyType = "rsa4096"
)

// make makes a key of that kind.
func (k KeyType) make() (crypto.Signer, error) {
	switch k {
	case P256, "":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA3072:
		return rsa.GenerateKey(rand.Reader, 3072)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, fmt.Errorf("acme: no kind of key is called %q", k)
}

// is reports whether a key is of that kind.
func (k KeyType) is(key crypto.Signer) bool {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return (k == P256 || k == "") && key.Curve == elliptic.P256() || k == P384 && key.Curve == elliptic.P384()
	case *rsa.PrivateKey:
		return k == KeyType(fmt.Sprintf("rsa%d", key.N.BitLen()))
	}
	return false
}

// Parts are what a Keeper stands on for its whole life.
type Parts struct {
	Resolver Resolver
	Agent    string // our name in requests
	Events   Events
	Metrics  *Metrics         // nil: kept but not shown
	Registry *metric.Registry // takes the metrics of single certificates; nil: none are kept

	// Connect makes the Issuer for an authority; nil makes one that speaks ACME.
	Connect func(Authority) Issuer
}

// Events are told what happens. Each may be nil, is called by many goroutines
// and must not wait.
type Events struct {
	// Obtained: a certificate serves. renewed says that there was one before.
	Obtained func(name string, notAfter time.Time, renewed bool)
	// Failed: an attempt ended without one.
	Failed func(name, code, message string, next time.Time)
	// Expiring: the certificate of a name ends soon, and is not renewed.
	Expiring func(name string, notAfter time.Time)
	// Moved: the authority wants a certificate to be renewed earlier than it said.
	Moved func(name string, at time.Time, url string)
	// Warned: something is wrong that stops nothing.
	Warned func(text string)
	// HookLine: a hook printed a line.
	HookLine func(name, hook, line string)
	// HookFailed: a hook failed, and runs again after retry, if that is not zero.
	HookFailed func(hook string, err error, retry time.Duration)
}

func (e *Events) obtained(name string, notAfter time.Time, renewed bool) {
	if e.Obtained != nil {
		e.Obtained(name, notAfter, renewed)
	}
}

func (e *Events) failed(name, code, message string, next time.Time) {
	if e.Failed != nil {
		e.Failed(name, code, message, next)
	}
}

func (e *Events) expiring(name string, notAfter time.Time) {
	if e.Expiring != nil {
		e.Expiring(name, notAfter)
	}
}

func (e *Events) moved(name string, at time.Time, url string) {
	if e.Moved != nil {
		e.Moved(name, at, url)
	}
}

func (e *Events) warned(format string, args ...any) {
	if e.Warned != nil {
		e.Warned(fmt.Sprintf(format, args...))
	}
}

func (e *Events) hookLine(name, hook, line string) {
	if e.HookLine != nil {
		e.HookLine(name, hook, line)
	}
}

func (e *Events) hookFailed(hook string, err error, retry time.Duration) {
	if e.HookFailed != nil {
		e.HookFailed(hook, err, retry)
	}
}

// never is a context that goes on when a caller goes away.
func never(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
