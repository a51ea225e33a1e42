package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/sink/sequence"
)

// sinkRun is one call of the sink program.
type sinkRun struct {
	options   sink.Options
	starttls  bool
	cert, key string
	without   []string
	size      string
	rules     []string // lines of rules
	ruleFile  string
	limits    []string    // lines of limits
	providers []string    // profiles and their domains
	faults    [5][]string // short forms by action
	acked     string
	discard   bool
	messages  int64
	duration  time.Duration
	interval  time.Duration
	json      bool
	verbose   bool
}

const sinkLong = `Takes mail at full speed, counts it and throws it away, or keeps it in a Maildir.

Faults can be injected. The short forms hold for all mail:

  --reply PHASE=TEXT[@PERCENT%]   answer with TEXT in place of the normal reply
  --delay PHASE=TIME[@PERCENT%]   wait before the reply
  --drop  PHASE[@PERCENT%]        close the connection in place of the reply
  --reset PHASE[@PERCENT%]        the same with a TCP reset
  --stall PHASE[@PERCENT%]        say nothing more until the peer leaves

A rule, or a line of a rules file, chooses by address: PATTERN PHASE ACTION
[ARGUMENT] [@PERCENT%], where PATTERN is a domain or an address and may hold "*":

  *@slow.example   eod         delay 5s @10%
  gone.example     rcpt        reply 550 5.1.1 no such user
  *                after-data  drop @1%

The phases are connect, helo, starttls, auth, mail, rcpt, data, body, eod, rset,
noop, vrfy and quit; drop, reset and stall can wait until the reply is out, as
after-eod. Unless --plain-addresses is given, recipients can ask for faults
themselves: 451@, 550-5.1.1@, drop@, delay-5s@, and with a later phase in front
eod-452@, body-stall@; "+anything" may follow.

A limit is what is put up with from one source address, for recipients of a
domain: PATTERN KIND ARGUMENTS [: REPLY].

  big.example  messages 20/10s : 421 4.7.0 slow down     recipients in 10 seconds
  big.example  connections 5/10s : 421 4.7.0 slow down   connections that have one
  big.example  block 60/1m 10m : 550 5.7.1 blocked       then refused for 10 minutes
  big.example  greylist 1m : 451 4.7.1 greylisted        until a minute has passed
  big.example  tarpit 20/10s 2s                          those above wait 2 seconds

--provider google=big.example has the limits and replies that a profile names.`

func newSinkCommand() *cobra.Command {
	r := &sinkRun{}
	c := &cobra.Command{
		Use:   "sink",
		Short: "Take mail at full speed, and misbehave on request",
		Long:  sinkLong,
		Example: `  posthaste sink -l 127.0.0.1:2526
  posthaste sink -l 127.0.0.1:2526 --reply 'rcpt=451 4.7.1 slow down@10%' --delay eod=200ms@5% --seed 1
  posthaste sink -l unix:/run/sink --lmtp --store ./mail --verbose
  posthaste sink -l 127.0.0.1:2526 --acked acked.log --messages 1000 --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return r.run(c) },
	}
	r.serverFlags(c)
	r.faultFlags(c)
	r.outputFlags(c)
	c.MarkFlagsMutuallyExclusive("discard", "store")
	c.MarkFlagsRequiredTogether("cert", "key")
	return c
}

func (r *sinkRun) serverFlags(c *cobra.Command) {
	f, o := c.Flags(), &r.options
	f.StringArrayVarP(&o.Listen, "listen", "l", nil, "take SMTP on this `address`, HOST:PORT or unix:PATH; repeatable (default 127.0.0.1:2526)")
	f.StringArrayVar(&o.ListenTLS, "listen-tls", nil, "take SMTP under TLS on this `address`; repeatable")
	f.StringVar(&o.Hostname, "hostname", "", "`name` in the greeting (default the system's)")
	f.BoolVar(&o.LMTP, "lmtp", false, "speak LMTP")
	f.BoolVar(&r.discard, "discard", false, "throw messages away (the default)")
	f.StringVar(&o.Store, "store", "", "keep messages in this `folder`, a Maildir")
	f.BoolVar(&r.starttls, "starttls", false, "offer STARTTLS, with a self-signed certificate unless one is given")
	f.StringVar(&r.cert, "cert", "", "certificate `file` for TLS, in PEM")
	f.StringVar(&r.key, "key", "", "private key `file` for TLS, in PEM")
	f.BoolVar(&o.Auth, "auth", false, "offer AUTH and accept any credentials")
	f.StringSliceVar(&r.without, "without", nil, "do not offer these `extensions`: "+strings.Join(sink.Extensions(), ", "))
	f.StringVar(&r.size, "size", "", "refuse messages larger than this many `bytes`, such as 10485760 or 10MiB")
	f.IntVar(&o.MaxConnections, "max-connections", 0, "answer 421 to more connections at once than this `number`")
	f.IntVar(&o.MaxMessages, "max-messages", 0, "answer 421 after this `number` of messages of one connection")
	f.IntVar(&o.MaxRecipients, "max-recipients", 0, "answer 452 to more recipients of one message than this `number`")
	f.DurationVar(&o.IdleTimeout, "idle", 5*time.Minute, "close connections that have been silent for this `time`")
	completeFlag(c, "without", sink.Extensions())
	completeFiles(c, []string{"cert", "key"}, []string{"store"})
}

func (r *sinkRun) faultFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&r.faults[sink.ActionReply], "reply", nil, "replace a reply; see above")
	f.StringArrayVar(&r.faults[sink.ActionDelay], "delay", nil, "delay a reply")
	f.StringArrayVar(&r.faults[sink.ActionDrop], "drop", nil, "close the connection")
	f.StringArrayVar(&r.faults[sink.ActionReset], "reset", nil, "reset the connection")
	f.StringArrayVar(&r.faults[sink.ActionStall], "stall", nil, "fall silent")
	f.StringArrayVar(&r.rules, "rule", nil, "`rule` by address; repeatable")
	f.StringVar(&r.ruleFile, "rules", "", "`file` with a rule per line")
	f.StringArrayVar(&r.limits, "limit", nil, "`limit` by source address and domain; repeatable")
	f.StringArrayVar(&r.providers, "provider", nil, "`PROFILE=DOMAIN,…`: behave for these domains as one of "+strings.Join(sink.Providers(), ", ")+"; repeatable")
	f.BoolVar(&r.options.PlainAddresses, "plain-addresses", false, "do not read faults out of recipients such as 451@")
	f.Uint64Var(&r.options.Seed, "seed", 0, "`number` that decides which trials a percentage hits")
	for _, name := range []string{"reply", "delay", "drop", "reset", "stall"} {
		completeFlag(c, name, sink.Phases())
	}
	completeFiles(c, []string{"rules"}, nil)
}

func (r *sinkRun) outputFlags(c *cobra.Command) {
	f := c.Flags()
	f.Int64Var(&r.messages, "messages", 0, "end after this `number` of messages")
	f.DurationVar(&r.duration, "for", 0, "end after this `time`")
	f.StringVar(&r.acked, "acked", "", "at the end, look up each line of this `file` (written by source --acked) and fail if one is lost")
	f.DurationVar(&r.interval, "interval", 0, "print the counts each time this `time` has passed")
	f.BoolVar(&r.json, "json", false, "print counts as JSON, one object per line")
	f.BoolVarP(&r.verbose, "verbose", "v", false, "print a line per message")
	completeFiles(c, []string{"acked"}, nil)
}

func (r *sinkRun) run(c *cobra.Command) error {
	if err := r.prepare(c.ErrOrStderr()); err != nil {
		return withCode(exitUsage, err)
	}
	s, err := sink.New(r.options)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.Start(ctx); err != nil {
		return err
	}
	for _, a := range s.Addrs() {
		fmt.Fprintf(c.ErrOrStderr(), "listening on %s\n", a)
	}
	r.wait(ctx, s, c.OutOrStdout())
	s.Stop()
	return r.finish(s, c.OutOrStdout())
}

// prepare turns flags into options. All its errors are about usage.
func (r *sinkRun) prepare(log io.Writer) error {
	o := &r.options
	if len(o.Listen)+len(o.ListenTLS) == 0 {
		o.Listen = []string{"127.0.0.1:2526"}
	}
	for _, name := range r.without {
		e, err := sink.ParseExtension(name)
		if err != nil {
			return err
		}
		o.Hide |= e
	}
	if r.size != "" {
		size, err := config.ParseBytes(r.size)
		if err != nil {
			return fmt.Errorf("--size: %w", err)
		}
		o.MaxSize = int64(size)
	}
	if err := r.prepareTLS(); err != nil {
		return err
	}
	o.Ledger = new(sequence.Ledger)
	if r.verbose {
		o.OnMessage = func(m *sink.Message) { fmt.Fprintln(log, describeMessage(m)) }
	}
	if err := r.prepareLimits(); err != nil {
		return err
	}
	return r.prepareRules()
}

func (r *sinkRun) prepareLimits() error {
	for _, text := range r.limits {
		l, err := sink.ParseLimit(text)
		if err != nil {
			return err
		}
		r.options.Limits = append(r.options.Limits, l)
	}
	for _, text := range r.providers {
		limits, err := sink.ParseProvider(text)
		if err != nil {
			return err
		}
		r.options.Limits = append(r.options.Limits, limits...)
	}
	return nil
}

func (r *sinkRun) prepareTLS() error {
	if !r.starttls && r.cert == "" && len(r.options.ListenTLS) == 0 {
		return nil
	}
	var certificate tls.Certificate
	var err error
	if r.cert != "" {
		certificate, err = tls.LoadX509KeyPair(r.cert, r.key)
	} else {
		certificate, err = sink.SelfSigned("localhost", "127.0.0.1", "::1")
	}
	if err != nil {
		return err
	}
	r.options.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	return nil
}

func (r *sinkRun) prepareRules() error {
	o := &r.options
	for action, texts := range r.faults {
		for _, text := range texts {
			rule, err := sink.ParseFault(sink.Action(action), text)
			if err != nil {
				return err
			}
			o.Rules = append(o.Rules, rule)
		}
	}
	for _, line := range r.rules {
		rule, err := sink.ParseRule(line)
		if err != nil {
			return err
		}
		o.Rules = append(o.Rules, rule)
	}
	if r.ruleFile == "" {
		return nil
	}
	f, err := os.Open(r.ruleFile)
	if err != nil {
		return err
	}
	defer f.Close()
	rules, err := sink.ReadRules(f)
	if err != nil {
		return fmt.Errorf("%s: %w", r.ruleFile, err)
	}
	o.Rules = append(o.Rules, rules...)
	return nil
}

// farewell is how long peers have to say QUIT after the last of --messages.
const farewell = time.Second

// wait returns when the sink is to end, and prints counts meanwhile.
func (r *sinkRun) wait(ctx context.Context, s *sink.Sink, out io.Writer) {
	if r.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.duration)
		defer cancel()
	}
	const beat = 50 * time.Millisecond
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	var full time.Time
	last, printed := s.Stats(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if r.interval > 0 && now.Sub(printed) >= r.interval {
				st := s.Stats()
				r.printLine(out, last, st)
				last, printed = st, now
			}
			if r.messages == 0 || s.Metrics.Messages.Load() < r.messages {
				continue
			}
			if full.IsZero() {
				full = now
			}
			if s.Metrics.ConnectionsOpen.Load() == 0 || now.Sub(full) >= farewell {
				return
			}
		}
	}
}

// printLine prints the counts of now, and the rate since the last time.
func (r *sinkRun) printLine(out io.Writer, last, now sink.Stats) {
	if r.json {
		printJSON(out, now)
		return
	}
	rate := float64(now.Messages-last.Messages) / (now.Seconds - last.Seconds)
	fmt.Fprintf(out, "%.1fs: %d connections open, %d messages (%.0f/s), %d recipients, %d rejected, %d bytes\n", now.Seconds,
		now.ConnectionsOpen, now.Messages, rate, now.Recipients, now.MessagesRejected+now.RecipientsRejected, now.Bytes)
}

// sinkReport is what is printed at the end.
type sinkReport struct {
	sink.Stats
	Acked *sequence.Comparison `json:"acked,omitempty"`
}

func (r *sinkRun) finish(s *sink.Sink, out io.Writer) error {
	report := sinkReport{Stats: s.Stats()}
	if r.acked != "" {
		f, err := os.Open(r.acked)
		if err != nil {
			return err
		}
		defer f.Close()
		found, err := r.options.Ledger.Compare(f)
		if err != nil {
			return fmt.Errorf("%s: %w", r.acked, err)
		}
		report.Acked = &found
	}
	if r.json {
		printJSON(out, report)
	} else {
		report.print(out)
	}
	if report.Acked != nil && report.Acked.Lost > 0 {
		return fmt.Errorf("%d acknowledged messages are lost", report.Acked.Lost)
	}
	return nil
}

func (r sinkReport) print(out io.Writer) {
	t := newSummary(out)
	t.AppendRow(table.Row{"Messages", fmt.Sprintf("%d, %d rejected", r.Messages, r.MessagesRejected)})
	t.AppendRow(table.Row{"Recipients", fmt.Sprintf("%d, %d rejected", r.Recipients, r.RecipientsRejected)})
	t.AppendRow(table.Row{"Bytes", strconv.FormatInt(r.Bytes, 10)})
	t.AppendRow(table.Row{"Connections", fmt.Sprintf("%d, at most %d at once, %d turned away", r.Connections, r.ConnectionsPeak, r.ConnectionsRefused)})
	if f := r.Faults; f != (sink.FaultStats{}) {
		t.AppendRow(table.Row{"Faults", fmt.Sprintf("%d replies, %d delays, %d drops, %d stalls", f.Replies, f.Delays, f.Drops, f.Stalls)})
	}
	if r.Violations > 0 {
		t.AppendRow(table.Row{"Violations", strconv.FormatInt(r.Violations, 10)})
	}
	for _, d := range r.Domains {
		t.AppendRow(table.Row{d.Domain, fmt.Sprintf("%d, %d rejected", d.Accepted, d.Rejected)})
	}
	for _, run := range r.Runs {
		t.AppendRow(table.Row{"Run " + run.Run, fmt.Sprintf("%d different, %d duplicates, %d missing below %d", run.Distinct, run.Duplicates, run.Gaps, run.End)})
	}
	if a := r.Acked; a != nil {
		t.AppendRow(table.Row{"Acknowledged", strings.TrimSpace(fmt.Sprintf("%d, %d lost %s", a.Acknowledged, a.Lost, strings.Join(a.First, " ")))})
	}
	t.Render()
}

func describeMessage(m *sink.Message) string {
	var to []string
	for _, r := range m.Recipients {
		to = append(to, r.Address.String())
	}
	return fmt.Sprintf("%s %s from=%s to=%s size=%d", m.Protocol, m.Remote, m.Sender.Path(), strings.Join(to, ","), m.Size)
}

// newSummary is a table of names and values.
func newSummary(out io.Writer) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(out)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	return t
}

func printJSON(out io.Writer, v any) {
	// The values are plain, and where the output is gone nobody is left to tell.
	_ = json.NewEncoder(out).Encode(v)
}

// completeFlag offers words for the value of a flag.
func completeFlag(c *cobra.Command, flag string, words []string) {
	err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(slices.Clone(words), cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	mustComplete(err)
}

// completeFiles marks flags whose values are files or folders.
func completeFiles(c *cobra.Command, files, folders []string) {
	var errs []error
	for _, name := range files {
		errs = append(errs, c.MarkFlagFilename(name))
	}
	for _, name := range folders {
		errs = append(errs, c.MarkFlagDirname(name))
	}
	mustComplete(errors.Join(errs...))
}

// mustComplete panics where a flag is named that does not exist: a mistake in
// this program.
func mustComplete(err error) {
	if err != nil {
		panic(err)
	}
}
