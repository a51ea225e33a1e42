package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Console is a session on a terminal.
type Console struct {
	Session *Session
	History *History
	// Terminal is what is typed and shown.
	Terminal io.ReadWriter
	// Raw puts the terminal into raw mode until restore is called; nil when it
	// needs none. It is in raw mode only while a line is edited, so that an
	// interrupt reaches the process while a script runs.
	Raw func() (restore func(), err error)
	// Running returns the context for one input, which an interrupt ends, and
	// what to call afterwards; nil for a context without interrupts.
	Running func(context.Context) (context.Context, context.CancelFunc)
	// Size returns columns and lines of the terminal; nil when unknown.
	Size func() (width, height int, err error)

	line        *term.Terminal
	interrupted bool
}

const (
	firstPrompt = "hsl> "
	morePrompt  = "...> "
)

// Greeting is what a console says first.
const greeting = "Type ?name for the description of a function, exit or Ctrl-D to leave.\n"

// Run evaluates what is typed until the user leaves.
func (c *Console) Run(ctx context.Context) error {
	c.line = term.NewTerminal(keys{c}, firstPrompt)
	c.line.AutoCompleteCallback = c.complete
	if c.History != nil {
		c.line.History = c.History
	}
	c.print(greeting)
	input := ""
	for ctx.Err() == nil {
		line, err := c.readLine(input != "")
		switch {
		case c.interrupted:
			input, c.interrupted = "", false
			continue
		case errors.Is(err, io.EOF):
			c.print("\n")
			return nil
		case err != nil && !errors.Is(err, term.ErrPasteIndicator):
			return fmt.Errorf("shell: read: %w", err)
		case input == "" && c.command(line):
			continue
		case input == "" && leaves(line):
			return nil
		}
		input = c.take(ctx, input+line+"\n", line == "")
	}
	return nil
}

// leaves reports whether a line asks to end the session.
func leaves(line string) bool {
	word := strings.TrimRight(strings.TrimSpace(line), "();")
	return word == "exit" || word == "quit"
}

// take evaluates an input if it is complete, or if an empty line says that it is
// to be taken as it is, and returns what remains.
func (c *Console) take(ctx context.Context, input string, ended bool) (rest string) {
	if strings.TrimSpace(input) == "" {
		return ""
	}
	switch Judge(input) {
	case Incomplete:
		if !ended {
			return input
		}
	case Unended:
		input += ";"
	case Complete:
	}
	c.eval(ctx, input)
	return ""
}

func (c *Console) eval(ctx context.Context, input string) {
	if c.Running != nil {
		running, done := c.Running(ctx)
		defer done()
		ctx = running
	}
	v, err := c.Session.Eval(ctx, input)
	if err != nil {
		c.print(Detail(err) + "\n")
	} else if v.IsSet() {
		c.print(strings.ToValidUTF8(Show(v), "\uFFFD") + "\n")
	}
}

// Detail returns an error of a script with all that is known about it: source
// line, caret and stack.
func Detail(err error) string {
	var mistakes hsl.Errors
	var failure *hsl.Error
	switch {
	case errors.As(err, &mistakes):
		return mistakes.Detail()
	case errors.As(err, &failure):
		return failure.Detail()
	}
	return err.Error()
}

// print writes outside raw mode.
func (c *Console) print(text string) { _, _ = io.WriteString(c.Terminal, text) }

// readLine lets the user edit a line.
func (c *Console) readLine(more bool) (string, error) {
	c.line.SetPrompt(firstPrompt)
	if more {
		c.line.SetPrompt(morePrompt)
	}
	if c.Size != nil {
		if width, height, err := c.Size(); err == nil && width > 0 && height > 0 {
			_ = c.line.SetSize(width, height)
		}
	}
	if c.Raw != nil {
		restore, err := c.Raw()
		if err != nil {
			return "", err
		}
		defer restore()
	}
	return c.line.ReadLine()
}

// The control characters that keys translates.
const (
	interrupt = 0x03
	lineEnd   = 0x05 // Ctrl-E: to the end of the line
	eraseLine = 0x15 // Ctrl-U
)

// keys is the terminal as the line editor sees it. An interrupt empties the
// line and enters it, where the editor would end the session.
type keys struct{ console *Console }

func (k keys) Read(b []byte) (int, error) {
	const translated = 3 // bytes that one interrupt becomes
	n, err := k.console.Terminal.Read(b[:max(1, len(b)-translated)])
	at := bytes.IndexByte(b[:n], interrupt)
	if at < 0 {
		return n, err
	}
	k.console.interrupted = true
	return copy(b, []byte{lineEnd, eraseLine, '\r'}), err // what was typed besides is forgotten too
}

func (k keys) Write(b []byte) (int, error) { return k.console.Terminal.Write(b) }

// complete is called for each key, and answers to the tabulator.
func (c *Console) complete(line string, at int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	candidates, start := c.Session.Complete(line[:at])
	if strings.TrimSpace(line[:at]) == "" { // indentation of a longer input
		return line[:at] + "    " + line[at:], at + 4, true
	}
	if len(candidates) == 0 {
		return line, at, true
	}
	word := common(candidates)
	if len(candidates) > 1 && start+len(word) == at {
		c.list(candidates)
		return line, at, true
	}
	return line[:start] + word + line[at:], start + len(word), true
}

// list shows candidates above the line.
func (c *Console) list(candidates []string) {
	const most = 100
	text := strings.Join(candidates[:min(len(candidates), most)], "  ")
	if n := len(candidates) - most; n > 0 {
		text += fmt.Sprintf("  and %d more", n)
	}
	_, _ = c.line.Write([]byte(text + "\n"))
}

// command carries out a line that is for the console, and reports whether it
// was.
func (c *Console) command(line string) bool {
	name, ok := strings.CutPrefix(strings.TrimSpace(line), "?")
	if ok {
		c.print(describe(c.Session.options.Library, strings.TrimSpace(name)))
	}
	return ok
}

// describe returns what the reference says about a function or class.
func describe(l *value.Library, name string) string {
	if b := l.Builtin(name); b != nil {
		text := b.String() + ": " + b.Returns.String() + "\n    " + b.Doc + "\n"
		if b.Deprecated != "" {
			text += "    Deprecated: " + b.Deprecated + "\n"
		}
		if b.Example != "" {
			text += "    " + strings.ReplaceAll(b.Example, "\n", "\n    ") + "\n"
		}
		return text
	}
	c := l.Class(name)
	if c == nil {
		return fmt.Sprintf("There is no function or class %q.\n", name)
	}
	text := "class " + c.Name + "\n    " + c.Doc + "\n"
	if c.Constructor != nil {
		text += "    " + c.Constructor.String() + "\n"
	}
	for _, m := range c.Statics {
		text += "    " + c.Name + "::" + m.String() + "\n"
	}
	for _, m := range c.Methods {
		text += "    ->" + m.String() + "\n"
	}
	return text
}
