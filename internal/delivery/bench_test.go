package delivery_test

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// BenchmarkRelay sends 10 KB messages over one pooled connection on loopback.
// The sink is a goroutine of the same process; cpu-µs/op is the CPU time of both
// together. On two cores that is about 12 with CHUNKING, 20 with DATA and 110
// with a connection for each message, at 24, 21 and 86 allocations.
func BenchmarkRelay(b *testing.B) {
	for _, c := range []struct {
		name, ext string
		pool      bool
	}{{"CHUNKING", "CHUNKING", true}, {"DATA", "8BITMIME", true}, {"new connection", "CHUNKING", false}} {
		b.Run(c.name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					go drain(b, conn, c.ext)
				}
			}()
			cour := courier(b, delivery.Options{PoolSize: 1})
			a := attempt(b, &delivery.Transport{TLS: plain, Pooling: delivery.Pooling{Enabled: c.pool, Transactions: 1 << 30}})
			body := []byte("Subject: x\r\n\r\n" + strings.Repeat("0123456789012345678901234567890123456789012345678901234567890123\r\n", 155))
			a.Content = func() (delivery.Content, error) { return text{bytes.NewReader(body)}, nil }
			d := &delivery.Destination{Hosts: []delivery.Host{{Name: "mx", Addr: netip.MustParseAddrPort(l.Addr().String())}}}
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				if out := cour.Deliver(b.Context(), a, d); out.Status != delivery.Delivered {
					b.Fatal(out.Reply, out.Err)
				}
			}
			b.ReportMetric(float64((cpu()-before).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// cpu is the time that the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
