package arc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/authres"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/message"
)

// Status is the state of a chain (RFC 8617 §4.4).
type Status string

const (
	None Status = "none" // there is no chain
	Pass Status = "pass"
	Fail Status = "fail"
)

// Options says what a Validator takes upon itself.
type Options struct {
	// Timeout is for all look-ups of a chain together. 0 means 10 s.
	Timeout time.Duration
	// MaxHeader is how many bytes of header Message reads. Chains of a message
	// with more do not pass. 0 means 1 MB.
	MaxHeader int
}

// Validator validates chains. It is safe for concurrent use.
type Validator struct {
	resolver dkim.Resolver
	options  Options
}

// NewValidator returns a Validator that looks up keys with r.
func NewValidator(r dkim.Resolver, o Options) *Validator {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.MaxHeader = cmp.Or(o.MaxHeader, 1<<20)
	return &Validator{resolver: r, options: o}
}

// Result is what became of a chain.
type Result struct {
	Status Status
	Err    error // why Status is Fail
	Chain  *Chain
	// Oldest is the lowest instance since which the message has not changed, 0
	// when it never did and when Status is not Pass (RFC 8617 §5.2 step 5).
	Oldest int
}

// Temporary reports whether the chain may be found in order later, because keys
// could not be had now.
func (r Result) Temporary() bool { return errors.Is(r.Err, dkim.ErrUnavailable) }

// Reason returns why the chain failed, as one line of text, or "".
func (r Result) Reason() string {
	if r.Err == nil {
		return ""
	}
	return strings.Join(strings.Fields(r.Err.Error()), " ")
}

// Method returns the result for an Authentication-Results field (RFC 8617 §10.2).
func (r Result) Method() authres.Method {
	m := authres.Method{Name: "arc", Result: string(r.Status), Reason: r.Reason()}
	if r.Temporary() { // what our resolver had to say is nobody else's business
		m.Reason = dkim.ErrUnavailable.Error()
	}
	if r.Status == Pass {
		m.Comment = "i=" + strconv.Itoa(len(r.Chain.Sets))
		m.Add("header", "oldest-pass", strconv.Itoa(r.Oldest))
	}
	return m
}

// Validation is one chain on its way to a Result.
type Validation struct {
	header   *dkim.Header
	body     *dkim.Body
	chain    *Chain
	verifier *dkim.Verifier
	timeout  time.Duration
	checks   []dkim.Check
}

// Begin finds the chain of a header and tells the body which hashes it needs. The
// body must not have been read yet.
func (v *Validator) Begin(h *dkim.Header, b *dkim.Body) *Validation {
	once := &memo{resolver: v.resolver, answers: map[string]*answer{}}
	x := &Validation{
		header: h, body: b, chain: Collect(h), timeout: v.options.Timeout,
		verifier: dkim.NewVerifier(once, dkim.VerifyOptions{Timeout: v.options.Timeout}),
	}
	if x.chain.Err != nil {
		return x
	}
	for _, s := range x.chain.Sets {
		x.checks = append(x.checks, x.verifier.Check(s.Message.Field, b))
	}
	return x
}

// Finish validates the chain when the body is closed. It may be called once.
func (x *Validation) Finish(ctx context.Context) Result {
	r := Result{Status: None, Chain: x.chain, Err: x.chain.Err}
	if len(x.chain.Sets) == 0 && r.Err == nil {
		return r
	}
	ctx, cancel := context.WithTimeout(ctx, x.timeout)
	defer cancel()
	if r.Err == nil {
		r.Oldest, r.Err = x.messages(ctx)
	}
	if r.Err == nil {
		r.Err = x.seals(ctx)
	}
	if r.Status = Pass; r.Err != nil {
		r.Status, r.Oldest = Fail, 0
	}
	return r
}

// messages does steps 4 and 5 of RFC 8617 §5.2: the newest signature must be
// right, older ones may be.
func (x *Validation) messages(ctx context.Context) (oldest int, err error) {
	last := len(x.checks) - 1
	if newest := x.verifier.Verify(ctx, x.header, x.body, x.checks[last])[0]; newest.Status != dkim.Pass {
		return 0, fmt.Errorf("%w in set %d: %w", ErrMessage, last+1, newest.Err)
	}
	older := x.verifier.Verify(ctx, x.header, x.body, x.checks[:last]...)
	for i := len(older) - 1; i >= 0; i-- {
		if older[i].Status != dkim.Pass {
			return i + 2, nil
		}
	}
	return 0, nil
}

// seals does step 6. The keys are looked up side by side.
func (x *Validation) seals(ctx context.Context) error {
	sets := x.chain.Sets
	errs := make([]error, len(sets))
	var wait sync.WaitGroup
	for i, s := range sets {
		wait.Go(func() {
			key, err := x.verifier.Key(ctx, s.Seal.Domain, s.Seal.Selector)
			if err == nil {
				err = x.prove(key, i)
			}
			errs[i] = err
		})
	}
	wait.Wait()
	for i := len(errs) - 1; i >= 0; i-- {
		if errs[i] != nil {
			return fmt.Errorf("%w in set %d: %w", ErrSeal, i+1, errs[i])
		}
	}
	return nil
}

func (x *Validation) prove(key *dkim.Key, i int) error {
	seal := x.chain.Sets[i].Seal
	if seal.Algorithm == dkim.RSASHA1 {
		return fmt.Errorf("%w: %s", dkim.ErrAlgorithm, seal.Algorithm)
	}
	return key.Verify(seal.Algorithm, x.chain.sealed(i), seal.Data)
}

// Message validates the chain of a whole message of the given size. The error is
// that of reading.
func (v *Validator) Message(ctx context.Context, r io.ReaderAt, size int64) (Result, error) {
	block, _, err := message.ReadHeader(r, size, v.options.MaxHeader)
	if err != nil {
		return Result{}, err
	}
	h, b := dkim.NewHeader(block), new(dkim.Body)
	x := v.Begin(h, b)
	if len(x.checks) > 0 {
		if err := dkim.ReadBody(b, r, size, len(block)); err != nil {
			return Result{}, err
		}
	}
	return x.Finish(ctx), nil
}

// memo asks for each name once. It lives as long as one validation.
type memo struct {
	resolver dkim.Resolver

	mu      sync.Mutex
	answers map[string]*answer
}

type answer struct {
	once  sync.Once
	texts []string
	err   error
}

func (m *memo) TXT(ctx context.Context, name string) ([]string, error) {
	m.mu.Lock()
	a := m.answers[name]
	if a == nil {
		a = new(answer)
		m.answers[name] = a
	}
	m.mu.Unlock()
	a.once.Do(func() { a.texts, a.err = m.resolver.TXT(ctx, name) })
	return a.texts, a.err
}
