package spool

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// Recovered is one living message found by Recover. Its slices are valid until
// the callback returns.
type Recovered struct {
	Handle   Handle
	Envelope []byte
	BodySize int64
	Entries  uint32           // how many the message was committed with
	States   []RecoveredEntry // entries not done that have a state, ascending
	Done     []uint32         // entries already done, ascending
}

// RecoveredEntry is the newest state recorded of one entry.
type RecoveredEntry struct {
	Entry uint32 // from 1
	State []byte
}

// Corruption is a stretch of bytes that could not be understood, or a whole
// file when Length is its size and Offset zero.
type Corruption struct {
	File           string
	Offset, Length int64
	Err            error
	Action         string // "left", "dropped" or "moved to NAME"
}

// Recover hands over everything alive that was there at Open. It may be called
// once, and while new messages are committed. Up to LoaderThreads goroutines
// call fn at the same time. When fn returns an error, Recover stops and returns
// it. Nothing that was there at Open is used again before Recover has ended
// well.
func (s *Store) Recover(ctx context.Context, fn func(Recovered) error) error {
	s.mu.Lock()
	inherited := s.inherited
	s.inherited = nil
	s.mu.Unlock()
	l := newLoader(s.fs, s.o.Path, s.o.LoaderThreads, inherited)
	if err := l.readMarks(ctx); err != nil {
		return fmt.Errorf("spool: recover: %w", err)
	}
	for _, src := range l.sources {
		s.takeOver(src)
	}
	err := l.parallel(ctx, l.keepIndex)
	if err == nil {
		err = l.each(ctx, func(f *found) error { return fn(s.revive(l, f)) })
	}
	if err != nil {
		return fmt.Errorf("spool: recover: %w", err)
	}
	return s.settle(ctx, inherited)
}

// takeOver treats the damage found in a segment and takes what was learnt of it.
func (s *Store) takeOver(src *source) {
	for _, d := range src.damage {
		s.treat(src.seg, d)
	}
	if src.scanned {
		s.Metrics.Scanned.Inc()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	src.seg.refs = src.refs
	src.seg.tail = src.end
}

// revive gives a found message its handle.
func (s *Store) revive(l *loader, f *found) Recovered {
	r := f.recovered()
	s.mu.Lock()
	r.Handle = s.admitLocked(f.seg, f.record, f.offset)
	s.table.at(r.Handle).left -= uint32(len(f.done))
	if l.homes[f.record.origin] != nil {
		s.repeatLocked(r.Handle, f)
	}
	s.mu.Unlock()
	s.Metrics.Recovered.Inc()
	return r
}

// recovered is what a caller learns of a found message.
func (f *found) recovered() Recovered {
	f.entries = f.entries[:0]
	for _, m := range f.states {
		f.entries = append(f.entries, RecoveredEntry{Entry: m.entry, State: m.state})
	}
	return Recovered{
		Envelope: f.envelope, BodySize: int64(f.record.body),
		Entries: f.record.count, Done: f.done, States: f.entries,
	}
}

// repeatLocked writes the marks of a message once more. The message was being
// copied when the process ended: perhaps the copy is on disk but the marks that
// belong to it are only where they were before, in segments that are kept only
// for what the message was copied from.
func (s *Store) repeatLocked(h Handle, f *found) {
	for _, entry := range f.done {
		s.open.addMark(pendingMark{kind: markDone, handle: h, entry: entry}, nil)
	}
	for _, m := range f.states {
		s.open.addMark(pendingMark{kind: markState, handle: h, entry: m.entry, stamp: m.stamp}, m.state)
	}
}

// settle releases what the recovery held back. Should the marks that had to be
// repeated find no place on disk, nothing of what was there at Open is used again
// in this run.
func (s *Store) settle(ctx context.Context, inherited []*segment) error {
	flushed := s.Flush(ctx)
	if ctx.Err() != nil || errors.Is(flushed, ErrClosed) {
		return flushed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovered = true
	for i, g := range inherited {
		g.phase, g.turn = phaseSealed, uint64(i+1)
		g.held = g.held || flushed != nil
	}
	for _, g := range inherited {
		s.checkLocked(g)
	}
	notify(s.move)
	return nil
}

// treat does with damage in a segment what Options.Corrupt asks for.
func (s *Store) treat(g *segment, d damage) {
	c := Corruption{File: g.name(), Offset: d.offset, Length: d.length, Err: ErrCorrupt}
	switch s.o.Corrupt {
	case CorruptRename:
		aside := fmt.Sprintf("%s.%x.corrupt", g.name(), d.offset)
		if err := s.setAside(g, d, aside); err != nil {
			c.Err = errors.Join(c.Err, err)
			s.hold(g, &c)
		} else {
			c.Action = "moved to " + aside
		}
	case CorruptUnlink:
		c.Action = "dropped"
	default:
		s.hold(g, &c)
	}
	s.Metrics.Corrupt.Inc()
	s.events.corrupt(c)
}

func (s *Store) hold(g *segment, c *Corruption) {
	c.Action = "left"
	s.mu.Lock()
	defer s.mu.Unlock()
	g.held = true
}

// setAside copies damaged bytes into a file of their own.
func (s *Store) setAside(g *segment, d damage, name string) error {
	f, done, err := g.access(s.fs, s.o.Path)
	if err != nil {
		return err
	}
	out, err := s.fs.OpenFile(s.path(name), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return errors.Join(err, done())
	}
	_, err = copyRange(&offsetWriter{file: out}, f, d.offset, d.length, nil)
	if err == nil {
		err = s.sync(out)
	}
	return errors.Join(err, out.Close(), done(), s.syncDir())
}

// treatFile does the same with a file that is not a segment although its name
// says so.
func (s *Store) treatFile(name string, f vfs.File, cause error) error {
	size, err := f.Size()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	c := Corruption{File: name, Length: size, Err: cause, Action: "left"}
	path := s.path(name)
	switch s.o.Corrupt {
	case CorruptRename:
		c.Action = "moved to " + name + ".corrupt"
		err = s.fs.Rename(path, path+".corrupt")
	case CorruptUnlink:
		c.Action = "dropped"
		err = s.fs.Remove(path)
	}
	if err != nil {
		c.Action, c.Err = "left", errors.Join(cause, err)
	}
	s.Metrics.Corrupt.Inc()
	s.events.corrupt(c)
	return nil
}
