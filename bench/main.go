// Command bench measures Posthaste against Postfix on this machine and writes
// what it found into docs/benchmarks.md. `make bench` runs it.
//
// Both systems run from folders of their own, on loopback ports of their own, in
// turn and fresh for each measurement; load and the next hop are the same for
// both and run in this process. What counts are the ratios: everything else
// depends on the machine, which is named beside the figures.
//
// The parts, each of which can run alone:
//
//	intake   messages taken in and made safe, none delivered
//	relay    from the client to the next hop
//	disk     the room that queued mail takes
//	backlog  a million queued entries: memory, listing, deleting, restarting
//	dkim     signatures, made and checked
//	script   scripts at the end of data: headers, regular expressions, signatures
//	hsl      ten programs in the script language, PHP and Lua
//	acme     certificates for two thousand names, obtained and renewed
//	backoff  a provider that has had enough, beside nine others
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// bench holds what all parts share.
type bench struct {
	program string        // the binary under test
	dir     string        // where spools lie
	rounds  int           // measurements of each kind
	lasting time.Duration // of the load of one measurement
	size    int           // bytes of a message
	entries int           // of the backlog
	postfix string        // its version, empty when it takes no part
}

// part is one group of measurements and yields a section of the page.
type part struct {
	name   string
	run    func(*bench, context.Context) (string, error)
	rounds bool // figures are medians of rounds
}

var parts = []part{
	{"intake", (*bench).intake, true},
	{"relay", (*bench).relay, true},
	{"disk", (*bench).disk, false},
	{"backlog", (*bench).backlog, false},
	{"dkim", (*bench).dkim, false},
	{"script", (*bench).hook, true},
	{"hsl", (*bench).hsl, false},
	{"acme", (*bench).acme, false},
	{"backoff", (*bench).backoff, false},
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	b := &bench{}
	var only, page string
	flag.StringVar(&b.program, "posthaste", "bin/posthaste", "the binary to measure")
	flag.StringVar(&b.dir, "dir", os.TempDir(), "spools lie in a new folder here")
	flag.IntVar(&b.rounds, "rounds", 3, "measurements of each kind; the median is reported")
	flag.DurationVar(&b.lasting, "lasting", 4*time.Second, "load of one measurement")
	flag.IntVar(&b.size, "size", 10_000, "bytes of a message")
	flag.IntVar(&b.entries, "entries", 1_000_000, "entries of the backlog")
	flag.StringVar(&only, "part", "all", "intake, relay, disk, backlog, dkim, script, hsl, acme or all")
	flag.StringVar(&page, "page", "docs/benchmarks.md", "the page that takes the figures; empty: print only")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp(b.dir, "bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := os.Chmod(b.dir, 0o755); err != nil { // Postfix's daemons walk through it
		return err
	}
	if b.postfix, err = findPostfix(); err != nil {
		b.progress("without Postfix: %v", err)
	}
	return b.runParts(ctx, only, page)
}

func (b *bench) runParts(ctx context.Context, only, page string) error {
	found := false
	for _, p := range parts {
		if only != "all" && only != p.name {
			continue
		}
		found = true
		text, err := p.run(b, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		text = b.caption(p.rounds) + text
		fmt.Printf("\n%s\n%s", p.name, text)
		if page != "" {
			if err := insert(page, p.name, text); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("no part %q", only)
	}
	return nil
}

// caption says where and of what the figures are.
func (b *bench) caption(rounds bool) string {
	text := fmt.Sprintf("%s on %s. Posthaste %s", time.Now().UTC().Format("2006-01-02"), inspect(b.dir), b.version())
	if b.postfix != "" {
		text += ", Postfix " + b.postfix
	}
	if rounds {
		text += fmt.Sprintf(". Medians of %d rounds of %v", b.rounds, b.lasting)
	}
	return text + ".\n\n"
}

// systems returns a fresh instance of each system that takes part.
func (b *bench) systems() []mta {
	all := []mta{&posthaste{program: b.program}}
	if b.postfix != "" {
		all = append(all, &postfix{})
	}
	return all
}

// progress tells whoever waits what is going on.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  %s\n", time.Now().Format("15:04:05"), strings.TrimSpace(fmt.Sprintf(format, args...)))
}
