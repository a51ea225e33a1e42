package session

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// null is a Queue that forgets.
type null struct{}

func (null) Body() Body                                         { return &nullBody{} }
func (null) Add(context.Context, *envelope.Message, Body) error { return nil }

// nullBody keeps the header only.
type nullBody struct {
	head [4096]byte
	size int64
}

func (b *nullBody) Write(p []byte) (int, error) {
	if b.size < int64(len(b.head)) {
		copy(b.head[b.size:], p)
	}
	b.size += int64(len(p))
	return len(p), nil
}

func (b *nullBody) ReadAt(p []byte, off int64) (int, error) {
	n := copy(p, b.head[off:min(b.size, int64(len(b.head)))])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (b *nullBody) WriteTo(w io.Writer) (int64, error) { return 0, nil }
func (b *nullBody) Size() int64                        { return b.size }
func (b *nullBody) Discard()                           {}

func benchSettings() *Settings {
	return &Settings{
		Hostname: "mx.example.com", Transport: "mx", Queue: null{}, Hooks: Relay{Networks: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
		Extensions: Extensions{Pipelining: true, EightBitMIME: true, SMTPUTF8: true, EnhancedStatusCodes: true, Size: true, Chunking: true},
	}
}

var benchPeer = Peer{Remote: netip.MustParseAddrPort("192.0.2.1:40000"), Local: netip.MustParseAddrPort("192.0.2.25:25")}

const header = "From: Joe <joe@example.org>\r\nTo: Ann <ann@example.com>\r\nSubject: hello there\r\n" +
	"Date: Sat, 01 Jan 2000 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n\r\n"

// benchMessages measures the session's side of messages over one connection in
// memory, with recipients each.
func benchMessages(b *testing.B, recipients int, size int) {
	client, server := pipe()
	go New(server, benchPeer, benchSettings()).Serve(b.Context())
	replies := bufio.NewReader(client)
	expect := func(n int) {
		for range n {
			if _, err := replies.ReadSlice('\n'); err != nil {
				b.Fatal(err)
			}
		}
	}
	expect(1)
	fmt.Fprint(client, "EHLO a\r\n")
	expect(8)
	command := []byte("MAIL FROM:<joe@example.org> SIZE=10000\r\n" + strings.Repeat("RCPT TO:<ann@example.com>\r\n", recipients) + "DATA\r\n")
	line := strings.Repeat("x", 70) + "\r\n"
	text := []byte(header + strings.Repeat(line, size/len(line)) + ".\r\n")
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		_, _ = client.Write(command)
		expect(recipients + 2)
		_, _ = client.Write(text)
		expect(1)
	}
	client.Close()
}

// BenchmarkMessage: 25 µs and 30 allocations per message, the client's part and
// that of the connection in memory included.
func BenchmarkMessage(b *testing.B) { benchMessages(b, 1, 10_000) }

// BenchmarkRecipients250: 1 µs and 2 allocations per recipient.
func BenchmarkRecipients250(b *testing.B) { benchMessages(b, 250, 10_000) }

// BenchmarkIdle shows what a connection costs that waits for a command, beside
// its socket: 2.2 KB of heap and 4 KB of stack.
func BenchmarkIdle(b *testing.B) {
	const n = 2000
	var before, after runtime.MemStats
	for b.Loop() {
		settings := benchSettings()
		clients := make([]net.Conn, n)
		quiet := make([]byte, 512)
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range clients {
			client, server := pipe()
			clients[i] = client
			go New(server, benchPeer, settings).Serve(b.Context())
			_, _ = client.Read(quiet)
			fmt.Fprint(client, "EHLO client.example.org\r\n")
			_, _ = client.Read(quiet)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapInuse-before.HeapInuse)/n, "heap-B/conn")
		b.ReportMetric(float64(after.StackInuse-before.StackInuse)/n, "stack-B/conn")
		for _, c := range clients {
			c.Close()
		}
	}
}
