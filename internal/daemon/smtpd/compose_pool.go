package smtpd

import (
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/metric"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// scriptPools are the pools that scripts run on, with their counters. They
// outlive reloads, so that a reload does not let twice as many scripts run. The
// nil scriptPools bounds and counts nothing.
type scriptPools struct {
	shared  map[string]*script.Pool // by id, as threads.scripts names them
	servers map[string]*serverScripts
	own     [2]*script.Pool // of pre-delivery and post-delivery, unless they name a shared one
	startup config.Optional[ScriptPool]
	queues  script.QueueMetrics
}

// serverScripts are those of one virtual server.
type serverScripts struct {
	pool    *script.Pool
	metrics *script.ServerMetrics
}

// postPool is the name of the pool of post-delivery scripts beside QueuesPool:
// neither kind waits for the other.
const postPool = QueuesPool + "_postdelivery"

// scriptsPerPlace is how many scripts may have begun for each that may run.
const scriptsPerPlace = 64

func defaultPoolSize() int { return 2 * runtime.GOMAXPROCS(0) }

// newScriptPools makes the pools of the startup file and registers what they
// count.
func newScriptPools(s *Startup, r *metric.Registry) *scriptPools {
	p := &scriptPools{shared: map[string]*script.Pool{}, servers: map[string]*serverScripts{}, startup: s.Queues.Threads.Script}
	add := func(id string, size, most int) *script.Pool {
		pool := script.NewPool(id, size, most)
		r.Register(pool.Metrics(), metric.Label{Name: "id", Value: id})
		return pool
	}
	sizes := map[string][2]int{DefaultPool: poolSizes(ThreadPool{}), QueuesPool: poolSizes(ThreadPool{})}
	for _, t := range s.Threads.Scripts {
		sizes[t.ID] = poolSizes(t)
	}
	for _, id := range slices.Sorted(maps.Keys(sizes)) {
		p.shared[id] = add(id, sizes[id][0], sizes[id][1])
	}
	p.own = [2]*script.Pool{p.shared[QueuesPool], add(postPool, sizes[QueuesPool][0], sizes[QueuesPool][1])}
	for _, v := range s.Servers {
		scripts := &serverScripts{metrics: script.NewServerMetrics()}
		choice := v.Threads.Script.Or(ScriptPool{Size: defaultPoolSize()})
		if scripts.pool = p.shared[choice.ID]; scripts.pool == nil {
			scripts.pool = add("server:"+v.ID, choice.Size, choice.Size*scriptsPerPlace)
		}
		for _, set := range scripts.metrics.Sets() {
			r.Register(set, metric.Label{Name: "serverid", Value: v.ID})
		}
		p.servers[v.ID] = scripts
	}
	for _, set := range p.queues.Sets() {
		r.Register(set)
	}
	return p
}

func poolSizes(t ThreadPool) [2]int {
	size := t.Size.Or(defaultPoolSize())
	return [2]int{size, t.MaxScripts.Or(size * scriptsPerPlace)}
}

// server returns what the scripts of a server run on and are counted by.
func (p *scriptPools) server(id string) (*script.Pool, *script.ServerMetrics) {
	if p == nil || p.servers[id] == nil {
		return nil, nil
	}
	return p.servers[id].pool, p.servers[id].metrics
}

// queue returns the same for those of the queue. A number is the size of each of
// their two pools; a pool that is named serves both.
func (p *scriptPools) queue(r *Running) script.QueueRuns {
	l := &r.Scripting.Limits
	runs := script.QueueRuns{PreTime: l.PreDelivery.Or(l.Time), PostTime: l.PostDelivery.Or(l.Time)}
	if p == nil {
		return runs
	}
	runs.Metrics = &p.queues
	choice := p.startup
	if r.Queues.Threads.Script.Set {
		choice = r.Queues.Threads.Script
	}
	runs.Pre, runs.Post = p.own[0], p.own[1]
	if pool := p.shared[choice.Value.ID]; choice.Set && pool != nil && choice.Value.ID != QueuesPool {
		runs.Pre, runs.Post = pool, pool
	}
	return runs
}

// resize gives the pools of the queue the size that the configuration in force
// asks for.
func (p *scriptPools) resize(s *Startup, r *Running) {
	choice := s.Queues.Threads.Script
	if r.Queues.Threads.Script.Set {
		choice = r.Queues.Threads.Script
	}
	if !choice.Set || choice.Value.ID != "" {
		return
	}
	for _, pool := range p.own {
		pool.Resize(choice.Value.Size, choice.Value.Size*scriptsPerPlace)
	}
	p.queue(r).CountThreads()
}

// general are the limits of all scripts.
func (l *ScriptLimits) general() value.Limits {
	return value.Limits{Time: l.Time, Instructions: int64(l.Instructions), Memory: int64(l.Memory), Output: int64(l.Output)}
}

// timeLimits are those of single phases.
func (p *Phases) timeLimits() map[session.Phase]time.Duration {
	limits := map[session.Phase]time.Duration{}
	for phase, limit := range map[session.Phase]config.Optional[time.Duration]{
		session.PhaseConnect: p.Connect.TimeLimit, session.PhaseDisconnect: p.Disconnect.TimeLimit, session.PhaseProxy: p.Proxy.TimeLimit,
		session.PhaseHelo: p.HELO.TimeLimit, session.PhaseAuth: p.Auth.TimeLimit, session.PhaseMailFrom: p.MailFrom.TimeLimit,
		session.PhaseRcptTo: p.RcptTo.TimeLimit, session.PhaseEndOfData: p.EOD.TimeLimit,
	} {
		if limit.Set {
			limits[phase] = limit.Value
		}
	}
	return limits
}
