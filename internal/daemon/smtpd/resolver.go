package smtpd

import (
	"context"
	"errors"
	"time"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// resolver is control.Resolver: delivery's view of the DNS.
type resolver struct {
	courier *delivery.Courier
	dns     *dns.Resolver
}

func (r resolver) Query(ctx context.Context, domain string, seed envelope.ID, retry uint32) (*delivery.Destination, *delivery.Outcome) {
	return r.courier.Query(ctx, domain, seed, retry)
}

func (r resolver) Clear(name string) int { return r.dns.Clear(name) }

func (r resolver) Answers(yield func(control.Answer) bool) {
	for c := range r.dns.Cached() {
		a := control.Answer{Name: c.Name, Type: c.Type.String(), TTL: time.Until(c.Until).Round(time.Second)}
		if c.Answer != nil {
			a.Secure = c.Answer.Secure
			for _, record := range c.Answer.Records {
				a.Records = append(a.Records, record.Data.String())
			}
		}
		if err := errors.Join(c.Err, failure(c.Answer)); err != nil {
			a.Error = err.Error()
		}
		if !yield(a) {
			return
		}
	}
}

// failure is why an answer holds nothing.
func failure(a *dns.Answer) error {
	if a == nil {
		return nil
	}
	return a.Err()
}
