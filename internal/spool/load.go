package spool

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// loader finds the living messages in a set of segments. First it reads all
// marks, so that it knows the end of each message before it meets the message,
// wherever the two lie; then it goes through the messages. Both run in parallel
// over the segments.
type loader struct {
	fs      vfs.FS
	dir     string
	threads int
	sources []*source
	homes   map[uint64]*segment // by generation, all that exist

	marks []mark           // in order
	cuts  map[uint64]int64 // by generation
}

// source is one segment and what the first pass learnt of it.
type source struct {
	seg     *segment
	end     int64
	marks   []mark
	refs    map[uint64]struct{}
	blob    []byte // index made by scanning, when it is not on disk
	scanned bool
	damage  []damage
}

func newLoader(fsys vfs.FS, dir string, threads int, segments []*segment) *loader {
	l := &loader{fs: fsys, dir: dir, threads: threads, homes: map[uint64]*segment{}, cuts: map[uint64]int64{}}
	for _, g := range segments {
		l.sources = append(l.sources, &source{seg: g})
		l.homes[g.generation] = g
	}
	return l
}

// parallel runs fn for each source on some goroutines, and returns the first
// error.
func (l *loader) parallel(ctx context.Context, fn func(*source) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(l.threads, len(l.sources)) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(l.sources) {
					return
				}
				if err := fn(l.sources[i]); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// readMarks is the first pass.
func (l *loader) readMarks(ctx context.Context) error {
	if err := l.parallel(ctx, func(src *source) error { return l.open(src, src.seg.dataEnd()) }); err != nil {
		return err
	}
	for _, src := range l.sources {
		for _, m := range src.marks {
			if m.kind == markCut {
				l.cuts[m.home] = int64(m.number)
			}
		}
	}
	// What lies behind a cut was refused; only a scan can have taken it in.
	err := l.parallel(ctx, func(src *source) error {
		cut, ok := l.cuts[src.seg.generation]
		if !ok || !src.scanned || src.end <= cut {
			return nil
		}
		return l.scan(src, cut)
	})
	if err != nil {
		return err
	}
	for _, src := range l.sources {
		l.marks = append(l.marks, src.marks...)
		src.marks = nil
	}
	slices.SortFunc(l.marks, compareMarks)
	return nil
}

// open learns the marks of a segment from its index, or from the segment.
func (l *loader) open(src *source, limit int64) error {
	if !src.seg.single {
		x, err := loadIndex(l.fs, l.dir, src.seg)
		if err == nil {
			err = l.takeMarks(src, x.marks)
		}
		if err == nil {
			src.end = x.end
			src.seg.indexed = true
			return nil
		}
	}
	return l.scan(src, limit)
}

// takeMarks keeps the marks that speak of segments that exist.
func (l *loader) takeMarks(src *source, data []byte) error {
	return readMarks(data, func(m mark) {
		if l.homes[m.home] == nil {
			return
		}
		src.marks = append(src.marks, m)
		if m.home != src.seg.generation {
			if src.refs == nil {
				src.refs = map[uint64]struct{}{}
			}
			src.refs[m.home] = struct{}{}
		}
	})
}

// scan reads a segment as far as limit and makes its index. The file of a large
// message got its name after it was synced, so its body is not looked at;
// everything else without an index may end in a torn write.
func (l *loader) scan(src *source, limit int64) error {
	f, done, err := src.seg.access(l.fs, l.dir)
	if err != nil {
		return err
	}
	x := newIndexWriter()
	sc := &scanner{file: f, id: src.seg.identity, end: limit, verify: !src.seg.single}
	end, found, err := sc.run(x.record)
	if err = errors.Join(err, done()); err != nil {
		return err
	}
	if src.seg.single && x.count == 0 {
		found[0].acknowledged = true
	}
	*src = source{seg: src.seg, end: end, scanned: true, blob: x.bytes(src.seg.identity, end)}
	for _, d := range found {
		if d.acknowledged {
			src.damage = append(src.damage, d)
		}
	}
	return l.takeMarks(src, x.marks.buf)
}

// keepIndex writes an index that was made by scanning. That of a segment which
// is held for its damage is not kept, so that the damage is met again at the
// next start.
func (l *loader) keepIndex(src *source) error {
	if !src.scanned || src.seg.single || src.seg.held {
		return nil
	}
	// Without room for it the index stays in memory.
	if storeIndex(l.fs, l.dir, src.seg.slot, src.blob) == nil {
		src.seg.indexed = true
		src.blob = nil
	}
	return nil
}

// found is a living message.
type found struct {
	seg      *segment
	record   record
	offset   int64
	envelope []byte
	done     []uint32
	states   []mark
	entries  []RecoveredEntry // room for recovered
}

// each is the second pass: it calls fn for each living message, from several
// goroutines at once. What found points to is valid during the call.
func (l *loader) each(ctx context.Context, fn func(*found) error) error {
	return l.parallel(ctx, func(src *source) error {
		x, err := l.index(src)
		if err != nil {
			return err
		}
		f := &found{seg: src.seg}
		return x.each(func(r record, off int64, envelope []byte) error {
			if cut, ok := l.cuts[src.seg.generation]; ok && off >= cut {
				return nil
			}
			f.record, f.offset, f.envelope = r, off, envelope
			if !l.judge(f) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			return fn(f)
		})
	})
}

// index returns the index of a source again, making it anew if it went bad
// since the first pass.
func (l *loader) index(src *source) (*index, error) {
	if src.blob == nil {
		if x, err := loadIndex(l.fs, l.dir, src.seg); err == nil {
			return x, nil
		}
		if err := l.scan(src, src.end); err != nil {
			return nil, err
		}
	}
	return parseIndex(src.blob, src.seg.identity)
}

// judge fills in what the marks say of a message, and whether it lives.
func (l *loader) judge(f *found) bool {
	f.done, f.states = f.done[:0], f.states[:0]
	number := f.record.number
	i, _ := slices.BinarySearchFunc(l.marks, number, func(m mark, n uint64) int { return cmp.Compare(m.number, n) })
	for ; i < len(l.marks) && l.marks[i].number == number; i++ {
		switch m := l.marks[i]; m.kind {
		case markGone:
			if m.home == f.seg.generation {
				return false
			}
		case markDone:
			if len(f.done) == 0 || f.done[len(f.done)-1] != m.entry {
				f.done = append(f.done, m.entry)
			}
		case markState:
			f.addState(m)
		}
	}
	return uint32(len(f.done)) < f.record.count
}

// addState keeps the newest state of an entry. They come in ascending order,
// and a done mark before them.
func (f *found) addState(m mark) {
	if n := len(f.done); n > 0 && f.done[n-1] == m.entry {
		return
	}
	if n := len(f.states); n > 0 && f.states[n-1].entry == m.entry {
		f.states[n-1] = m
		return
	}
	f.states = append(f.states, m)
}
