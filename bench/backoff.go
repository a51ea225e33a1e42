package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// What the measurement of back-off is made of: each second so many messages for
// ten domains, one of which takes no more than the limit.
const (
	backoffDomains = 10
	backoffSeconds = 15 // with load
	backoffLongest = 120
	backoffPerStep = 200 // messages in a second, for all domains
	backoffAngry   = "d0.example.net"
	backoffLimit   = backoffAngry + " messages 50/5s : 421 4.7.28 Our system has detected an unusual rate of unsolicited mail"

	backoffPolicies = `version: "6.9"
backoff:
  enabled: %v
  hold: 5
  settle: 2
  steps: [ { concurrency: 5, rate: "10/1" }, { concurrency: 2, rate: "5/1" }, { concurrency: 1, rate: "2/1" } ]
`
)

// rage is one run against a provider that has had enough.
type rage struct {
	*posthaste
	angry, calm atomic.Int64 // recipients taken
	sink        *sink.Sink
	rows        strings.Builder
	refused     int64
	calmDone    int // the second in which the last of the others' mail had arrived
	allDone     int
	recovered   int
}

// backoff measures what mail for an angry provider does to the others and to
// itself, with back-off and without.
func (b *bench) backoff(ctx context.Context) (string, error) {
	var found [2]*rage
	for i, enabled := range []bool{true, false} {
		b.progress("backoff: enabled %v", enabled)
		r := &rage{posthaste: &posthaste{program: b.program, policies: fmt.Sprintf(backoffPolicies, enabled), retry: 2}}
		if err := r.measure(ctx, b, enabled, fmt.Sprintf("backoff-%d", i)); err != nil {
			return "", err
		}
		found[i] = r
	}
	return report(found[0], found[1]), nil
}

func report(with, without *rage) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%d messages a second for %d domains over %d seconds; one domain takes 50 in 5 seconds and answers 421 beyond that. Steps of 10, 5 and 2 a second, a hold of 5 s, retries after 2 s.\n\n",
		backoffPerStep, backoffDomains, backoffSeconds)
	t.WriteString("| | with back-off | without |\n|---|--:|--:|\n")
	fmt.Fprintf(&t, "| attempts that were refused | %d | %d |\n", with.refused, without.refused)
	fmt.Fprintf(&t, "| last message for the other nine has arrived after | %d s | %d s |\n", with.calmDone, without.calmDone)
	fmt.Fprintf(&t, "| last message for the angry one | %d s | %d s |\n", with.allDone, without.allDone)
	fmt.Fprintf(&t, "| nothing is in force any more | %d s | – |\n\n", with.recovered)
	t.WriteString("With back-off, second by second; each `#` is two recipients that the angry provider took, each `x` two that it refused:\n\n```\n  s  step  others  angry\n")
	return t.String() + with.rows.String() + "```\n"
}

func (r *rage) measure(ctx context.Context, b *bench, enabled bool, name string) (err error) {
	limit, err := sink.ParseLimit(backoffLimit)
	if err != nil {
		return err
	}
	r.sink, err = sink.New(sink.Options{Listen: []string{"127.0.0.1:0"}, Limits: []sink.Limit{limit}, OnMessage: r.note})
	if err != nil {
		return err
	}
	if err := r.sink.Start(ctx); err != nil {
		return err
	}
	defer r.sink.Stop()
	defer func() {
		if stopErr := r.stop(context.WithoutCancel(ctx)); err == nil {
			err = stopErr
		}
	}()
	if err := r.start(ctx, filepath.Join(b.dir, name), r.sink.Addr().String()); err != nil {
		return err
	}
	return r.watch(ctx, b, enabled)
}

func (r *rage) note(m *sink.Message) {
	for _, to := range m.Recipients {
		if to.Address.Domain == backoffAngry {
			r.angry.Add(1)
		} else {
			r.calm.Add(1)
		}
	}
}

// watch sends and notes each second what has come of it, until all is over.
func (r *rage) watch(ctx context.Context, b *bench, enabled bool) error {
	const all = backoffPerStep * backoffSeconds
	const angry = all / backoffDomains
	var last [3]int64
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := 1; second <= backoffLongest; second++ {
		if second <= backoffSeconds {
			l := load{connections: 5, reuse: true, messages: backoffPerStep, size: 1000, domains: backoffDomains}
			if _, err := b.send(ctx, r.listen(), l); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		step, err := r.step()
		if err != nil {
			return err
		}
		now := [3]int64{r.calm.Load(), r.angry.Load(), r.sink.Metrics.RecipientsRejected.Load()}
		fmt.Fprintf(&r.rows, "%3d  %4d  %6d  %s%s\n", second, step, now[0]-last[0],
			strings.Repeat("#", int(now[1]-last[1]+1)/2), strings.Repeat("x", int(now[2]-last[2]+1)/2))
		last, r.refused = now, now[2]
		if r.calmDone == 0 && now[0] == all-angry {
			r.calmDone = second
		}
		if r.allDone == 0 && now[1] == angry {
			r.allDone = second
		}
		if r.calmDone > 0 && r.allDone > 0 && step == 0 {
			r.recovered = second
			return nil
		}
	}
	return fmt.Errorf("back-off %v: %d and %d recipients of %d after %d seconds", enabled, last[0], last[1], all, backoffLongest)
}

var stepLine = regexp.MustCompile(`backoff \S+ \S+: (?:recovers to )?(?:step (\d)|has recovered)`)

// step is the step in force, as the log has it.
func (r *rage) step() (int, error) {
	text, err := os.ReadFile(filepath.Join(r.dir, "log"))
	if err != nil {
		return 0, err
	}
	found := stepLine.FindAllSubmatch(text, -1)
	if len(found) == 0 || len(found[len(found)-1][1]) == 0 {
		return 0, nil
	}
	return int(found[len(found)-1][1][0] - '0'), nil
}
