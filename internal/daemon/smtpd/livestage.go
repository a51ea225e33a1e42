package smtpd

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/stage"
)

// staged is what a live stage puts in force: the Load of a stage.Stage.
type staged struct {
	text    string // of the running configuration
	current atomic.Pointer[snapshot]
}

// livestage is control.Livestage.
type livestage struct{ d *Daemon }

func (l livestage) Stages() *stage.Set { return &l.d.stages }

// Start composes the configuration of a stage as a reload would, and puts it in
// force for the connections that its conditions take.
func (l livestage) Start(r control.StageRequest) (*stage.Stage, error) {
	d := l.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining.Load() {
		return nil, errors.New("the MTA stops")
	}
	if err := d.stages.Check(r.Options); err != nil {
		return nil, err
	}
	load := &staged{text: r.Config}
	if load.text == "" {
		data, err := d.options.Files.Read(d.startup.Environment.AppConf)
		if err != nil {
			return nil, err
		}
		load.text = string(data)
	}
	next, holder, err := d.composeStage(r.ID, load.text, r.Points)
	if err != nil {
		return nil, err
	}
	load.current.Store(next)
	r.Load = load
	r.Ended = func(s *stage.Stage, reason error) { d.stageEnded(s, reason) }
	s, err := d.stages.Start(r.Options, func(s *stage.Stage) {
		s.Points.SetHold(r.Hold)
		holder.Store(s)
		d.completeStage(s, next)
	})
	if err != nil {
		return nil, err
	}
	d.queue.Reload(d.withStages(d.current.Load().queue))
	d.log.Warn("Stage " + r.ID + " has begun")
	return s, nil
}

// Break compiles the scripts of a stage anew, with break points in them, for
// connections that begin from now on.
func (l livestage) Break(id string, points []control.BreakPoint, hold time.Duration) error {
	d := l.d
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stages.Find(id)
	if s == nil {
		return control.NoStage(id)
	}
	load := s.Load.(*staged)
	next, holder, err := d.composeStage(id, load.text, points)
	if err != nil {
		return err
	}
	holder.Store(s)
	d.completeStage(s, next)
	s.Points.SetHold(hold)
	load.current.Store(next)
	return nil
}

// composeStage makes the snapshot of a stage. Its scripts find the stage in
// holder.
func (d *Daemon) composeStage(id, text string, points []control.BreakPoint) (*snapshot, *atomic.Pointer[stage.Stage], error) {
	running, _, err := d.current.Load().running.LoadStaged(d.startup, id, text, d.options.Files)
	if err != nil {
		return nil, nil, err
	}
	for _, p := range points {
		if err := running.setBreak(id, p); err != nil {
			return nil, nil, err
		}
	}
	holder := new(atomic.Pointer[stage.Stage])
	host := *d.scripts
	host.events = stageEvents(d.scripts.events, id, holder)
	host.debug = func(ctx context.Context, phase, transaction string, s *value.Stop) {
		if st := holder.Load(); st != nil {
			reached(ctx, st, phase, transaction, s)
		}
	}
	next, err := compose(d.startup, running, d.keys, &host)
	if err != nil {
		return nil, nil, err
	}
	return next, holder, nil
}

// completeStage fills in what the sessions of a stage need of the other parts.
func (d *Daemon) completeStage(s *stage.Stage, next *snapshot) {
	d.completeCertificates(next)
	for id, settings := range next.servers {
		d.complete(id, settings)
		settings.session.Stage = s.Key()
		closed := settings.session.Events.Closed
		settings.session.Events.Closed = func(c *session.Connection, summary *session.Summary) {
			s.Left()
			closed(c, summary)
		}
	}
}

// stageEnded takes the hooks of the stage out of the queue and says so. It may be
// called from a script of the stage, so it does not wait for a reload.
func (d *Daemon) stageEnded(s *stage.Stage, reason error) {
	d.log.Warn("Stage " + s.ID + " has ended: " + reason.Error())
	if d.draining.Load() {
		return
	}
	d.background.Go(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !d.draining.Load() {
			d.queue.Reload(d.withStages(d.current.Load().queue))
		}
	})
}

// settingsFor returns those of a new connection: of the stage that takes it, or
// the active ones.
func (d *Daemon) settingsFor(id string, client netip.Addr) *serverSettings {
	if s := d.stages.Choose(id, client); s != nil {
		if settings := s.Load.(*staged).current.Load().servers[id]; settings != nil {
			return settings
		}
		s.Left()
	}
	return d.settings(id)
}

// withStages returns settings of the queue whose hooks are, for the messages that
// a stage took, those of the stage.
func (d *Daemon) withStages(s *queue.Settings) *queue.Settings {
	if len(d.stages.Live()) == 0 {
		return s
	}
	next := *s
	next.Hooks = stagedHooks{s.Hooks, &d.stages}
	return &next
}

// stagedHooks is queue.Hooks.
type stagedHooks struct {
	active queue.Hooks // may be nil
	stages *stage.Set
}

// of returns the hooks for an entry, or nil. Those of a stage hold as long as the
// stage lives.
func (h stagedHooks) of(v *queue.View) queue.Hooks {
	if v.Stage != "" {
		if s := h.stages.Keyed(v.Stage); s != nil {
			return s.Load.(*staged).current.Load().queue.Hooks
		}
	}
	return h.active
}

// PreDelivery implements queue.Hooks.
func (h stagedHooks) PreDelivery(ctx context.Context, v *queue.View) queue.Decision {
	if hooks := h.of(v); hooks != nil {
		return hooks.PreDelivery(ctx, v)
	}
	return queue.Decision{}
}

// PostDelivery implements queue.Hooks.
func (h stagedHooks) PostDelivery(ctx context.Context, v *queue.View, r *queue.Result) queue.Decision {
	if hooks := h.of(v); hooks != nil {
		return hooks.PostDelivery(ctx, v, r)
	}
	return queue.Decision{}
}

// stageEvents tell the stage what its scripts do, besides those who are told of
// all scripts.
func stageEvents(base script.Events, id string, holder *atomic.Pointer[stage.Stage]) script.Events {
	say := func(text string) {
		if s := holder.Load(); s != nil {
			s.Say(strings.TrimRight(text, "\r\n"))
		}
	}
	events := base
	events.Failed = func(phase, hook, transaction, detail string) {
		base.Failed("stage "+id+": "+phase, hook, transaction, detail)
		say("[" + transaction + "] " + phase + " script failed: " + detail)
	}
	events.Echoed = func(phase, hook, transaction, text string) {
		base.Echoed(phase, hook, transaction, text)
		say("[" + transaction + "] " + text)
	}
	events.Logged = func(severity int, message string) {
		base.Logged(severity, message)
		say(message)
	}
	events.Ran = func(failed bool) {
		if s := holder.Load(); s != nil {
			s.Ran(failed)
		}
	}
	return events
}

// setBreak puts the prefix of a break point before a line of a script.
func (r *Running) setBreak(id string, p control.BreakPoint) error {
	text := r.scriptText(p.File)
	if text == nil {
		return fmt.Errorf("break point: there is no script %q: want a name as errors have it, such as eod/default.hsl", p.File)
	}
	lines := strings.SplitAfter(*text, "\n")
	if p.Line < 1 || p.Line > len(lines) || strings.TrimSpace(lines[p.Line-1]) == "" {
		return fmt.Errorf("break point: %s has no statement on line %d", p.File, p.Line)
	}
	lines[p.Line-1] = fmt.Sprintf("__debug [%q, %q] ", id, p.String()) + lines[p.Line-1]
	*text = strings.Join(lines, "")
	return nil
}

// scriptText returns where the text of a script is, by the name that errors have
// for it.
func (r *Running) scriptText(file string) *string {
	h := &r.Scripting.Hooks
	switch file {
	case "predelivery/predelivery.hsl":
		return &h.PreDelivery
	case "postdelivery/postdelivery.hsl":
		return &h.PostDelivery
	}
	for i := range r.Scripting.Files {
		if f := &r.Scripting.Files[i]; f.ID == file && !f.Binary && f.Path == "" {
			return &f.Data
		}
	}
	phase, rest, _ := strings.Cut(file, "/")
	for name, scripts := range map[string][]Script{
		"connect": h.Connect, "disconnect": h.Disconnect, "proxy": h.Proxy, "helo": h.HELO, "auth": h.Auth,
		"mailfrom": h.MailFrom, "rcptto": h.RcptTo, "eod": h.EOD,
	} {
		for i := range scripts {
			if name == phase && scripts[i].ID+".hsl" == rest {
				return &scripts[i].Data
			}
		}
	}
	return nil
}

// reached copies what a script is doing for whoever debugs the stage.
func reached(ctx context.Context, st *stage.Stage, phase, transaction string, s *value.Stop) {
	stop := script.Copy(phase, transaction, s)
	if s.Point == script.ExceptionPoint {
		st.Points.Note(stop)
		return
	}
	st.Points.Reached(ctx, stop)
}
