package delivery_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// FuzzHost lets a host say anything, all at once, before it hangs up. Whatever
// it is, the attempt ends in a proper outcome, and a message only counts as
// delivered when the host has said so after all of it.
func FuzzHost(f *testing.F) {
	for _, s := range []string{
		"", "220 x\r\n", "220 x\r\n250 x\r\n250 a\r\n250 b\r\n354 c\r\n250 d\r\n221 e\r\n",
		"220-x\r\n220 y\r\n250-x\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-SIZE 99\r\n250-LIMITS MAILMAX=1\r\n250 DSN\r\n250 a\r\n250 b\r\n250 c\r\n221 d\r\n",
		"220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n", "220 x\r\n502 x\r\n250 x\r\n421 x\r\n",
		"220 x\r\n250-x\r\n250 AUTH PLAIN LOGIN CRAM-MD5\r\n334 \r\n334 !!\r\n235 ok\r\n", "999999\r\n", "220\n", "\x00\xff",
		"220 x\r\n250-x\r\n250 PIPELINING\r\n250 a\r\n550 b\r\n354 c\r\n554 d\r\n",
	} {
		f.Add(s, uint8(0))
		f.Add(s, uint8(7))
	}
	f.Fuzz(func(t *testing.T, said string, how uint8) {
		tr := &delivery.Transport{TLS: plain, Pooling: delivery.Pooling{Enabled: how&1 != 0}}
		if how&2 != 0 {
			tr.Protocol = delivery.LMTP
		}
		if how&4 != 0 {
			tr.Auth = delivery.Auth{Username: "u", Password: "p"}
			tr.XClient = map[string]string{"NAME": "x"}
		}
		if how&8 != 0 {
			tr.TLS.Mode = delivery.TLSOptional
		}
		var heard []*memConn
		c := delivery.New(noDNS{}, delivery.Options{
			Hostname: "client.example", PoolSize: 1,
			Dial: func(_ context.Context, _ *delivery.Source, remote netip.AddrPort) (net.Conn, error) {
				client, server := pipe(remote, remote)
				_, _ = io.WriteString(server, said)
				server.out.set(func(h *half) { h.closed = true })
				heard = append(heard, server)
				return client, nil
			},
		}, delivery.Events{})
		out := c.Deliver(t.Context(), attempt(t, tr), hosts(2))
		c.Stop()
		check(t, &out, said, heard)
		if n := c.Metrics().Concurrent.Load(); n != 0 {
			t.Fatalf("%d connections are still counted", n)
		}
	})
}

func check(t *testing.T, out *delivery.Outcome, said string, heard []*memConn) {
	switch {
	case out.Status < delivery.Delivered || out.Status > delivery.Failed || out.Stage == 0:
		t.Fatalf("%+v", out)
	case out.Reply.IsZero() || len(out.Reply.Lines) == 0 || !out.FromPeer && out.Err == nil:
		t.Fatalf("no reason: %+v", out)
	case out.FromPeer && !strings.Contains(said, out.Reply.Text()[:min(len(out.Reply.Lines[0]), 1)]):
		t.Fatalf("never said: %+v", out)
	case out.Status == delivery.Delivered:
		sent := heard[len(heard)-1].in.buffered()
		if !out.Reply.Positive() || !strings.Contains(sent, "last\r\n") {
			t.Fatalf("not all was sent: %q, %+v", sent, out)
		}
	}
	if class := out.EnhancedCode()[0]; class != map[delivery.Status]uint16{2: 4, 3: 5, 1: 2}[out.Status] {
		t.Fatalf("class %d: %+v", class, out)
	}
}

// A host that talks without end costs no more than the time for one reply, and
// no more memory than a long reply.
func TestEndlessHost(t *testing.T) {
	for name, line := range map[string]string{
		"a line":     strings.Repeat("x", 10_000),
		"a reply":    "220-more\r\n",
		"long lines": "220-" + strings.Repeat("x", 1900) + "\r\n",
		"drops":      "2",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				written := 0
				c := delivery.New(noDNS{}, delivery.Options{
					Dial: func(_ context.Context, _ *delivery.Source, remote netip.AddrPort) (net.Conn, error) {
						client, server := pipe(remote, remote)
						go func() {
							for {
								if _, err := io.WriteString(server, line); err != nil {
									return
								}
								written += len(line)
								time.Sleep(10 * time.Millisecond)
							}
						}()
						return client, nil
					},
				}, delivery.Events{})
				out := c.Deliver(t.Context(), attempt(t, &delivery.Transport{}), hosts(1))
				synctest.Wait()
				if out.Status != delivery.Deferred || out.Stage != delivery.StageBanner || out.Duration > 5*time.Minute {
					t.Errorf("%+v", out)
				}
				if written > 1<<20 {
					t.Errorf("%d bytes were listened to", written)
				}
				time.Sleep(time.Second) // the host notices
			})
		})
	}
}
