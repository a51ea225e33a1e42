package acme

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
)

// Publisher puts texts into the DNS for the challenge dns-01.
type Publisher interface {
	// Publish returns when the text can be seen at the name, or has had as long
	// as it may take.
	Publish(ctx context.Context, name, value string) error
	// Withdraw removes it again.
	Withdraw(ctx context.Context, name, value string) error
}

// Resolver is what the package asks of the DNS. *dns.Resolver does it.
type Resolver interface {
	Addresses(ctx context.Context, host string, f dns.Families) (dns.Set[netip.Addr], error)
	Query(ctx context.Context, name string, t dns.Type) (*dns.Answer, error)
	TXT(ctx context.Context, name string) (dns.Set[string], error)
}

// challengeTTL lets a text vanish from caches soon.
const challengeTTL = time.Minute

// Updated publishes by dynamic update. A name that is an alias is followed: that
// is how owners of domains delegate challenges.
type Updated struct {
	Updater  *dns.Updater
	Resolver Resolver
	Wait     time.Duration // how long records may take to be seen
}

// Publish implements Publisher.
func (u *Updated) Publish(ctx context.Context, name, value string) error {
	target := u.target(ctx, name)
	if err := u.Updater.AddText(ctx, target, value, challengeTTL); err != nil {
		return err
	}
	return seen(ctx, u.Resolver, target, value, u.Wait)
}

// Withdraw implements Publisher.
func (u *Updated) Withdraw(ctx context.Context, name, value string) error {
	return u.Updater.RemoveText(ctx, u.target(ctx, name), value)
}

// target is where the alias at name leads.
func (u *Updated) target(ctx context.Context, name string) string {
	a, err := u.Resolver.Query(ctx, name, dns.TypeCNAME)
	if err != nil {
		return name
	}
	for _, r := range a.Records {
		if alias, ok := r.Data.(dns.Name); ok && r.Type == dns.TypeCNAME && r.Name == strings.ToLower(name) {
			return string(alias)
		}
	}
	return name
}

// Program publishes by running a program with "present" or "cleanup", the name
// and the text.
type Program struct {
	Path     string
	Resolver Resolver
	Wait     time.Duration
}

// Publish implements Publisher.
func (p *Program) Publish(ctx context.Context, name, value string) error {
	if err := p.run(ctx, "present", name, value); err != nil {
		return err
	}
	return seen(ctx, p.Resolver, name, value, p.Wait)
}

// Withdraw implements Publisher.
func (p *Program) Withdraw(ctx context.Context, name, value string) error {
	return p.run(ctx, "cleanup", name, value)
}

func (p *Program) run(ctx context.Context, verb, name, value string) error {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.Path, verb, name, value)
	cmd.Dir, cmd.Env = "/", append(cleanEnvironment(), "CERT_DNS_NAME="+name, "CERT_DNS_VALUE="+value)
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("acme: %s %s %s: %w: %s", p.Path, verb, name, err, firstLine(string(out)))
	}
	return nil
}

// seenPoll is how often is looked whether a text can be seen.
const seenPoll = time.Second

// seen waits until the text can be seen at the name, as long as it may take. The
// authority decides in the end: that it cannot be seen from here is no error.
func seen(ctx context.Context, r Resolver, name, value string, wait time.Duration) error {
	deadline := time.Now().Add(wait)
	for {
		if texts, err := r.TXT(ctx, name); err == nil && slices.Contains(texts.Values, value) {
			return nil
		}
		if !time.Now().Before(deadline) {
			return ctx.Err()
		}
		select {
		case <-time.After(seenPoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// firstLine shortens what a program printed.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line[:min(len(line), 200)]
}
