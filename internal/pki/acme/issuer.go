package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mholt/acmez/v3"
	wire "github.com/mholt/acmez/v3/acme"
)

// Issuer orders certificates from one authority. Errors are *Problem.
type Issuer interface {
	// Obtain makes one order and meets one challenge.
	Obtain(ctx context.Context, o *Order) (*Issued, error)
	// RenewalInfo asks when a certificate should be renewed (RFC 9773).
	RenewalInfo(ctx context.Context, leaf *x509.Certificate) (Window, error)
	// Describe says what the authority says of itself.
	Describe(ctx context.Context) (Directory, error)
}

// Order is what is ordered.
type Order struct {
	Name       string
	Key        crypto.Signer
	Challenges []string // acceptable ones, in order of preference
	Profile    string
	// Replaces is the certificate that this one renews; nil when it must not be
	// named.
	Replaces *x509.Certificate
	// ReplacesAccount is the account that ordered it. One of another account is
	// not named, for the order would be refused.
	ReplacesAccount string
}

// Issued is what came of it.
type Issued struct {
	Chain     []byte // PEM, leaf first
	Leaf      *x509.Certificate
	Account   string // URI
	Directory string
}

// Window is when an authority wants a certificate to be renewed.
type Window struct {
	Start, End time.Time
	RetryAfter time.Time // when to ask again; zero: unsaid
	URL        string    // explains it; mostly empty
}

// Directory is what an authority says of itself.
type Directory struct {
	URL           string
	CAAIdentities []string // names in CAA records that allow it to issue
	Profiles      []string
	Terms         string
	NeedsBinding  bool // external account binding
}

// client is the Issuer that speaks ACME.
type client struct {
	acme      wire.Client
	authority Authority
	accounts  *accounts
	responder *Responder
	publisher Publisher // nil: no challenge by DNS
}

func newClient(a Authority, email string, s Storage, r *Responder, p Publisher, agent string) *client {
	transport := a.transport()
	c := &client{authority: a, responder: r, publisher: p}
	c.acme = wire.Client{
		Directory: a.Directory, UserAgent: agent, PollTimeout: 3 * time.Minute,
		HTTPClient: &http.Client{Transport: retryAfterNoter{transport}, Timeout: time.Minute},
	}
	c.accounts = &accounts{acme: &c.acme, authority: a, email: email, storage: s}
	return c
}

// Describe implements Issuer.
func (c *client) Describe(ctx context.Context) (Directory, error) {
	d, err := c.acme.GetDirectory(ctx)
	if err != nil {
		return Directory{}, translate(ctx, err)
	}
	out := Directory{URL: c.authority.Directory}
	if m := d.Meta; m != nil {
		out.CAAIdentities, out.Terms, out.NeedsBinding = m.CAAIdentities, m.TermsOfService, m.ExternalAccountRequired
		for name := range m.Profiles {
			out.Profiles = append(out.Profiles, name)
		}
		slices.Sort(out.Profiles)
	}
	return out, nil
}

// Obtain implements Issuer. The account that the authority has forgotten is
// registered once more.
func (c *client) Obtain(ctx context.Context, o *Order) (*Issued, error) {
	ctx = noteRetryAfter(ctx)
	issued, err := c.obtain(ctx, o)
	if problem := translate(ctx, err); problem != nil && problem.Code == "acme:accountDoesNotExist" {
		c.accounts.forget()
		issued, err = c.obtain(ctx, o)
	}
	if err != nil {
		return nil, translate(ctx, err)
	}
	return issued, nil
}

func (c *client) obtain(ctx context.Context, o *Order) (*Issued, error) {
	if err := c.checkProfile(ctx, o.Profile); err != nil {
		return nil, err
	}
	account, err := c.accounts.get(ctx)
	if err != nil {
		return nil, err
	}
	order, err := c.newOrder(ctx, account, o)
	if err != nil {
		return nil, err
	}
	if err := c.authorize(ctx, account, order, o.Challenges); err != nil {
		return nil, err
	}
	return c.finish(ctx, account, order, o)
}

func (c *client) checkProfile(ctx context.Context, profile string) error {
	if profile == "" {
		return nil
	}
	d, err := c.Describe(ctx)
	if err == nil && !slices.Contains(d.Profiles, profile) {
		err = &Problem{Code: "acme:invalidProfile", Detail: fmt.Sprintf("the authority has no profile %q; it has %s", profile, strings.Join(d.Profiles, ", "))}
	}
	return err
}

// newOrder names the certificate that is replaced where it may, and does without
// when the authority has it as replaced already.
func (c *client) newOrder(ctx context.Context, account wire.Account, o *Order) (wire.Order, error) {
	order := wire.Order{Profile: o.Profile, Identifiers: []wire.Identifier{{Type: "dns", Value: o.Name}}}
	if o.Replaces != nil && o.ReplacesAccount == account.Location {
		if id, err := wire.ARIUniqueIdentifier(o.Replaces); err == nil {
			order.Replaces = id
		}
	}
	made, err := c.acme.NewOrder(ctx, account, order)
	var problem wire.Problem
	if errors.As(err, &problem) && problem.Type == wire.ProblemTypeAlreadyReplaced && order.Replaces != "" {
		order.Replaces = ""
		made, err = c.acme.NewOrder(ctx, account, order)
	}
	return made, err
}

// authorize meets one challenge of each authorization of the order.
func (c *client) authorize(ctx context.Context, account wire.Account, order wire.Order, challenges []string) error {
	for _, url := range order.Authorizations {
		authz, err := c.acme.GetAuthorization(ctx, account, url)
		if err != nil {
			return err
		}
		if authz.Status == wire.StatusValid {
			continue
		}
		if err := c.meet(ctx, account, authz, challenges); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) meet(ctx context.Context, account wire.Account, authz wire.Authorization, challenges []string) (err error) {
	challenge, err := pickChallenge(authz, challenges)
	if err != nil {
		return err
	}
	withdraw, err := c.present(ctx, account, authz, challenge)
	if err != nil {
		return err
	}
	defer func() { withdraw(context.WithoutCancel(ctx)) }()
	if _, err = c.acme.InitiateChallenge(ctx, account, challenge); err != nil {
		return err
	}
	_, err = c.acme.PollAuthorization(ctx, account, authz)
	return err
}

func pickChallenge(authz wire.Authorization, wanted []string) (wire.Challenge, error) {
	var offered []string
	for _, w := range wanted {
		for _, c := range authz.Challenges {
			if c.Type == w {
				return c, nil
			}
		}
	}
	for _, c := range authz.Challenges {
		offered = append(offered, c.Type)
	}
	return wire.Challenge{}, &Problem{Code: codeNoSolution, Detail: fmt.Sprintf("the authority offers the challenges %s for %s, pki.acme.challenges allows %s",
		strings.Join(offered, ", "), authz.IdentifierValue(), strings.Join(wanted, ", "))}
}

// present makes the answer to a challenge known and returns what takes it away
// again.
func (c *client) present(ctx context.Context, account wire.Account, authz wire.Authorization, challenge wire.Challenge) (func(context.Context), error) {
	name := authz.Identifier.Value
	switch challenge.Type {
	case HTTP01:
		return func(ctx context.Context) { c.responder.remove(ctx, challenge.Token) },
			c.responder.put(ctx, challenge.Token, challenge.KeyAuthorization)
	case TLSALPN01:
		certificate, err := acmez.TLSALPN01ChallengeCert(challenge)
		if err == nil {
			c.responder.putCertificate(name, certificate)
		}
		return func(context.Context) { c.responder.removeCertificate(name) }, err
	case DNS01:
		if c.publisher == nil {
			return nil, &Problem{Code: codeNoSolution, Detail: "the challenge dns-01 needs pki.acme.dns.update or pki.acme.dns.program"}
		}
		record, value := challenge.DNS01TXTRecordName(), challenge.DNS01KeyAuthorization()
		if err := c.publisher.Publish(ctx, record, value); err != nil {
			return nil, &Problem{Code: "dns:publish", Detail: err.Error(), Err: err}
		}
		return func(ctx context.Context) { _ = c.publisher.Withdraw(ctx, record, value) }, nil
	}
	// dns-persist-01: the record stands there since the account was made.
	return func(context.Context) {}, nil
}

// finish has the certificate signed and fetches its chain.
func (c *client) finish(ctx context.Context, account wire.Account, order wire.Order, o *Order) (*Issued, error) {
	csr, err := acmez.NewCSR(o.Key, []string{o.Name})
	if err != nil {
		return nil, err
	}
	if order, err = c.acme.FinalizeOrder(ctx, account, order, csr.Raw); err != nil {
		return nil, err
	}
	chains, err := c.acme.GetCertificateChain(ctx, account, order.Certificate)
	if err != nil {
		return nil, err
	}
	if len(chains) == 0 {
		return nil, errors.New("the authority sent no certificate")
	}
	block, _ := pem.Decode(chains[0].ChainPEM)
	if block == nil {
		return nil, errors.New("the authority sent no certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the authority sent a certificate that cannot be read: %w", err)
	}
	if err := leaf.VerifyHostname(strings.Replace(o.Name, "*.", "x.", 1)); err != nil {
		return nil, fmt.Errorf("the authority sent a certificate for something else: %w", err)
	}
	return &Issued{Chain: chains[0].ChainPEM, Leaf: leaf, Account: account.Location, Directory: c.authority.Directory}, nil
}

// RenewalInfo implements Issuer.
func (c *client) RenewalInfo(ctx context.Context, leaf *x509.Certificate) (Window, error) {
	info, err := c.acme.GetRenewalInfo(ctx, leaf)
	if err != nil {
		return Window{}, &Problem{Code: "acme:renewalInfo", Detail: err.Error(), Err: err}
	}
	w := Window{Start: info.SuggestedWindow.Start, End: info.SuggestedWindow.End, URL: info.ExplanationURL}
	if info.RetryAfter != nil {
		w.RetryAfter = *info.RetryAfter
	}
	return w, nil
}

// translate turns an error of the protocol into a Problem.
func translate(ctx context.Context, err error) *Problem {
	var ours *Problem
	var theirs wire.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &theirs):
		return translateProblem(ctx, &theirs, err)
	}
	p := &Problem{Code: codeUnreached, Detail: err.Error(), RetryAfter: notedRetryAfter(ctx), Err: err}
	if errors.Is(err, context.Canceled) {
		p.Code = codeInternal
	}
	return p
}

func translateProblem(ctx context.Context, theirs *wire.Problem, err error) *Problem {
	p := &Problem{Code: "acme:" + strings.TrimPrefix(theirs.Type, wire.ProblemTypeNamespace), Detail: theirs.Detail, Err: err}
	for _, sub := range theirs.Subproblems {
		p.Detail += "; " + sub.Detail
	}
	// An answer to a poll carries Retry-After as well; only that to a refusal
	// speaks of the next order.
	if theirs.Status == http.StatusTooManyRequests || theirs.Status >= 500 {
		p.RetryAfter = notedRetryAfter(ctx)
	}
	switch {
	case theirs.Type == wire.ProblemTypeRateLimited && pausedText(theirs.Detail):
		p.Code = codePaused
	case theirs.Type == "" || theirs.Type == "about:blank":
		p.Code = "acme:http" + strconv.Itoa(theirs.Status)
	}
	if theirs.Status >= 500 {
		p.Code = "acme:serverInternal"
	}
	return p
}

// pausedText reports whether a refusal wants a person to act: its words are
// shown unchanged, because they hold the address to go to (spec tls.md 11.3).
func pausedText(detail string) bool {
	d := strings.ToLower(detail)
	return strings.Contains(d, "paused") || strings.Contains(d, "unpause") || strings.Contains(d, "temporarily prevented")
}

// retryAfterNoter remembers Retry-After of refusals, which the protocol's client
// does not pass on.
type retryAfterNoter struct{ next http.RoundTripper }

type retryAfterKey struct{}

func noteRetryAfter(ctx context.Context) context.Context {
	return context.WithValue(ctx, retryAfterKey{}, new(time.Time))
}

func notedRetryAfter(ctx context.Context) time.Time {
	if at, ok := ctx.Value(retryAfterKey{}).(*time.Time); ok {
		return *at
	}
	return time.Time{}
}

// RoundTrip implements http.RoundTripper.
func (n retryAfterNoter) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := n.next.RoundTrip(r)
	at, ok := r.Context().Value(retryAfterKey{}).(*time.Time)
	if err != nil || !ok || response.StatusCode < 400 {
		return response, err
	}
	text := response.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		*at = time.Now().Add(time.Duration(seconds) * time.Second)
	} else if date, err := http.ParseTime(text); err == nil {
		*at = date
	}
	return response, nil
}
