package main

import (
	"context"
	"fmt"
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// variants are the ways in which clients come.
var variants = []struct {
	connections int
	reuse       bool
}{
	{1, true}, {20, true}, {100, true},
	{1, false}, {20, false}, {100, false},
}

func variantName(what string, connections int, reuse bool) string {
	if reuse {
		return fmt.Sprintf("%s, %d connections", what, connections)
	}
	return fmt.Sprintf("%s, %d at once, one message per connection", what, connections)
}

// intake measures how fast mail is taken in and made safe, with no delivery.
func (b *bench) intake(ctx context.Context) (string, error) {
	var rows []row
	for _, v := range variants {
		name := variantName("intake", v.connections, v.reuse)
		found, err := b.duel(ctx, name, "", func(ctx context.Context, m mta) (int64, time.Duration, error) {
			r, err := b.send(ctx, m.listen(), load{connections: v.connections, reuse: v.reuse, lasting: b.lasting})
			return r.messages, r.elapsed, err
		})
		if err != nil {
			return "", err
		}
		rows = append(rows, row{v.connections, v.reuse, found})
	}
	return b.table(rows), nil
}

// relay measures the way from the client to the next hop, a sink in this process.
// The clock stops when the last message that was taken in has arrived there.
func (b *bench) relay(ctx context.Context) (string, error) {
	s, err := sink.New(sink.Options{Listen: []string{"127.0.0.1:0"}, Hostname: "sink.example.com"})
	if err != nil {
		return "", err
	}
	if err := s.Start(ctx); err != nil {
		return "", err
	}
	defer s.Stop()
	var rows []row
	for _, v := range variants {
		name := variantName("relay", v.connections, v.reuse)
		found, err := b.duel(ctx, name, s.Addr().String(), func(ctx context.Context, m mta) (int64, time.Duration, error) {
			return b.through(ctx, s, m, load{connections: v.connections, reuse: v.reuse, lasting: b.lasting})
		})
		if err != nil {
			return "", err
		}
		rows = append(rows, row{v.connections, v.reuse, found})
	}
	return b.table(rows), nil
}

// kept are the messages that the part disk leaves in the queue of each system.
// Enough for segments that are allocated ahead to weigh little; Postfix needs the
// same for each message, however many there are.
const kept = 200_000

// disk measures the room that queued mail takes.
func (b *bench) disk(ctx context.Context) (string, error) {
	text := "| | messages kept | bytes on disk per byte of mail |\n|---|--:|--:|\n"
	for _, m := range b.systems() {
		b.progress("disk: %s: queueing %d messages", m.name(), kept)
		f, err := b.measure(ctx, m, "", func(ctx context.Context, m mta) (int64, time.Duration, error) {
			r, err := b.send(ctx, m.listen(), load{connections: 20, reuse: true, messages: kept})
			return r.messages, r.elapsed, err
		})
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("| %s | %d | %.2f |\n", m.name(), f.messages, f.disk/float64(b.size))
	}
	return text, nil
}

// through sends and waits until everything has come out at the other end.
func (b *bench) through(ctx context.Context, s *sink.Sink, m mta, l load) (int64, time.Duration, error) {
	if err := settled(ctx, s); err != nil {
		return 0, 0, err
	}
	before, begin := s.Metrics.Messages.Load(), time.Now()
	r, err := b.send(ctx, m.listen(), l)
	if err != nil {
		return 0, 0, err
	}
	err = eventually(ctx, 5*time.Minute, "relay", func() error {
		if got := s.Metrics.Messages.Load() - before; got < r.messages {
			return fmt.Errorf("%d of %d messages have arrived", got, r.messages)
		}
		return nil
	})
	return r.messages, time.Since(begin), err
}

// settled waits until nothing has arrived for a while: the messages that warmed
// the system up must not count.
func settled(ctx context.Context, s *sink.Sink) error {
	last, since := s.Metrics.Messages.Load(), time.Now()
	return eventually(ctx, time.Minute, "relay: warming up", func() error {
		if now := s.Metrics.Messages.Load(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) < 300*time.Millisecond {
			return fmt.Errorf("mail still arrives")
		}
		return nil
	})
}
