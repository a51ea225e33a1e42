// Command posthaste is every program of the mail system in one binary. The
// first argument chooses the program, or the name under which the binary is
// called: a link named smtpd runs smtpd.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// program is one row of the table of programs.
type program struct {
	name    string
	aliases []string // other names of the link or first argument
	command func() *cobra.Command
}

// programs is filled lazily, so that a start pays for one program only.
var programs = []program{
	{"up", nil, newUpCommand},
	{"smtpd", nil, newSMTPDCommand},
	{"ctl", []string{"halonctl", "phctl"}, newCtlCommand},
	{"top", []string{"halontop", "phtop"}, newTopCommand},
	{"spool", nil, newSpoolCommand},
	{"certs", nil, newCertsCommand},
	{"lets_encrypt_status", nil, newCertsStatusCommand},
	{"lets_encrypt_retry", nil, newCertsRetryCommand},
	{"config", []string{"halonconfig", "phconfig"}, newConfigCommand},
	{"hsh", nil, newHSHCommand},
	{"hsl-lint", nil, newHSLLintCommand},
	{"sink", nil, newSinkCommand},
	{"source", nil, newSourceCommand},
}

// Exit codes of every program.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3 // the daemon does not answer
)

// coded is an error that chooses the exit code.
type coded struct {
	error
	code int
}

func (c coded) Unwrap() error { return c.error }

// errSaid ends a program whose output says already what is wrong.
var errSaid = errors.New("see above")

// withCode makes err end the program with code.
func withCode(code int, err error) error { return coded{err, code} }

func main() { os.Exit(run(os.Args)) }

// run chooses the program, runs it and reports an error once.
func run(args []string) int {
	cmd := choose(filepath.Base(args[0]), args[1:])
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return withCode(exitUsage, fmt.Errorf("%w\nTry '%s --help'", err, c.CommandPath()))
	})
	ran, err := cmd.ExecuteC()
	if err == nil {
		return 0
	}
	if errors.Is(err, errSaid) {
		return exitCodeOf(err)
	}
	text := err.Error()
	if !strings.HasPrefix(text, ran.Name()+": ") {
		text = ran.Name() + ": " + text
	}
	fmt.Fprintln(os.Stderr, text)
	return exitCodeOf(err)
}

func exitCodeOf(err error) int {
	var c coded
	if errors.As(err, &c) {
		return c.code
	}
	// cobra's own complaints are about how it was called.
	for _, usage := range []string{"unknown command", "unknown flag", "accepts ", "requires ", "required flag"} {
		if strings.HasPrefix(err.Error(), usage) {
			return exitUsage
		}
	}
	return exitFailed
}

// choose returns the command for the name that we were called by.
func choose(self string, args []string) *cobra.Command {
	for _, p := range programs {
		if p.name == self || slices.Contains(p.aliases, self) {
			c := p.command()
			c.Use = self + strings.TrimPrefix(c.Use, p.name)
			c.SetArgs(args)
			return c
		}
	}
	root := newRootCommand()
	root.SetArgs(args)
	return root
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:     "posthaste PROGRAM",
		Short:   "A mail transfer agent for people who send a lot of mail",
		Version: version(),
		Long: "A mail transfer agent for people who send a lot of mail.\n\n" +
			"The binary also answers to the name of a program: a link named smtpd runs smtpd.",
		Example: "  posthaste up                      try it: an MTA and a sink on loopback ports\n" +
			"  posthaste smtpd -f -c smtpd.yaml  run the MTA in the foreground",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q; see 'posthaste --help'", args[0])
			}
			return c.Help()
		},
	}
	for _, p := range programs {
		c := p.command()
		c.Aliases = append(c.Aliases, p.aliases...)
		root.AddCommand(c)
	}
	return root
}
