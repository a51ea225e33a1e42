package daemon

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
)

// Logger is a process's log: short lines of text, at the priorities of syslog.
// The level and the mask may be changed while it is in use.
type Logger struct {
	*slog.Logger
	level slog.LevelVar
	mask  atomic.Int32
	out   *output
}

// output is the sink that the derived loggers share.
type output struct {
	mu   sync.Mutex // serialises sink
	sink Sink
}

func (o *output) write(level slog.Level, text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sink.WriteLine(priorityOf(level), printable(text))
}

// LevelNotice and LevelCritical complete slog's levels to what syslog has.
const (
	LevelNotice   = slog.LevelInfo + 2
	LevelCritical = slog.LevelError + 4
)

// Sink takes finished log lines. It is called by one goroutine at a time.
type Sink interface {
	WriteLine(priority Priority, line string) error
}

// Priority is a syslog severity, 0 (emergency) to 7 (debug).
type Priority uint8

// The severities that we use.
const (
	PriorityCritical Priority = 2
	PriorityError    Priority = 3
	PriorityWarning  Priority = 4
	PriorityNotice   Priority = 5
	PriorityInfo     Priority = 6
	PriorityDebug    Priority = 7
)

var priorityNames = []string{2: "critical", 3: "error", 4: "warning", 5: "notice", 6: "info", 7: "debug"}

func (p Priority) String() string { return priorityNames[p] }

// keepAll is the mask that keeps every priority.
const keepAll = 255

// NewLogger returns a Logger that writes to s everything from info upwards.
func NewLogger(s Sink) *Logger {
	l := &Logger{}
	l.mask.Store(keepAll)
	l.out = &output{sink: s}
	l.Logger = slog.New(&lines{log: l})
	return l
}

// SetLevel sets the least severe level that is written.
func (l *Logger) SetLevel(level slog.Level) { l.level.Set(level) }

// Level returns the level in force.
func (l *Logger) Level() slog.Level { return l.level.Level() }

// SetMask sets the priorities that are kept: bit n keeps priority n (spec
// config.md 2.2, environment.syslog.mask).
func (l *Logger) SetMask(mask int) { l.mask.Store(int32(mask)) }

// Line writes one finished line, without the cost of slog's records.
func (l *Logger) Line(level slog.Level, text string) {
	if l.Keeps(level) {
		_ = l.out.write(level, text) // where would we say that we cannot say it
	}
}

// Keeps reports whether a line of that priority would be written, for callers
// that can save the work of making it.
func (l *Logger) Keeps(level slog.Level) bool {
	return level >= l.level.Level() && l.mask.Load()&(1<<priorityOf(level)) != 0
}

// lines is the slog.Handler: attributes follow the text as key=value.
type lines struct {
	log   *Logger
	attrs string
}

func (h *lines) Enabled(_ context.Context, level slog.Level) bool { return h.log.Keeps(level) }

func (h *lines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		appendAttr(&b, a)
		return true
	})
	return h.log.out.write(r.Level, b.String())
}

func (h *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		appendAttr(&b, a)
	}
	c := *h
	c.attrs = b.String()
	return &c
}

// WithGroup is not supported: our lines are flat. It returns h itself.
func (h *lines) WithGroup(string) slog.Handler { return h }

func appendAttr(b *strings.Builder, a slog.Attr) {
	b.WriteByte(' ')
	b.WriteString(a.Key)
	b.WriteByte('=')
	v := a.Value.Resolve().String()
	if v == "" || strings.ContainsAny(v, " \"=") {
		v = `"` + strings.ReplaceAll(v, `"`, `'`) + `"`
	}
	b.WriteString(v)
}

// printable keeps a line a line: what a peer sent may hold anything.
func printable(s string) string {
	clean := func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}
	return strings.Map(clean, s)
}

func priorityOf(l slog.Level) Priority {
	switch {
	case l >= LevelCritical:
		return PriorityCritical
	case l >= slog.LevelError:
		return PriorityError
	case l >= slog.LevelWarn:
		return PriorityWarning
	case l >= LevelNotice:
		return PriorityNotice
	case l >= slog.LevelInfo:
		return PriorityInfo
	}
	return PriorityDebug
}

// Console writes lines as "ident: text", as a daemon in the foreground does.
type Console struct {
	W     io.Writer
	Ident string
}

// WriteLine writes one line with one write.
func (c Console) WriteLine(_ Priority, line string) error {
	_, err := io.WriteString(c.W, c.Ident+": "+line+"\n")
	return err
}
