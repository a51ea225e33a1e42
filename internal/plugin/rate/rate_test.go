package rate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/plugin/rate"
)

// rated is a server that never forgets a hit.
type rated struct {
	conn net.PacketConn
	mu   sync.Mutex
	hits map[string]uint32
	last []byte // the type and interval of the last request
}

func newRated(t *testing.T, network, address string) *rated {
	t.Helper()
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	r := &rated{conn: conn, hits: map[string]uint32{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.serve()
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return r
}

func (r *rated) serve() {
	b := make([]byte, 1024)
	for {
		n, from, err := r.conn.ReadFrom(b)
		if err != nil {
			return
		}
		if answer := r.answer(b[:n]); answer != nil {
			r.conn.WriteTo(answer, from)
		}
	}
}

func (r *rated) answer(b []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = append([]byte{b[1]}, b[6:10]...)
	hit := b[1] != 2
	count, rest := uint32(0), b[10:]
	if hit {
		count, rest = binary.BigEndian.Uint32(b[10:]), b[14:]
	}
	if len(rest) != 64+512 || b[0] != 1 {
		return nil
	}
	key := fmt.Sprintf("%s/%s", bytes.TrimRight(rest[:64], "\x00"), bytes.TrimRight(rest[64:], "\x00"))
	answer := append([]byte(nil), b[2:6]...)
	if !hit {
		return binary.NativeEndian.AppendUint32(answer, r.hits[key])
	}
	allowed := byte(0)
	if r.hits[key] < count {
		r.hits[key]++
		allowed = 1
	}
	return append(answer, allowed, 1-allowed, 0, 0, 0, 0)
}

// request returns the type and interval of the last one.
func (r *rated) request() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func start(t *testing.T, startup, running plugin.Settings, path string) *rate.Plugin {
	t.Helper()
	p, err := rate.New(startup, path)
	if err != nil {
		t.Fatal(err)
	}
	adopt, err := p.Prepare(running)
	if err != nil {
		t.Fatal(err)
	}
	adopt()
	t.Cleanup(func() { p.Close(t.Context()) })
	return p
}

func ask(t *testing.T, p *rate.Plugin, r rate.Request) rate.Answer {
	t.Helper()
	a, err := p.Ask(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAsk: over a socket of this host, as the default and as a setting, and UDP.
func TestAsk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rated")
	unix := newRated(t, "unixgram", path)
	udp := newRated(t, "udp", "127.0.0.1:0")
	port := udp.conn.LocalAddr().(*net.UDPAddr).Port
	for name, tt := range map[string]struct {
		server *rated
		plugin *rate.Plugin
	}{
		"default": {unix, start(t, nil, nil, path)},
		"path":    {unix, start(t, nil, plugin.Settings{"path": path}, "/nowhere")},
		"udp":     {udp, start(t, plugin.Settings{"reresolve": 1}, plugin.Settings{"port": port, "address": "127.0.0.1", "badhost": true}, "/nowhere")},
	} {
		t.Run(name, func(t *testing.T) {
			r := rate.Request{Namespace: "n", Entry: name, Count: 2, Interval: 60}
			for i, want := range []bool{true, true, false} {
				if got := ask(t, tt.plugin, r); got.Allowed != want {
					t.Errorf("hit %d: allowed is %v", i, got.Allowed)
				}
			}
			if got := tt.server.request(); !bytes.Equal(got, []byte{1, 0, 0, 0, 60}) {
				t.Errorf("sent was % x", got)
			}
			r.Count = 0
			if got := ask(t, tt.plugin, r); got.Count != 2 {
				t.Errorf("counted are %d", got.Count)
			}
			r.Count, r.Local, r.Entry = 1, true, name+" local"
			ask(t, tt.plugin, r)
			if got := tt.server.request(); got[0] != 5 {
				t.Errorf("sent was type %d", got[0])
			}
		})
	}
}

// TestConcurrent: answers reach who asked.
func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rated")
	newRated(t, "unixgram", path)
	p := start(t, nil, nil, path)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			r := rate.Request{Namespace: "n", Entry: fmt.Sprint(w), Count: 100, Interval: 1}
			for i := range w {
				if a, err := p.Ask(t.Context(), r); err != nil || !a.Allowed {
					t.Errorf("%d: %v, %v", i, a, err)
				}
			}
			r.Count = 0
			if a, err := p.Ask(t.Context(), r); err != nil || a.Count != uint32(w) {
				t.Errorf("%d counted, want %d; %v", a.Count, w, err)
			}
		})
	}
	wg.Wait()
}

// TestFails: nobody there, nobody who answers, and a server that comes back.
func TestFails(t *testing.T) {
	r := rate.Request{Namespace: "n", Entry: "e", Count: 1, Interval: 1}
	path := filepath.Join(t.TempDir(), "rated")
	p := start(t, nil, plugin.Settings{"path": path, "timeout": 30_000}, "")
	if _, err := p.Ask(t.Context(), r); err == nil {
		t.Error("nobody has answered")
	}
	first := newRated(t, "unixgram", path)
	ask(t, p, r)
	first.conn.Close()
	if _, err := p.Ask(t.Context(), r); err == nil {
		t.Error("who is gone has answered")
	}
	newRated(t, "unixgram", path+"2") // leaves the first name free
	p2 := start(t, nil, plugin.Settings{"path": path + "2"}, "")
	ask(t, p2, r)

	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p = start(t, nil, plugin.Settings{"port": silent.LocalAddr().(*net.UDPAddr).Port, "address": "127.0.0.1", "timeout": 20}, "")
	if _, err := p.Ask(t.Context(), r); !errors.Is(err, rate.ErrTimeout) {
		t.Errorf("silence: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Ask(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	r.Namespace = strings.Repeat("x", 64)
	if _, err := p.Ask(t.Context(), r); !errors.Is(err, rate.ErrTooLong) {
		t.Errorf("a long name: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	if _, err := rate.New(plugin.Settings{"reresolve": 0.5}, ""); err == nil {
		t.Error("half a second is taken")
	}
	p, err := rate.New(nil, "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []plugin.Settings{{"path": "x", "port": 1}, {"port": 70000}, {"timeout": "x"}, {"host": "x"}} {
		if _, err := p.Prepare(s); err == nil {
			t.Errorf("%v is taken", s)
		}
	}
}
