package source

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// BenchmarkLoopback sends 10 KB messages over loopback to a sink in the same
// process. cpu-µs/msg is user and system time of both ends together. On two
// cores of a virtual machine: 15 µs with one session (66,000 msg/s), 17 µs with
// 20 (73,000 msg/s), 11 µs with 20 and CHUNKING (119,000 msg/s), and 3
// allocations. As two processes, with 20 sessions: source 12 µs, sink 13 µs.
func BenchmarkLoopback(b *testing.B) {
	for _, test := range []struct {
		sessions int
		chunking bool
		ledger   *sequence.Ledger
	}{{1, false, nil}, {20, false, nil}, {100, false, nil}, {20, true, nil}, {20, false, new(sequence.Ledger)}} {
		b.Run(fmt.Sprintf("sessions=%d/chunking=%t/ledger=%t", test.sessions, test.chunking, test.ledger != nil), func(b *testing.B) {
			peer := startSink(b, sink.Options{Ledger: test.ledger})
			s := newSource(b, peer, Options{Sessions: test.sessions, Messages: uint64(b.N), Chunking: test.chunking})
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime(b)
			if _, err := s.Run(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/msg")
			if n := peer.Stats().Messages; n != int64(b.N) {
				b.Errorf("%d of %d messages arrived", n, b.N)
			}
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
