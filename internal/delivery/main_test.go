package delivery_test

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const message = "Subject: hello\r\n\r\nfirst\r\n.dot\r\nlast\r\n"

// text is Content in memory.
type text struct{ *bytes.Reader }

func (t text) Size() int64 { return t.Reader.Size() }
func (text) Close() error  { return nil }

func content(s string) func() (delivery.Content, error) {
	return func() (delivery.Content, error) { return text{bytes.NewReader([]byte(s))}, nil }
}

// flawed is Content that cannot be read to its end, or says a wrong size.
type flawed struct {
	text
	size int64
	err  error
}

func (f flawed) Size() int64 { return f.size }

func (f flawed) WriteTo(w io.Writer) (int64, error) {
	n, err := f.text.WriteTo(w)
	if err == nil {
		err = f.err
	}
	return n, err
}

// noDNS is a resolver for tests that look nothing up.
type noDNS struct{}

func (noDNS) Destinations(context.Context, dns.Search) ([]dns.Host, error) { panic("not expected") }
func (noDNS) Hosts(context.Context, []string, dns.Families, dns.Seed) ([]dns.Host, error) {
	panic("not expected")
}

func mailbox(t testing.TB, s string) address.Address {
	t.Helper()
	if s == "" || s == "<>" {
		return address.Address{}
	}
	a, err := address.Parse(s)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return a
}

func attempt(t testing.TB, tr *delivery.Transport) *delivery.Attempt {
	return &delivery.Attempt{
		Number: 1, Sender: mailbox(t, "sender@example.org"), Recipient: mailbox(t, "rcpt@example.net"),
		Transport: tr, Size: int64(len(message)), Content: content(message),
	}
}

// hosts are the destinations mx1.example.net, mx2…, at 192.0.2.1 and up.
func hosts(n int) *delivery.Destination {
	d := &delivery.Destination{}
	for i := range n {
		d.Hosts = append(d.Hosts, delivery.Host{
			Name: "mx" + string(rune('1'+i)) + ".example.net",
			Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 25),
		})
	}
	return d
}
