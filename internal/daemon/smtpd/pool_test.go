package smtpd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/metric"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// bounds lists the pools that a startup file makes, as running/begun.
func bounds(t *testing.T, startup string, r *Running) (p *scriptPools, registry *metric.Registry, all map[string]string) {
	t.Helper()
	registry = new(metric.Registry)
	s := startupOf(t, startup)
	p = newScriptPools(s, registry)
	p.resize(s, r)
	all = map[string]string{}
	for _, sample := range registry.Gather() {
		switch sample.Name {
		case "threads_scripts_maxrunning":
			all[sample.Labels[0].Value] = fmt.Sprint(sample.Value)
		case "threads_scripts_maxscripts":
			all[sample.Labels[0].Value] += "/" + fmt.Sprint(sample.Value)
		}
	}
	return p, registry, all
}

// TestScriptPools: which pools there are, how large they are, and what runs on
// them.
func TestScriptPools(t *testing.T) {
	const servers = `
servers:
  - { id: a, listeners: [{ port: 2525 }], threads: { script: 3 } }
  - { id: b, listeners: [{ port: 2526 }], threads: { script: slow } }
threads: { scripts: [ { id: _default, size: 2 }, { id: _queues, size: 4, maxscripts: 5 }, { id: slow, size: 7 } ] }`
	p, _, got := bounds(t, servers, new(Running))
	want := map[string]string{
		"_default": "2/128", "_queues": "4/5", postPool: "4/5", "slow": "7/448", "server:a": "3/192",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for id, pool := range map[string]string{"a": "server:a", "b": "slow"} {
		if on, _ := p.server(id); on.ID() != pool {
			t.Errorf("the scripts of %s run on %s", id, on.ID())
		}
	}
	if q := p.queue(new(Running)); q.Pre.ID() != QueuesPool || q.Post.ID() != postPool {
		t.Errorf("the scripts of the queue run on %s and %s", q.Pre.ID(), q.Post.ID())
	}
	named := &Running{Queues: Queues{Threads: QueueThreads{Script: config.Optional[ScriptPool]{Set: true, Value: ScriptPool{ID: "slow"}}}}}
	if q := p.queue(named); q.Pre.ID() != "slow" || q.Post.ID() != "slow" {
		t.Errorf("the scripts of the queue run on %s and %s, not on the one that is named", q.Pre.ID(), q.Post.ID())
	}
	sized := &Running{Queues: Queues{Threads: QueueThreads{Script: config.Optional[ScriptPool]{Set: true, Value: ScriptPool{Size: 9}}}}}
	if _, _, got = bounds(t, servers+"\nqueues: { threads: { script: 8 } }", new(Running)); got["_queues"] != "8/512" || got[postPool] != "8/512" {
		t.Errorf("with a number in the startup file there are %v", got)
	}
	_, registry, got := bounds(t, servers, sized)
	if got["_queues"] != "9/576" || got[postPool] != "9/576" {
		t.Errorf("with a number in the running file there are %v", got)
	}
	for _, sample := range registry.Gather() {
		if strings.HasSuffix(sample.Name, "delivery_threads") && sample.Value != 9 {
			t.Errorf("%s is %v", sample.Name, sample.Value)
		}
	}
}

// TestScriptLimits: the limits of the running file, and those of single phases.
func TestScriptLimits(t *testing.T) {
	files := newArrivalFiles(t)
	c := files.place(arrival{path: "scripting.limits", text: "scripting: { limits: { time: 7, predelivery: 8, postdelivery: 9, instructions: 10, memory: 11KiB, output: 12 } }"})[0]
	s := files.compose(t, c)
	if got, want := s.running.Scripting.Limits.general(), (value.Limits{Time: 7 * time.Second, Instructions: 10, Memory: 11 << 10, Output: 12}); got != want {
		t.Errorf("limits %+v", got)
	}
	if q := (*scriptPools)(nil).queue(s.running); q.PreTime != 8*time.Second || q.PostTime != 9*time.Second {
		t.Errorf("times of the queue are %s and %s", q.PreTime, q.PostTime)
	}
	for phase := session.PhaseConnect; phase <= session.PhaseDisconnect; phase++ {
		c := files.place(arrival{path: "servers[]", text: "phases: { " + phase.String() + ": { timelimit: 7 } }"})[0]
		limits := files.compose(t, c).running.serverByID("a").Phases.timeLimits()
		if len(limits) != 1 || limits[phase] != 7*time.Second {
			t.Errorf("%s: limits %v", phase, limits)
		}
	}
}
