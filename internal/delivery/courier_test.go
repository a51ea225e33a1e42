package delivery_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// world takes every message, on connections in memory. It keeps what it saw.
type world struct {
	mu       sync.Mutex
	dials    []string // "source>host"
	open     int
	missing  map[string]bool // sources that this machine does not have
	messages []string
	hosts    sync.WaitGroup
}

func (w *world) dial(_ context.Context, source *delivery.Source, remote netip.AddrPort) (net.Conn, error) {
	local := netip.MustParseAddrPort("198.51.100.1:40000")
	from := ""
	if source != nil {
		local = netip.AddrPortFrom(source.Addr, 40000)
		from = source.Addr.String()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dials = append(w.dials, from+">"+remote.Addr().String())
	if w.missing[from] {
		return nil, &net.OpError{Op: "dial", Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}
	}
	client, server := pipe(local, remote)
	w.open++
	w.hosts.Go(func() { w.serve(server) })
	return client, nil
}

// serve speaks just enough SMTP, without any code of ours.
func (w *world) serve(conn *memConn) {
	defer func() {
		conn.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.open--
	}()
	in := textproto.NewReader(bufio.NewReader(conn))
	say := func(s string) { fmt.Fprintf(conn, "%s\r\n", s) }
	say("220 world")
	for {
		line, err := in.ReadLine()
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(line, " "); verb {
		case "EHLO":
			say("250-world\r\n250 PIPELINING")
		case "DATA":
			say("354 go on")
			b, err := in.ReadDotBytes()
			if err != nil {
				return
			}
			w.mu.Lock()
			w.messages = append(w.messages, string(b))
			w.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

func (w *world) seen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dials)
}

func (w *world) opened() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open
}

// inWorld runs f in synthetic time with a courier to a world.
func inWorld(t *testing.T, o delivery.Options, e delivery.Events, f func(*testing.T, *delivery.Courier, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{missing: map[string]bool{}}
		o.Hostname = "client.example"
		o.Dial = w.dial
		c := delivery.New(noDNS{}, o, e)
		c.Start(t.Context())
		f(t, c, w)
		c.Stop()
		w.hosts.Wait()
		if n := c.Metrics().Concurrent.Load(); n != 0 {
			t.Errorf("%d connections are still counted", n)
		}
	})
}

func deliver(t *testing.T, c *delivery.Courier, tr *delivery.Transport, d *delivery.Destination) delivery.Outcome {
	t.Helper()
	out := c.Deliver(t.Context(), attempt(t, tr), d)
	if out.Status != delivery.Delivered {
		t.Errorf("%v %v %v", out.Status, out.Reply, out.Err)
	}
	return out
}

func sources(addrs ...string) (out []delivery.Source) {
	for _, a := range addrs {
		out = append(out, delivery.Source{ID: "id-" + a, Addr: netip.MustParseAddr(a)})
	}
	return out
}

var plain = delivery.TLS{Mode: delivery.TLSDisabled}

func TestSourcesTakeTurns(t *testing.T) {
	var told []string
	e := delivery.Events{Connecting: func(_ *delivery.Attempt, way delivery.Way) {
		told = append(told, way.Source.Addr.String()+">"+way.Host.Addr.Addr().String())
	}}
	inWorld(t, delivery.Options{}, e, func(t *testing.T, c *delivery.Courier, w *world) {
		tr := &delivery.Transport{TLS: plain, Sources: sources("198.51.100.1", "2001:db8::1", "198.51.100.2", "198.51.100.3")}
		count := map[string]int{}
		for range 9 {
			out := deliver(t, c, tr, hosts(1))
			count[out.Connection.LocalID]++
		}
		for _, id := range []string{"id-198.51.100.1", "id-198.51.100.2", "id-198.51.100.3"} {
			if count[id] != 3 {
				t.Errorf("%s was used %d times: %v", id, count[id], count)
			}
		}
		if dials := w.seen(); !slices.Equal(dials, told) {
			t.Errorf("told of %v, dialled %v", told, dials)
		}
	})
}

func TestSourcesInOrder(t *testing.T) {
	inWorld(t, delivery.Options{}, delivery.Events{}, func(t *testing.T, c *delivery.Courier, w *world) {
		w.missing["198.51.100.1"] = true
		tr := &delivery.Transport{TLS: plain, Ordered: true, Sources: sources("198.51.100.1", "198.51.100.2", "198.51.100.3")}
		for range 3 {
			if out := deliver(t, c, tr, hosts(1)); out.Connection.LocalID != "id-198.51.100.2" {
				t.Errorf("used %s", out.Connection.LocalID)
			}
		}
	})
}

func TestSourceIsMissing(t *testing.T) {
	inWorld(t, delivery.Options{}, delivery.Events{}, func(t *testing.T, c *delivery.Courier, w *world) {
		w.missing["198.51.100.1"] = true
		tr := &delivery.Transport{TLS: plain, Sources: sources("198.51.100.1")}
		out := c.Deliver(t.Context(), attempt(t, tr), hosts(1))
		if out.Status != delivery.Deferred || out.Kind != delivery.KindConfig || !errors.Is(out.Err, delivery.ErrNoSource) ||
			out.EnhancedCode() != [3]uint16{4, 3, 5} || !strings.Contains(out.Reply.Text(), "198.51.100.1") {
			t.Errorf("%+v", out)
		}
		tr = &delivery.Transport{TLS: plain, Sources: sources("2001:db8::1")}
		out = c.Deliver(t.Context(), attempt(t, tr), hosts(1))
		if out.Status != delivery.Deferred || out.Kind != delivery.KindConfig {
			t.Errorf("%+v", out)
		}
	})
}

// The system itself says that an address is not there.
func TestSourceIsMissingOnThisMachine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := &delivery.Destination{Hosts: []delivery.Host{{Addr: netip.MustParseAddrPort(l.Addr().String())}}}
	tr := &delivery.Transport{Sources: sources("192.0.2.77")}
	out := courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, tr), d)
	if !errors.Is(out.Err, delivery.ErrNoSource) || out.Connection.LocalID != "id-192.0.2.77" || out.Connection.ID != 0 {
		t.Errorf("%+v", out)
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &delivery.Destination{Hosts: []delivery.Host{{Name: "mx.example", Addr: netip.MustParseAddrPort(l.Addr().String())}}}
	l.Close()
	out := courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, &delivery.Transport{}), d)
	if out.Stage != delivery.StageConnect || out.Kind != delivery.KindNetwork || !errors.Is(out.Err, syscall.ECONNREFUSED) ||
		!strings.HasSuffix(out.Reply.Text(), ": connection refused") || out.Connection.RemoteMX != "mx.example" {
		t.Errorf("%+v", out)
	}
}

func TestPoolExpires(t *testing.T) {
	inWorld(t, delivery.Options{PoolSize: 10}, delivery.Events{}, func(t *testing.T, c *delivery.Courier, w *world) {
		tr := &delivery.Transport{TLS: plain, Pooling: delivery.Pooling{Enabled: true, Timeout: 30 * time.Second}}
		deliver(t, c, tr, hosts(1))
		time.Sleep(29 * time.Second)
		if out := deliver(t, c, tr, hosts(1)); out.Connection.Transactions != 2 || w.opened() != 1 {
			t.Errorf("transaction %d", out.Connection.Transactions)
		}
		time.Sleep(32 * time.Second)
		m := c.Metrics()
		if w.opened() != 0 || m.PoolExpires.Load() != 1 || m.PoolSize.Load() != 0 || m.PoolHits.Load() != 1 || m.PoolMisses.Load() != 1 {
			t.Errorf("%d open, %d expired, size %d", w.opened(), m.PoolExpires.Load(), m.PoolSize.Load())
		}
		if out := deliver(t, c, tr, hosts(1)); out.Connection.Transactions != 1 {
			t.Errorf("transaction %d", out.Connection.Transactions)
		}
	})
}

func TestPoolMakesRoom(t *testing.T) {
	inWorld(t, delivery.Options{PoolSize: 2}, delivery.Events{}, func(t *testing.T, c *delivery.Courier, w *world) {
		pooling := delivery.Pooling{Enabled: true, Fixed: true, Timeout: time.Hour}
		fixed := &delivery.Transport{TLS: plain, Pooling: pooling}
		pooling.Fixed = false
		loose := &delivery.Transport{TLS: plain, Pooling: pooling}
		d := hosts(4)
		to := func(i int) *delivery.Destination { return &delivery.Destination{Hosts: d.Hosts[i : i+1]} }
		deliver(t, c, fixed, to(0))
		deliver(t, c, loose, to(1))
		deliver(t, c, loose, to(2)) // puts out the connection to host 1
		m := c.Metrics()
		if m.PoolEvicts.Load() != 1 || m.PoolSize.Load() != 2 || m.Concurrent.Load() != 2 || m.PoolMaxSize() != 2 {
			t.Errorf("evicts %d size %d", m.PoolEvicts.Load(), m.PoolSize.Load())
		}
		if out := deliver(t, c, fixed, to(0)); out.Connection.Transactions != 2 {
			t.Error("the oldest was put out though it is fixed")
		}
		deliver(t, c, fixed, to(3)) // host 2 goes
		deliver(t, c, loose, to(1)) // no room
		if m.PoolEvicts.Load() != 2 || m.PoolSkips.Load() != 1 || m.PoolSize.Load() != 2 {
			t.Errorf("evicts %d skips %d size %d", m.PoolEvicts.Load(), m.PoolSkips.Load(), m.PoolSize.Load())
		}
		c.Configure(delivery.Options{Hostname: "client.example", Dial: w.dial, PoolSize: 1})
		synctest.Wait()
		if m.PoolSize.Load() != 1 || w.opened() != 1 {
			t.Errorf("size %d, %d open after a smaller size", m.PoolSize.Load(), w.opened())
		}
		c.Configure(delivery.Options{Hostname: "client.example", Dial: w.dial})
		deliver(t, c, fixed, to(0))
		if m.PoolSize.Load() != 0 || m.PoolSkips.Load() != 1 {
			t.Error("a pool that is off keeps connections")
		}
	})
}

func TestPoolKeys(t *testing.T) {
	base := func() (*delivery.Attempt, *delivery.Host) {
		a := attempt(t, &delivery.Transport{TLS: plain, Pooling: delivery.Pooling{Enabled: true}})
		h := hosts(1).Hosts[0]
		return a, &h
	}
	for name, c := range map[string]struct {
		policy delivery.PoolPolicy
		change func(*delivery.Attempt, *delivery.Host)
		shared bool
	}{
		"same":                    {0, func(*delivery.Attempt, *delivery.Host) {}, true},
		"other address":           {0, func(_ *delivery.Attempt, h *delivery.Host) { h.Addr = netip.MustParseAddrPort("192.0.2.9:25") }, true},
		"other name":              {0, func(_ *delivery.Attempt, h *delivery.Host) { h.Name = "other" }, false},
		"other port":              {0, func(_ *delivery.Attempt, h *delivery.Host) { h.Addr = netip.MustParseAddrPort("192.0.2.1:26") }, false},
		"by address, other name":  {delivery.PoolByRemoteIP, func(_ *delivery.Attempt, h *delivery.Host) { h.Name = "other" }, true},
		"by address, other":       {delivery.PoolByRemoteIP, func(_ *delivery.Attempt, h *delivery.Host) { h.Addr = netip.MustParseAddrPort("192.0.2.9:25") }, false},
		"by grouping, other name": {delivery.PoolByGrouping, func(_ *delivery.Attempt, h *delivery.Host) { h.Name = "other" }, true},
		"by grouping, other":      {delivery.PoolByGrouping, func(a *delivery.Attempt, _ *delivery.Host) { a.Grouping = "&other" }, false},
		"other HELO": {0, func(a *delivery.Attempt, _ *delivery.Host) {
			a.Override = override(a, func(t *delivery.Transport) { t.Helo = "x.example" })
		}, false},
		"other source":  {0, func(a *delivery.Attempt, _ *delivery.Host) { a.Transport.Sources = sources("198.51.100.7") }, false},
		"other TLS":     {0, func(a *delivery.Attempt, _ *delivery.Host) { a.Transport.TLS.Mode = delivery.TLSOptional }, false},
		"other XCLIENT": {0, func(a *delivery.Attempt, _ *delivery.Host) { a.Transport.XClient = map[string]string{"NAME": "x"} }, false},
		"other id and time-outs": {0, func(a *delivery.Attempt, _ *delivery.Host) {
			a.Transport.ID = "other"
			a.Transport.Timeouts = map[delivery.Stage]time.Duration{delivery.StageMail: time.Second}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			o := delivery.Options{PoolSize: 10, PoolPolicy: c.policy}
			inWorld(t, o, delivery.Events{}, func(t *testing.T, cour *delivery.Courier, w *world) {
				a, h := base()
				a.Grouping = "&provider"
				cour.Deliver(t.Context(), a, &delivery.Destination{Hosts: []delivery.Host{*h}})
				b, h := base()
				b.Grouping = "&provider"
				c.change(b, h)
				out := cour.Deliver(t.Context(), b, &delivery.Destination{Hosts: []delivery.Host{*h}})
				if out.Status != delivery.Delivered || (out.Connection.Transactions == 2) != c.shared {
					t.Errorf("%v, transaction %d", out.Status, out.Connection.Transactions)
				}
			})
		})
	}
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, dial := range map[string]func(context.Context, *delivery.Source, netip.AddrPort) (net.Conn, error){
			"connecting": func(ctx context.Context, _ *delivery.Source, _ netip.AddrPort) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
			"waiting": func(_ context.Context, _ *delivery.Source, remote netip.AddrPort) (net.Conn, error) {
				client, _ := pipe(remote, remote)
				return client, nil
			},
		} {
			c := delivery.New(noDNS{}, delivery.Options{Dial: dial}, delivery.Events{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			out := c.Deliver(ctx, attempt(t, &delivery.Transport{}), hosts(3))
			cancel()
			if out.Status != delivery.Deferred || !errors.Is(out.Err, delivery.ErrInterrupted) || out.Duration != time.Second {
				t.Errorf("%s: %+v", name, out)
			}
			if n := c.Metrics().Concurrent.Load(); n != 0 {
				t.Errorf("%s: %d connections are left", name, n)
			}
		}
	})
}

func TestUnreadableContent(t *testing.T) {
	fault := errors.New("disk gone")
	for name, open := range map[string]func() (delivery.Content, error){
		"not there":     func() (delivery.Content, error) { return nil, fault },
		"breaks off":    func() (delivery.Content, error) { c, _ := content(message)(); return flawed{c.(text), 100, fault}, nil },
		"is too short":  func() (delivery.Content, error) { c, _ := content(message)(); return flawed{c.(text), 100, nil}, nil },
		"is longer yet": func() (delivery.Content, error) { c, _ := content(message)(); return flawed{c.(text), 10, nil}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{}, delivery.Events{}, func(t *testing.T, c *delivery.Courier, w *world) {
				a := attempt(t, &delivery.Transport{TLS: plain})
				a.Content = open
				out := c.Deliver(t.Context(), a, hosts(2))
				if out.Status != delivery.Deferred || out.Kind != delivery.KindConfig || out.EnhancedCode() != [3]uint16{4, 3, 0} {
					t.Errorf("%+v", out)
				}
				if len(w.messages) != 0 {
					t.Errorf("the host took %q", w.messages)
				}
			})
		})
	}
}

func TestStopClosesPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		c := delivery.New(noDNS{}, delivery.Options{Hostname: "x", PoolSize: 10, Dial: w.dial}, delivery.Events{})
		c.Start(t.Context())
		tr := &delivery.Transport{TLS: plain, Pooling: delivery.Pooling{Enabled: true}}
		deliver(t, c, tr, hosts(1))
		c.Stop()
		w.hosts.Wait()
		deliver(t, c, tr, hosts(1)) // what comes late is not kept
		w.hosts.Wait()
		if w.opened() != 0 || c.Metrics().PoolSize.Load() != 0 {
			t.Errorf("%d open", w.opened())
		}
	})
}

// A large message over DATA, read by code that is not ours.
func TestLargeText(t *testing.T) {
	inWorld(t, delivery.Options{}, delivery.Events{}, func(t *testing.T, c *delivery.Courier, w *world) {
		a := attempt(t, &delivery.Transport{TLS: plain})
		body := "Subject: x\n\n" + strings.Repeat(".dots\n\n...\nand text\n", 30_000)
		a.Content = content(strings.ReplaceAll(body, "\n", "\r\n"))
		out := c.Deliver(t.Context(), a, hosts(1))
		if out.Status != delivery.Delivered || w.messages[0] != body {
			t.Errorf("%v, %d bytes of %d", out.Status, len(w.messages[0]), len(body))
		}
	})
}

// A pooled message costs one write with CHUNKING and two with DATA.
func TestWrites(t *testing.T) {
	for ext, want := range map[string]int{"CHUNKING": 1, "8BITMIME": 2} {
		synctest.Test(t, func(t *testing.T) {
			writes, dial := counting(t, ext)
			c := delivery.New(noDNS{}, delivery.Options{Hostname: "x", PoolSize: 1, Dial: dial}, delivery.Events{})
			tr := &delivery.Transport{TLS: plain, Pooling: delivery.Pooling{Enabled: true}}
			for i := range 3 {
				before := *writes
				a := attempt(t, tr)
				a.Content = content("Subject: x\r\n\r\n" + strings.Repeat("0123456789\r\n", 850))
				if out := c.Deliver(t.Context(), a, hosts(1)); out.Status != delivery.Delivered {
					t.Fatalf("%v %v", out.Reply, out.Err)
				}
				if n := *writes - before; i > 0 && n != want {
					t.Errorf("%s: message %d cost %d writes, want %d", ext, i, n, want)
				}
			}
			c.Stop()
		})
	}
}

// counting dials a host with one extension and counts our writes.
func counting(t *testing.T, ext string) (*int, func(context.Context, *delivery.Source, netip.AddrPort) (net.Conn, error)) {
	writes := new(int)
	return writes, func(_ context.Context, _ *delivery.Source, remote netip.AddrPort) (net.Conn, error) {
		client, server := pipe(remote, remote)
		client.onWrite = func(int) { *writes++ }
		go drain(t, server, ext)
		return client, nil
	}
}

// drain takes every message in the cheapest way.
func drain(t testing.TB, conn net.Conn, ext string) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	var out []byte
	out = append(out, "220 sink\r\n"...)
	for {
		if in.Buffered() == 0 {
			if _, err := conn.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		switch string(line[:4]) {
		case "EHLO":
			out = append(out, "250-sink\r\n250-PIPELINING\r\n250 "+ext+"\r\n"...)
		case "BDAT":
			var n int
			if _, err := fmt.Sscanf(string(line), "BDAT %d LAST", &n); err != nil {
				t.Error(err)
				return
			}
			_, _ = in.Discard(n)
			out = append(out, "250 2.0.0 taken\r\n"...)
		case "DATA":
			out = append(out, "354 go on\r\n"...)
			_, _ = conn.Write(out)
			out = append(out[:0], "250 2.0.0 taken\r\n"...)
			for {
				if line, err = in.ReadSlice('\n'); err != nil {
					return
				}
				if string(line) == ".\r\n" {
					break
				}
			}
		case "QUIT":
			_, _ = io.WriteString(conn, string(out)+"221 bye\r\n")
			return
		default:
			out = append(out, "250 2.0.0 ok\r\n"...)
		}
	}
}

// override returns the settings of a with a change.
func override(a *delivery.Attempt, change func(*delivery.Transport)) *delivery.Transport {
	t := *a.Transport
	change(&t)
	return &t
}
