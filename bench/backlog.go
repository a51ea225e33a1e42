package main

import (
	"bufio"
	"context"
	"fmt"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// backlog is a queue that has been filled, each entry a message of its own.
type backlog struct {
	*posthaste
	entries  int
	heap     int64 // before there were any entries
	resident int64
	rows     strings.Builder
}

// backlog measures what queued entries cost: memory, commands over all of them, a
// restart.
func (b *bench) backlog(ctx context.Context) (text string, err error) {
	q := &backlog{posthaste: &posthaste{program: b.program}, entries: b.entries}
	defer func() {
		if stopErr := q.stop(context.WithoutCancel(ctx)); err == nil {
			err = stopErr
		}
	}()
	if err := q.start(ctx, filepath.Join(b.dir, "backlog"), ""); err != nil {
		return "", err
	}
	for _, step := range []func(context.Context, *bench) error{q.fill, q.commands, q.restart} {
		if err := step(ctx, b); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d entries, each a message of its own of 1 KB, from 10 domains to 10 000.\n\n| what | figure |\n|---|--:|\n%s",
		q.entries, q.rows.String()), nil
}

// row adds a line to the table.
func (q *backlog) row(what, format string, value float64) {
	fmt.Fprintf(&q.rows, "| %s | "+format+" |\n", what, value)
}

// fill queues the entries and compares memory before and after.
func (q *backlog) fill(ctx context.Context, b *bench) (err error) {
	if q.heap, q.resident, err = q.settle(ctx); err != nil {
		return err
	}
	b.progress("backlog: queueing %d entries", q.entries)
	r, err := b.send(ctx, q.listen(), load{connections: 50, reuse: true, messages: q.entries, size: 1000, senders: 10, domains: 10_000})
	if err != nil {
		return err
	}
	q.row("queueing them, messages per second", "%.0f", float64(r.messages)/r.elapsed.Seconds())
	q.row("disk per entry", "%.0f B", float64(diskUse(q.spool()))/float64(q.entries))
	return q.memory(ctx, "with fresh bodies in the cache", float64(q.entries))
}

// memory notes what each of the entries has added.
func (q *backlog) memory(ctx context.Context, when string, entries float64) error {
	heap, resident, err := q.settle(ctx)
	if err != nil {
		return err
	}
	q.row("live memory per entry, "+when, "%.0f B", float64(heap-q.heap)/entries)
	q.row("resident memory per entry, "+when, "%.0f B", float64(resident-q.resident)/entries)
	return nil
}

// commands runs the control program over the whole queue.
func (q *backlog) commands(ctx context.Context, b *bench) error {
	for _, c := range []struct {
		what string
		args []string
	}{
		{"`ctl queue count`", []string{"count"}},
		{"`ctl queue list` of all", []string{"list", "--json"}},
		{"`ctl queue delete` of every tenth, by sender domain", []string{"delete", "--senderdomain", "s7.example.com"}},
	} {
		b.progress("backlog: %s", c.what)
		begin := time.Now()
		if err := q.control(ctx, append([]string{"queue"}, c.args...)...); err != nil {
			return err
		}
		q.row(c.what, "%.2f s", time.Since(begin).Seconds())
	}
	return nil
}

// restart stops and starts the process on its spool.
func (q *backlog) restart(ctx context.Context, b *bench) error {
	want, err := q.metric(ctx, "halon_queue_loader_active")
	if err != nil {
		return err
	}
	b.progress("backlog: restarting with %.0f messages", want)
	if err := q.stop(ctx); err != nil {
		return err
	}
	begin := time.Now()
	if err := q.run(ctx); err != nil {
		return err
	}
	if err := smtp.SendMail(q.address, nil, "first@example.com", []string{"first@example.net"}, []byte("Subject: first\r\n\r\nfirst\r\n")); err != nil {
		return fmt.Errorf("first message after the restart: %w", err)
	}
	q.row("restart until the first 250", "%.2f s", time.Since(begin).Seconds())
	if err := eventually(ctx, 5*time.Minute, "restart", func() error { return q.loaded(ctx, want) }); err != nil {
		return err
	}
	q.row("restart until all are scheduled again", "%.2f s", time.Since(begin).Seconds())
	return q.memory(ctx, "after the restart", want)
}

// loaded says what is missing until as many messages are in memory again.
func (p *posthaste) loaded(ctx context.Context, want float64) error {
	got, err := p.metric(ctx, "halon_queue_loader_active")
	if err == nil && got < want {
		err = fmt.Errorf("%.0f of %.0f messages are loaded", got, want)
	}
	return err
}

// control runs the control program against the process and drops its output.
func (p *posthaste) control(ctx context.Context, args ...string) error {
	command := exec.CommandContext(ctx, p.program, append([]string{"ctl", "--socket", filepath.Join(p.dir, "run", "smtpd.ctl")}, args...)...)
	var complaint strings.Builder
	command.Stderr = &complaint
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	command.Stdout = null
	if err := command.Run(); err != nil {
		return fmt.Errorf("ctl %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	return nil
}

// settle collects garbage in the process and returns its live heap and its
// resident memory, in bytes.
func (p *posthaste) settle(ctx context.Context) (heap, resident int64, err error) {
	page, err := p.get(ctx, "/debug/pprof/heap?gc=1&debug=1")
	if err != nil {
		return 0, 0, err
	}
	lines := bufio.NewScanner(strings.NewReader(page))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), "# HeapAlloc = "); ok {
			if heap, err = strconv.ParseInt(value, 10, 64); err != nil {
				return 0, 0, err
			}
		}
	}
	resident, err = p.tree().memory()
	return heap, resident, err
}

// version asks the binary.
func (b *bench) version() string {
	out, err := exec.Command(b.program, "--version").Output()
	if err != nil {
		return "of unknown version"
	}
	fields := strings.Fields(string(out))
	return fields[len(fields)-1]
}
