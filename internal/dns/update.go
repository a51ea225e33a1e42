package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	wire "github.com/miekg/dns"
)

// Updater changes the records of a zone by dynamic update (RFC 2136), signed
// with TSIG (RFC 8945) where it has a key. It is safe for concurrent use.
type Updater struct {
	Server    netip.AddrPort // the primary server
	Zone      string         // empty: the closest one that Server has
	KeyName   string         // empty: not signed
	Algorithm string         // "hmac-sha256" and the like
	Secret    string         // base64
}

// updateTimeout bounds one exchange with the server.
const updateTimeout = 10 * time.Second

// AddText adds a TXT record with the given life beside those that are there.
func (u *Updater) AddText(ctx context.Context, name, value string, ttl time.Duration) error {
	return u.change(ctx, name, func(m *wire.Msg) {
		m.Insert([]wire.RR{textRecord(name, value, ttl)})
	})
}

// RemoveText removes the TXT record with that value, if it is there.
func (u *Updater) RemoveText(ctx context.Context, name, value string) error {
	return u.change(ctx, name, func(m *wire.Msg) {
		m.Remove([]wire.RR{textRecord(name, value, 0)})
	})
}

func textRecord(name, value string, ttl time.Duration) wire.RR {
	header := wire.RR_Header{Name: wire.Fqdn(name), Rrtype: wire.TypeTXT, Class: wire.ClassINET, Ttl: uint32(ttl / time.Second)}
	return &wire.TXT{Hdr: header, Txt: []string{value}}
}

func (u *Updater) change(ctx context.Context, name string, edit func(*wire.Msg)) error {
	zone, err := u.zoneOf(ctx, name)
	if err != nil {
		return err
	}
	m := new(wire.Msg).SetUpdate(wire.Fqdn(zone))
	edit(m)
	answer, err := u.exchange(ctx, m)
	if err == nil && answer.Rcode != wire.RcodeSuccess {
		err = rcodeError(answer.Rcode)
	}
	if err != nil {
		return fmt.Errorf("dns: update of %s at %s: %w", name, u.Server, err)
	}
	return nil
}

// zoneOf asks the server for the SOA record of the name and of those above it.
func (u *Updater) zoneOf(ctx context.Context, name string) (string, error) {
	if u.Zone != "" {
		return u.Zone, nil
	}
	for zone := strings.TrimSuffix(name, "."); zone != ""; {
		m := new(wire.Msg).SetQuestion(wire.Fqdn(zone), wire.TypeSOA)
		answer, err := u.exchange(ctx, m)
		if err != nil {
			return "", fmt.Errorf("dns: zone of %s at %s: %w", name, u.Server, err)
		}
		for _, rr := range answer.Answer {
			if soa, ok := rr.(*wire.SOA); ok && strings.EqualFold(soa.Hdr.Name, wire.Fqdn(zone)) {
				return zone, nil
			}
		}
		_, zone, _ = strings.Cut(zone, ".")
	}
	return "", fmt.Errorf("dns: %s has no zone that %s belongs to", u.Server, name)
}

// exchange sends a message over TCP, which suits what is signed and long.
func (u *Updater) exchange(ctx context.Context, m *wire.Msg) (*wire.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	c := &wire.Client{Net: "tcp", Timeout: updateTimeout}
	if u.KeyName != "" {
		key := wire.Fqdn(strings.ToLower(u.KeyName))
		c.TsigSecret = map[string]string{key: u.Secret}
		m.SetTsig(key, wire.Fqdn(u.Algorithm), 300, time.Now().Unix())
	}
	answer, _, err := c.ExchangeContext(ctx, m, u.Server.String())
	var network *net.OpError
	if err != nil && answer != nil && !errors.As(err, &network) && answer.Rcode != wire.RcodeSuccess {
		return answer, nil // a refusal need not be signed
	}
	return answer, err
}
