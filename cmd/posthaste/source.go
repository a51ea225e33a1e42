package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
	"github.com/posthaste-mta/posthaste/internal/source"
)

// sourceRun is one call of the source program.
type sourceRun struct {
	options      source.Options
	from, rcpt   string
	domains      int
	size         string
	tls          string
	tlsCA        string
	tlsName      string
	passwordFile string
	acked        string
	interval     time.Duration
	json         bool
	quiet        bool
}

// Values of --tls.
const (
	tlsNone     = "none"
	tlsStartTLS = "starttls"
	tlsImplicit = "implicit"
)

const sourceLong = `Sends numbered messages to an SMTP or LMTP server, over many connections and as
fast as they are taken or at a given rate, and measures how long the server takes.

Addresses may hold "%d": in the local part it stands for a number that goes up with
each message (of --from) or each recipient (of --rcpt), in the domain for the same
number modulo --domains. Every message carries its run and number in a header field
X-Posthaste-Seq, by which the sink finds losses and duplicates; with --acked, each
acknowledged one is written to a file before the next is sent.

A message whose connection breaks after its body went out, before the reply, counts as
unacknowledged and is not sent again: the server may have it. The exit status is 0
when everything was acknowledged, and 1 otherwise.`

func newSourceCommand() *cobra.Command {
	r := &sourceRun{}
	c := &cobra.Command{
		Use:   "source --to HOST:PORT",
		Short: "Send mail as fast as a server takes it, and measure",
		Long:  sourceLong,
		Example: `  posthaste source --to 127.0.0.1:2525
  posthaste source --to 127.0.0.1:2525 -s 20 -m 100000 --rcpt 'user-%d@d%d.example' --domains 50
  posthaste source --to 127.0.0.1:2525 -s 100 --duration 1m --rate 500 --json
  posthaste source --to 127.0.0.1:2525 -s 20 --duration 5m --reconnect=1m --acked acked.log`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return r.run(c) },
	}
	r.loadFlags(c)
	r.messageFlags(c)
	r.protocolFlags(c)
	f := c.Flags()
	f.DurationVar(&r.interval, "interval", 0, "print the counts each time this `time` has passed")
	f.BoolVar(&r.json, "json", false, "print counts as JSON, one object per line")
	f.BoolVarP(&r.quiet, "quiet", "q", false, "no progress bar on a terminal")
	mustComplete(c.MarkFlagRequired("to"))
	c.MarkFlagsMutuallyExclusive("password", "password-file")
	c.MarkFlagsMutuallyExclusive("size", "file")
	return c
}

func (r *sourceRun) loadFlags(c *cobra.Command) {
	f, o := c.Flags(), &r.options
	f.StringVar(&o.To, "to", "", "`address` of the server, HOST:PORT or unix:PATH")
	f.IntVarP(&o.Sessions, "sessions", "s", 1, "`number` of connections at once")
	f.Uint64VarP(&o.Messages, "messages", "m", 1, "`number` of messages in all; 0: until --duration is over or Ctrl-C")
	f.DurationVar(&o.Duration, "duration", 0, "start no message after this `time`; without -m there is no other end")
	f.IntVar(&o.PerConnection, "per-connection", 0, "open a new connection after this `number` of messages (default: never)")
	f.Float64Var(&o.Rate, "rate", 0, "messages per second over all connections, a `number` (default: as fast as possible)")
	f.IntVar(&o.Retry, "retry-temporary", 0, "try again up to this `number` of times after a 4xx reply")
	f.DurationVar(&o.RetryDelay, "retry-delay", time.Second, "`time` before each of these")
	f.DurationVar(&o.Reconnect, "reconnect", 0, "when a connection is lost, try for this `time` to get another (1m if none is given)")
	f.Lookup("reconnect").NoOptDefVal = "1m"
	f.DurationVar(&o.Timeout, "timeout", 5*time.Minute, "`time` for each connection and each reply")
	f.StringVar(&o.Run, "run", "", "`name` of the run in the header field (default: random)")
	f.StringVar(&r.acked, "acked", "", "append each acknowledged number to this `file`")
	completeFiles(c, []string{"acked"}, nil)
}

func (r *sourceRun) messageFlags(c *cobra.Command) {
	f, o := c.Flags(), &r.options
	f.StringVar(&r.from, "from", "sender-%d@source.example", "sender `address`; <> for the null sender")
	f.StringVar(&r.rcpt, "rcpt", "user-%d@d%d.example", "recipient `address`")
	f.IntVar(&r.domains, "domains", 1, "`number` of recipient domains")
	f.IntVar(&o.Recipients, "recipients", 1, "`number` of recipients of each message")
	f.StringVar(&r.size, "size", "10000", "size of messages in `bytes`, about, such as 10000 or 1MiB")
	f.StringArrayVar(&o.Files, "file", nil, "send this `file`, or the files of this folder, in turn; repeatable")
	completeFiles(c, []string{"file"}, nil)
}

func (r *sourceRun) protocolFlags(c *cobra.Command) {
	f, o := c.Flags(), &r.options
	f.StringVar(&r.tls, "tls", tlsNone, "`kind` of TLS: none, starttls or implicit")
	f.StringVar(&r.tlsCA, "tls-ca", "", "check the server's certificate against the roots in this `file` (default: not checked)")
	f.StringVar(&r.tlsName, "tls-name", "", "`name` of the server for TLS (default: the host of --to)")
	f.StringVar(&o.Username, "user", "", "authenticate as this `name`")
	f.StringVar(&o.Password, "password", "", "`password`; other users of the machine can see it in the list of processes")
	f.StringVar(&r.passwordFile, "password-file", "", "`file` whose first line is the password")
	f.BoolVar(&o.LMTP, "lmtp", false, "speak LMTP")
	f.StringVar(&o.Helo, "helo", "localhost", "`name` to greet with")
	f.BoolVar(&o.Lockstep, "no-pipelining", false, "wait for the reply to each command, even where PIPELINING is offered")
	f.BoolVar(&o.Chunking, "chunking", false, "send bodies with BDAT where CHUNKING is offered")
	completeFlag(c, "tls", []string{tlsNone, tlsStartTLS, tlsImplicit})
	completeFiles(c, []string{"tls-ca", "password-file"}, nil)
}

func (r *sourceRun) run(c *cobra.Command) error {
	if r.options.Duration > 0 && !c.Flags().Changed("messages") {
		r.options.Messages = 0
	}
	if err := r.prepare(); err != nil {
		return withCode(exitUsage, err)
	}
	if r.acked != "" {
		log, err := sequence.OpenLog(r.acked)
		if err != nil {
			return err
		}
		defer log.Close()
		r.options.Acked = log
	}
	s, err := source.New(r.options)
	if err != nil {
		return withCode(exitUsage, err)
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := r.send(ctx, s, c)
	if r.json {
		printJSON(c.OutOrStdout(), report)
	} else {
		printSourceReport(c.OutOrStdout(), report)
	}
	return r.verdict(report, err)
}

// send runs the source, with a progress bar or lines meanwhile.
func (r *sourceRun) send(ctx context.Context, s *source.Source, c *cobra.Command) (source.Report, error) {
	done := make(chan struct{}) // closed when the run has ended
	var shown chan struct{}
	switch {
	case r.interval > 0:
		shown = inBackground(func() { r.printLines(s, c.OutOrStdout(), done) })
	case !r.quiet && term.IsTerminal(int(os.Stderr.Fd())):
		shown = inBackground(func() { r.showProgress(s, c.ErrOrStderr(), done) })
	default:
		shown = inBackground(func() {})
	}
	report, err := s.Run(ctx)
	close(done)
	<-shown
	return report, err
}

// inBackground runs f and closes the channel when it has returned.
func inBackground(f func()) chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	return ended
}

// prepare turns flags into options. All its errors are about usage.
func (r *sourceRun) prepare() error {
	o := &r.options
	var err error
	if o.From, err = source.ParsePattern(r.from, r.domains); err != nil {
		return err
	}
	if o.Rcpt, err = source.ParsePattern(r.rcpt, r.domains); err != nil {
		return err
	}
	size, err := config.ParseBytes(r.size)
	if err != nil {
		return fmt.Errorf("--size: %w", err)
	}
	o.Size = int(size)
	if r.passwordFile != "" {
		text, err := os.ReadFile(r.passwordFile)
		if err != nil {
			return err
		}
		o.Password, _, _ = strings.Cut(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	}
	return r.prepareTLS()
}

func (r *sourceRun) prepareTLS() error {
	switch r.tls {
	case tlsNone:
		return nil
	case tlsStartTLS, tlsImplicit:
	default:
		return fmt.Errorf("--tls: want none, starttls or implicit, got %q", r.tls)
	}
	host, _, err := net.SplitHostPort(r.options.To)
	if err != nil {
		host = "localhost" // a Unix socket
	}
	if r.tlsName != "" {
		host = r.tlsName
	}
	r.options.Implicit = r.tls == tlsImplicit
	r.options.TLS = &tls.Config{ServerName: host, InsecureSkipVerify: r.tlsCA == ""}
	if r.tlsCA == "" {
		return nil
	}
	text, err := os.ReadFile(r.tlsCA)
	if err != nil {
		return err
	}
	r.options.TLS.RootCAs = x509.NewCertPool()
	if !r.options.TLS.RootCAs.AppendCertsFromPEM(text) {
		return fmt.Errorf("--tls-ca: no certificates in %s", r.tlsCA)
	}
	return nil
}

// verdict is the error that the program ends with.
func (r *sourceRun) verdict(report source.Report, err error) error {
	switch {
	case err != nil:
		return err
	case !report.Complete():
		return errors.New("not every message was acknowledged")
	}
	return nil
}

func (r *sourceRun) printLines(s *source.Source, out io.Writer, done <-chan struct{}) {
	ticker := time.NewTicker(r.interval)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			report := s.Report()
			if r.json {
				printJSON(out, report)
				continue
			}
			fmt.Fprintf(out, "%.1fs: %d messages (%.0f/s), %d refused, %d unacknowledged, reply p50 %.2f ms p99 %.2f ms\n", report.Seconds,
				report.Messages, report.MessagesPerSecond, report.RefusedTemporarily+report.RefusedForGood, report.Unacknowledged, report.Reply.P50, report.Reply.P99)
		}
	}
}

func (r *sourceRun) showProgress(s *source.Source, out io.Writer, done <-chan struct{}) {
	const beat = 100 * time.Millisecond
	p := progress.NewWriter()
	p.SetOutputWriter(out)
	p.SetUpdateFrequency(beat)
	p.SetTrackerLength(40)
	p.Style().Visibility.Value = true
	p.Style().Visibility.Speed = true
	tracker := &progress.Tracker{Message: "messages", Total: int64(r.options.Messages), AutoStopDisabled: true, RemoveOnCompletion: true}
	p.AppendTracker(tracker)
	rendered := inBackground(p.Render)
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-ticker.C:
		}
		tracker.SetValue(s.Metrics.Messages.Load())
	}
	tracker.MarkAsDone()
	p.Stop()
	<-rendered
}

func printSourceReport(out io.Writer, r source.Report) {
	t := newSummary(out)
	t.AppendRow(table.Row{"Run", r.Run})
	t.AppendRow(table.Row{"Messages", fmt.Sprintf("%d in %.2f s (%.0f/s), %d started", r.Messages, r.Seconds, r.MessagesPerSecond, r.Started)})
	t.AppendRow(table.Row{"Recipients", fmt.Sprintf("%d acknowledged, %d refused for now, %d for good, %d unacknowledged, %d unsent",
		r.Recipients, r.RefusedTemporarily, r.RefusedForGood, r.Unacknowledged, r.Unsent)})
	t.AppendRow(table.Row{"Bytes", r.Bytes})
	t.AppendRow(table.Row{"Connections", fmt.Sprintf("%d, %d failed, %d lost", r.Connections, r.ConnectionsFailed, r.ConnectionsLost)})
	if r.Retries > 0 {
		t.AppendRow(table.Row{"Retries", r.Retries})
	}
	for _, f := range r.Failures {
		t.AppendRow(table.Row{fmt.Sprintf("%d ×", f.Count), f.Text})
	}
	t.Render()
	l := newSummary(out)
	l.AppendHeader(table.Row{"Latency, ms", "mean", "p50", "p90", "p99", "p99.9", "max"})
	l.AppendRow(latencyRow("connect", r.Connect))
	l.AppendRow(latencyRow("reply to body", r.Reply))
	l.Render()
}

func latencyRow(name string, l source.Latency) table.Row {
	row := table.Row{name}
	for _, v := range []float64{l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max} {
		row = append(row, fmt.Sprintf("%.2f", v))
	}
	return row
}
