package ctl

import (
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// bar shows how far a long call is, on terminals only.
type bar struct {
	w       io.Writer
	what    string
	bytes   bool
	began   time.Time
	on      bool // w is a terminal
	writer  progress.Writer
	tracker *progress.Tracker
	ended   chan struct{} // closed when the writer has drawn its last
}

func newBar(w io.Writer, what string, bytes bool) *bar {
	_, on := terminal(w)
	return &bar{w: w, what: what, bytes: bytes, began: time.Now(), on: on}
}

// at shows that n of total are done; total 0 is not known.
func (b *bar) at(n, total int64) {
	if !b.on || b.writer == nil && time.Since(b.began) < barDelay {
		return
	}
	if b.writer == nil {
		b.start()
	}
	b.tracker.UpdateTotal(total)
	b.tracker.SetValue(n)
}

func (b *bar) start() {
	b.writer = progress.NewWriter()
	b.writer.SetOutputWriter(b.w)
	b.writer.SetUpdateFrequency(200 * time.Millisecond)
	b.writer.SetStyle(progress.StyleBlocks)
	b.tracker = &progress.Tracker{Message: b.what}
	if b.bytes {
		b.tracker.Units = progress.UnitsBytes
	}
	b.writer.AppendTracker(b.tracker)
	b.ended = make(chan struct{})
	go func() {
		defer close(b.ended)
		b.writer.Render()
	}()
}

// stop draws the last state and waits for that.
func (b *bar) stop() {
	if b.writer == nil {
		return
	}
	b.tracker.MarkAsDone()
	b.writer.Stop()
	<-b.ended
}
