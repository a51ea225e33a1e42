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

// backlog fills the queue of Posthaste with entries, each a message of its own,
// and measures what they cost: memory, commands over all of them, a restart.
func (b *bench) backlog(ctx context.Context) (text string, err error) {
	p := &posthaste{program: b.program}
	dir := filepath.Join(b.dir, "backlog")
	defer func() {
		if stopErr := p.stop(context.WithoutCancel(ctx)); err == nil {
			err = stopErr
		}
	}()
	if err := p.start(ctx, dir, ""); err != nil {
		return "", err
	}
	var t strings.Builder
	fmt.Fprintf(&t, "%d entries, each a message of its own of 1 KB, from 10 domains to 10 000.\n\n| what | figure |\n|---|--:|\n", b.entries)
	for _, step := range []func(context.Context, *posthaste, *strings.Builder) error{b.fill, b.commands, b.restart} {
		if err := step(ctx, p, &t); err != nil {
			return "", err
		}
	}
	return t.String(), nil
}

// fill queues the entries and compares memory before and after.
func (b *bench) fill(ctx context.Context, p *posthaste, t *strings.Builder) error {
	heapBefore, residentBefore, err := p.settle(ctx)
	if err != nil {
		return err
	}
	b.progress("backlog: queueing %d entries", b.entries)
	r, err := b.send(ctx, p.listen(), load{connections: 50, reuse: true, messages: b.entries, size: 1000, senders: 10, domains: 10_000})
	if err != nil {
		return err
	}
	heap, resident, err := p.settle(ctx)
	if err != nil {
		return err
	}
	n := float64(b.entries)
	fmt.Fprintf(t, "| queueing them, messages per second | %.0f |\n", float64(r.messages)/r.elapsed.Seconds())
	fmt.Fprintf(t, "| live memory per entry | %.0f B |\n", float64(heap-heapBefore)/n)
	fmt.Fprintf(t, "| resident memory per entry | %.0f B |\n", float64(resident-residentBefore)/n)
	fmt.Fprintf(t, "| disk per entry | %.0f B |\n", float64(diskUse(p.spool()))/n)
	return nil
}

// commands runs the control program over the whole queue.
func (b *bench) commands(ctx context.Context, p *posthaste, t *strings.Builder) error {
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
		if err := p.control(ctx, append([]string{"queue"}, c.args...)...); err != nil {
			return err
		}
		fmt.Fprintf(t, "| %s | %.2f s |\n", c.what, time.Since(begin).Seconds())
	}
	return nil
}

// restart stops and starts the process on its spool.
func (b *bench) restart(ctx context.Context, p *posthaste, t *strings.Builder) error {
	want, err := p.metric(ctx, "halon_queue_loader_active")
	if err != nil {
		return err
	}
	b.progress("backlog: restarting with %.0f messages", want)
	if err := p.stop(ctx); err != nil {
		return err
	}
	begin := time.Now()
	if err := p.run(ctx); err != nil {
		return err
	}
	if err := smtp.SendMail(p.address, nil, "first@example.com", []string{"first@example.net"}, []byte("Subject: first\r\n\r\nfirst\r\n")); err != nil {
		return fmt.Errorf("first message after the restart: %w", err)
	}
	first := time.Since(begin)
	if err := eventually(ctx, 5*time.Minute, "restart", func() error { return p.loaded(ctx, want) }); err != nil {
		return err
	}
	fmt.Fprintf(t, "| restart until the first 250 | %.2f s |\n", first.Seconds())
	fmt.Fprintf(t, "| restart until all are scheduled again | %.2f s |\n", time.Since(begin).Seconds())
	return nil
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
