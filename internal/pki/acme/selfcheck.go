package acme

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
)

// Check says how we look whether we reach ourselves by a name before the
// authority is asked (spec tls.md 7).
type Check struct {
	Mode         CheckMode
	Resolver     Resolver      // nil: the manager's
	Connect      string        // address and port in place of those of the name
	Timeout      time.Duration // for each address
	AllowPrivate bool
}

// CheckMode says what a failed check means.
type CheckMode string

// The modes.
const (
	CheckRequire CheckMode = "require" // no order is made
	CheckWarn    CheckMode = "warn"    // it is noted
	CheckOff     CheckMode = "off"
)

// checker looks at one name.
type checker struct {
	Check
	resolver  Resolver
	responder *Responder
	agent     string
}

const (
	checkPrefix  = "Self-check failed: " // people search for it
	mostAnswer   = 1 << 10               // bytes of an answer
	mostRedirect = 10
	dnsPatience  = 5 * time.Second
	mostTargets  = 16 // addresses of a name that are looked at
)

// check returns why the authority would not find us under the name: nil, or a
// *Problem whose code begins with "selfcheck:". ours are the names by which
// CAA records allow the authority. Challenges by DNS need no connection.
func (c *checker) check(ctx context.Context, name, challenge string, ours []string) *Problem {
	var targets []string
	if challenge == HTTP01 || challenge == TLSALPN01 {
		var p *Problem
		if targets, p = c.resolve(ctx, name); p != nil {
			return p
		}
	}
	if c.Connect != "" {
		targets = []string{c.Connect}
	}
	if p := c.checkCAA(ctx, name, ours); p != nil || challenge != HTTP01 {
		return p
	}
	return c.probe(ctx, name, targets)
}

// resolve returns where the authority would connect to.
func (c *checker) resolve(ctx context.Context, name string) ([]string, *Problem) {
	lookup, cancel := context.WithTimeout(ctx, dnsPatience)
	defer cancel()
	set, err := c.resolver.Addresses(lookup, name, 0)
	if err != nil {
		return nil, &Problem{Code: "selfcheck:dns", Err: err, Detail: checkPrefix +
			fmt.Sprintf("DNS lookup failed. Check DNS and verify that %q resolves to an IP address on this host.", name)}
	}
	found := set.Values[:min(len(set.Values), mostTargets)]
	if !c.AllowPrivate && allPrivate(found) {
		return nil, &Problem{Code: "selfcheck:private", Detail: checkPrefix +
			fmt.Sprintf("%s resolves only to private addresses. No public authority can reach %s.", name, list(found))}
	}
	var targets []string
	for _, a := range found {
		targets = append(targets, net.JoinHostPort(a.String(), "80"))
	}
	return targets, nil
}

func allPrivate(all []netip.Addr) bool {
	for _, a := range all {
		if !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified() {
			return false
		}
	}
	return true
}

func list[T fmt.Stringer](all []T) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return strings.Join(texts, ", ")
}

// probe puts a token where the authority will look, and fetches it from every
// address: an authority may choose any of them.
func (c *checker) probe(ctx context.Context, name string, targets []string) *Problem {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	token := "selfcheck-" + hex.EncodeToString(random)
	answer := token + "." + hex.EncodeToString(random[:8])
	if err := c.responder.put(ctx, token, answer); err != nil {
		return problemOf(err)
	}
	defer c.responder.remove(context.WithoutCancel(ctx), token)
	var failed []*Problem
	for _, target := range targets {
		if p := c.fetch(ctx, name, target, token, answer); p != nil {
			failed = append(failed, p)
		}
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) == len(targets):
		failed[0].Detail = checkPrefix + failed[0].Detail
		return failed[0]
	}
	text := ""
	for _, p := range failed {
		text += " " + p.Detail
	}
	return &Problem{Code: "selfcheck:partial", Detail: checkPrefix +
		fmt.Sprintf("%d of %d addresses failed. The authority may choose any of them.%s", len(failed), len(targets), text)}
}

// fetch asks one address for the token, as an authority does: redirects are
// followed, certificates are not looked at.
func (c *checker) fetch(ctx context.Context, name, target, token, want string) *Problem {
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+name+ChallengePrefix+token, nil)
	if err != nil {
		return problemOf(err)
	}
	request.Header.Set("User-Agent", c.agent+"-selfcheck")
	browser := &http.Client{Transport: c.transport(name, target), CheckRedirect: mayFollow}
	defer browser.CloseIdleConnections()
	response, err := browser.Do(request)
	if err != nil {
		return c.explain(err, target)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return c.explain(err, target)
	}
	if response.StatusCode == http.StatusOK && strings.TrimSpace(string(body)) == want {
		return nil
	}
	return &Problem{Code: "selfcheck:wronghost", Detail: fmt.Sprintf(
		"reached a different server at %s: status %d, Server %q. Check DNS, and that a proxy passes %s on to this host.",
		target, response.StatusCode, response.Header.Get("Server"), ChallengePrefix)}
}

// transport connects to the target for the name, and by DNS for any other.
func (c *checker) transport(name, target string) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		// As the authority does (RFC 8555 §8.3): what is at stake is the token alone.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			var d net.Dialer
			if !strings.EqualFold(host, name) {
				set, err := c.resolver.Addresses(ctx, host, 0)
				if err != nil {
					return nil, err
				}
				return d.DialContext(ctx, network, net.JoinHostPort(set.Values[0].String(), port))
			}
			if port == "443" { // a redirect to https of the same host
				to, _, _ := net.SplitHostPort(target)
				return d.DialContext(ctx, network, net.JoinHostPort(to, port))
			}
			return d.DialContext(ctx, network, target)
		},
	}
}

// errRedirect is a redirect that no authority follows.
type errRedirect struct{ why string }

func (e *errRedirect) Error() string { return e.why }

func mayFollow(r *http.Request, before []*http.Request) error {
	port := r.URL.Port()
	switch {
	case len(before) >= mostRedirect:
		return &errRedirect{fmt.Sprintf("a redirect to %s after %d others", r.URL, len(before)-1)}
	case r.URL.Scheme != "http" && r.URL.Scheme != "https", port != "" && port != "80" && port != "443":
		return &errRedirect{fmt.Sprintf("a redirect to %s", r.URL)}
	}
	return nil
}

// explain turns a failed request into words.
func (c *checker) explain(err error, target string) *Problem {
	ip, port, _ := net.SplitHostPort(target)
	var redirect *errRedirect
	var inner *url.Error
	cause := err
	if errors.As(err, &inner) {
		cause = inner.Err
	}
	switch {
	case errors.As(err, &redirect):
		return &Problem{Code: "selfcheck:redirect", Err: err, Detail: redirect.why +
			", which no authority follows. Only http and https on their usual ports are; do not redirect " + ChallengePrefix + "."}
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return &Problem{Code: "selfcheck:timeout", Err: err, Detail: fmt.Sprintf(
			"the connection to %s port %s timed out. Check that a firewall lets it in and that something listens there.", ip, port)}
	}
	return &Problem{Code: "selfcheck:connect", Err: err, Detail: fmt.Sprintf(
		"could not connect to %s port %s: %s. Check that a firewall lets it in and that something listens there.", ip, port, rootCause(cause))}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// rootCause is the error of the system, without the addresses that are named
// already.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// checkCAA looks whether the owner of the domain allows the authority to issue
// (RFC 8659 §3): the records closest to the name decide.
func (c *checker) checkCAA(ctx context.Context, name string, ours []string) *Problem {
	if len(ours) == 0 {
		return nil
	}
	bare, wild := strings.CutPrefix(name, "*.")
	for domain := bare; domain != ""; _, domain, _ = strings.Cut(domain, ".") {
		lookup, cancel := context.WithTimeout(ctx, dnsPatience)
		answer, err := c.resolver.Query(lookup, domain, dns.TypeCAA)
		cancel()
		if err == nil && answer.RCode != dns.NoError && answer.RCode != dns.NXDomain {
			err = answer.Err()
		}
		if err != nil {
			return &Problem{Code: "selfcheck:dns", Err: err, Detail: checkPrefix + fmt.Sprintf(
				"DNS lookup failed. The CAA records of %s cannot be found out, and an authority refuses then: %v.", domain, err)}
		}
		if set := caaSet(answer); len(set) > 0 {
			return judgeCAA(domain, set, wild, ours)
		}
	}
	return nil
}

func caaSet(a *dns.Answer) (set []dns.CAA) {
	for _, r := range a.Records {
		if record, ok := r.Data.(dns.CAA); ok {
			set = append(set, record)
		}
	}
	return set
}

// judgeCAA applies the relevant records.
func judgeCAA(owner string, set []dns.CAA, wild bool, ours []string) *Problem {
	var issue, issueWild []string
	limits, limitsWild := false, false
	for _, r := range set {
		switch tag := strings.ToLower(r.Tag); {
		case tag == "issue":
			issue, limits = append(issue, issuer(r.Value)), true
		case tag == "issuewild":
			issueWild, limitsWild = append(issueWild, issuer(r.Value)), true
		case tag != "iodef" && tag != "contactemail" && tag != "contactphone" && tag != "issuemail" && tag != "issuevmc" && r.Flags&128 != 0:
			return forbids(owner, []string{"nobody who does not know " + tag}, ours)
		}
	}
	if wild && limitsWild {
		issue, limits = issueWild, true
	}
	if !limits {
		return nil
	}
	for _, allowed := range issue {
		for _, one := range ours {
			if strings.EqualFold(allowed, one) {
				return nil
			}
		}
	}
	return forbids(owner, issue, ours)
}

// issuer is the domain of an issue property, without its parameters.
func issuer(value string) string {
	domain, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(domain)
}

func forbids(owner string, allowed, ours []string) *Problem {
	text := strings.Join(allowed, ", ")
	if strings.Trim(text, ", ") == "" {
		text = "nobody"
	}
	return &Problem{Code: "selfcheck:caa", Detail: checkPrefix + fmt.Sprintf(
		"CAA record forbids it. The record at %s allows %s; this authority is %s.", owner, text, strings.Join(ours, " or "))}
}
