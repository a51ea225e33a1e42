package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// mta is a mail system under test. start runs it in a fresh folder; with an empty
// relay it keeps what it takes in, otherwise it passes everything on to there.
type mta interface {
	name() string
	start(ctx context.Context, dir, relay string) error
	stop(ctx context.Context) error
	listen() string // where it takes mail
	tree() tree
	spool() string
	syncs(ctx context.Context) (float64, bool) // calls so far, if known
}

// figure is what one measurement of one system found.
type figure struct {
	messages int64
	time     time.Duration
	cpu      time.Duration // user and system, all processes
	peak     int64         // bytes of memory
	syncs    float64       // calls per message, negative if unknown
	disk     float64       // bytes of the spool per message
}

func (f figure) rate() float64 { return float64(f.messages) / f.time.Seconds() }

func (f figure) cpuPerMessage() float64 { return f.cpu.Seconds() * 1e3 / float64(f.messages) }

// median returns the middle one of an odd number of values, the upper of the two
// in the middle otherwise.
func median[T any, V cmp.Ordered](all []T, value func(T) V) V {
	values := make([]V, len(all))
	for i, one := range all {
		values[i] = value(one)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// work does something with a running system and returns how many messages it
// took and how long.
type work func(ctx context.Context, m mta) (messages int64, elapsed time.Duration, err error)

// measure runs the work on a fresh instance and accounts for what it cost.
func (b *bench) measure(ctx context.Context, m mta, relay string, do work) (f figure, err error) {
	dir, err := os.MkdirTemp(b.dir, "mta")
	if err != nil {
		return f, err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(dir)) }()
	defer func() { err = cmp.Or(err, m.stop(context.WithoutCancel(ctx))) }()
	if err := m.start(ctx, dir, relay); err != nil {
		return f, err
	}
	if _, err := b.send(ctx, m.listen(), load{connections: 4, reuse: true, messages: 200}); err != nil {
		return f, fmt.Errorf("%s: warming up: %w", m.name(), err)
	}
	cpu, err := m.tree().cpu()
	if err != nil {
		return f, err
	}
	syncs, counted := m.syncs(ctx)
	kept := diskUse(m.spool())
	memory := watch(m.tree())
	if f.messages, f.time, err = do(ctx, m); err != nil {
		memory.end()
		return f, fmt.Errorf("%s: %w", m.name(), err)
	}
	f.peak = memory.end()
	after, err := m.tree().cpu()
	if err != nil {
		return f, err
	}
	f.cpu = after - cpu
	f.disk = float64(diskUse(m.spool())-kept) / float64(f.messages)
	f.syncs = -1
	if now, ok := m.syncs(ctx); ok && counted {
		f.syncs = (now - syncs) / float64(f.messages)
	}
	return f, nil
}

// diskUse adds up the blocks of all files below dir.
func diskUse(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil && unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
			bytes += st.Blocks * 512
		}
		return nil // files come and go while a mail system runs
	})
	return bytes
}

// duel measures Posthaste and Postfix in turn.
func (b *bench) duel(ctx context.Context, what, relay string, do work) (map[string][]figure, error) {
	return b.compare(ctx, what, relay, b.systems, do)
}

// compare measures fresh systems in turn, for as many rounds as were asked for,
// so that whatever else the machine does hits all alike.
func (b *bench) compare(ctx context.Context, what, relay string, systems func() []mta, do work) (map[string][]figure, error) {
	found := map[string][]figure{}
	for round := range b.rounds {
		for _, m := range systems() {
			b.progress("%s: round %d of %d: %s", what, round+1, b.rounds, m.name())
			f, err := b.measure(ctx, m, relay, do)
			if err != nil {
				return nil, err
			}
			b.progress("%s: round %d of %d: %s: %.0f msg/s, %.3f ms CPU", what, round+1, b.rounds, m.name(), f.rate(), f.cpuPerMessage())
			found[m.name()] = append(found[m.name()], f)
		}
	}
	return found, nil
}
