package lookup

import (
	"context"
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/spf"
)

var _ engine.Sender = (*Resolver)(nil)

// CheckHost implements engine.Sender: spf_query.
func (r *Resolver) CheckHost(ctx context.Context, q engine.SenderQuery) (result, reason string) {
	ip, err := netip.ParseAddr(q.IP)
	if err != nil {
		return string(spf.PermError), "not an IP address"
	}
	from, stop, err := r.from(q.Servers, q.Port)
	if err != nil {
		return string(spf.TempError), err.Error()
	}
	defer stop()
	found := spf.NewChecker(senders{from}, spf.Options{Timeout: q.Within}).Check(ctx, ip, q.Helo, q.Sender)
	return string(found.Status), found.Reason
}
