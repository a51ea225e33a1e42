// Package top is the live view of a running MTA in a terminal: `posthaste top`,
// also known as halontop.
//
// Once a second it reads all counters and gauges of the process and shows them in
// sections, a pane of them at a time; what has changed since the last reading
// shows by how much. layout.go is the table of what stands where, view.go draws
// a reading, and this file joins both to the keyboard and the clock. Nothing here
// knows how readings are fetched.
package top

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Reading is all numbers of the process at one moment.
type Reading struct {
	At     time.Time
	Values map[string]float64 // by the dotted names of process statistics
}

// Options say what is shown.
type Options struct {
	// Read fetches a reading. It is called again after an error.
	Read func(context.Context) (Reading, error)
	// Every is the pause between readings; 0 means one second.
	Every time.Duration
}

// Run shows the view until the user leaves it or ctx ends. Its error is about
// the terminal; that the MTA does not answer is shown instead.
func Run(ctx context.Context, o Options) error {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	_, err := tea.NewProgram(&model{ctx: ctx, options: o}, tea.WithContext(ctx)).Run()
	if ctx.Err() != nil {
		return nil // Ctrl-C is a way to leave
	}
	return err
}

// model is the state of the view. The runtime calls it from one goroutine.
type model struct {
	ctx      context.Context //nolint:containedctx // of the run; the runtime passes none to commands
	options  Options
	now, was Reading // the last reading and the one before
	err      error   // why there is no newer one
	pane     int
	paused   bool
	width    int
	height   int
}

// fetched is the end of an attempt to read.
type fetched struct {
	reading Reading
	err     error
}

// due says that it is time for the next reading.
type due struct{}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return m.fetch }

func (m *model) fetch() tea.Msg {
	r, err := m.options.Read(m.ctx)
	return fetched{r, err}
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m, m.press(msg.String())
	case fetched:
		m.take(msg)
		return m, tea.Tick(m.options.Every, func(time.Time) tea.Msg { return due{} })
	case due:
		return m, m.fetch
	}
	return m, nil
}

func (m *model) take(f fetched) {
	if m.err = f.err; m.err != nil || m.paused {
		return
	}
	m.was, m.now = m.now, f.reading
}

func (m *model) press(key string) tea.Cmd {
	switch key {
	case "q", "esc", "ctrl+c":
		return tea.Quit
	case "right", "l", "tab":
		m.pane = (m.pane + 1) % len(panes)
	case "left", "h", "shift+tab":
		m.pane = (m.pane + len(panes) - 1) % len(panes)
	case "space", "p":
		m.paused = !m.paused
	default:
		if len(key) == 1 && key >= "1" && int(key[0]-'1') < len(panes) {
			m.pane = int(key[0] - '1')
		}
	}
	return nil
}

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	return v
}
