// Package ctl is the command line of the control socket: `posthaste ctl`, also
// known as halonctl.
//
// A command builds one request of package controlpb, sends it, and writes what
// comes back as it arrives: rows in tables with boxes, or, with --json, one
// JSON object per line. With --json-request it prints the request and sends
// nothing. Where the MTA listens is found in flags, configuration files and the
// usual places, in that order; see endpoint.go.
//
// Text from strangers (reasons, subjects, addresses) is shown without control
// characters, so that it cannot play with the terminal. Exit codes are those
// of spec operations.md 6: 0 done, 1 failed, 2 wrong usage, 3 nobody answers.
package ctl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes besides 0.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
)

// Options join the commands to the program that they are part of.
type Options struct {
	Version string
	// Code makes an error end the program with an exit code.
	Code func(code int, err error) error
	// Said ends a command whose output says already what is wrong.
	Said error
}

// New returns the command and everything beneath it.
func New(o Options) *cobra.Command {
	s := &session{said: o.Said}
	root := &cobra.Command{
		Use:   "ctl",
		Short: "Control a running MTA: queue, configuration, resolver, statistics",
		Long: "Controls a running MTA over its control socket.\n\n" +
			"The socket is found through --socket, --dir or --config; without these in phctl.yaml or\n" +
			"halonctl.yaml, in smtpd.yaml, in the usual places, and beside a data folder of 'posthaste up'.",
		Version: o.Version,
		Example: "  posthaste ctl queue list --recipientdomain example.com --age '>1h'\n" +
			"  posthaste ctl queue retry --reason greylist\n" +
			"  posthaste ctl queue delete --jobid newsletter-17 --dry-run\n" +
			"  posthaste ctl config reload",
	}
	s.flags(root)
	root.AddCommand(
		queueCommand(s), configCommand(s), bounceCommand(s), hslCommand(s), resolverCommand(s),
		processCommand(s), processStatsCommand(s, "process-stats"), pluginCommand(s), proxyCommand(s), logCommand(s), versionCommand(o.Version),
		certificateCommand(s), certificateStatusCommand(s, "lets_encrypt_status", true), certificateRetryCommand(s, "lets_encrypt_retry"),
	)
	finish(root, o.Code)
	return root
}

// Certificates returns the commands of certificates as a program of their own,
// or, for the names that other mail systems have for them, one of them.
func Certificates(o Options, name string) *cobra.Command {
	s := &session{said: o.Said}
	root := certificateCommand(s)
	switch name {
	case "lets_encrypt_status":
		root = certificateStatusCommand(s, name, true)
	case "lets_encrypt_retry":
		root = certificateRetryCommand(s, name)
	default:
		root.Aliases = nil
	}
	root.Version = o.Version
	s.flags(root)
	finish(root, o.Code)
	return root
}

// finish gives every command that only holds others its complaint about an
// unknown one, and every other its exit codes and its end on Ctrl-C.
func finish(c *cobra.Command, code func(int, error) error) {
	for _, child := range c.Commands() {
		finish(child, code)
	}
	if c.RunE == nil {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return code(exitUsage, fmt.Errorf("unknown command %q%s\nTry '%s --help'", args[0], suggestion(c, args[0]), c.CommandPath()))
			}
			return c.Help()
		}
		return
	}
	if args := c.Args; args != nil {
		c.Args = func(c *cobra.Command, list []string) error {
			if err := args(c, list); err != nil {
				return code(exitUsage, fmt.Errorf("%w\nTry '%s --help'", err, c.CommandPath()))
			}
			return nil
		}
	}
	run := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), os.Interrupt)
		defer stop()
		c.SetContext(ctx)
		err := run(c, args)
		if err == nil {
			return nil
		}
		return code(exitCode(err), err)
	}
}

func suggestion(c *cobra.Command, arg string) string {
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(arg); len(near) > 0 {
		return fmt.Sprintf("; did you mean %q?", strings.Join(near, `" or "`))
	}
	return ""
}

// usageError is a mistake in how we were called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var wrong usageError
	var gone *unreachableError
	switch {
	case errors.As(err, &wrong):
		return exitUsage
	case errors.As(err, &gone):
		return exitUnreachable
	}
	return exitFailed
}

func versionCommand(version string) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), version)
			return err
		},
	}
}

// interrupted reports whether a call ended because the user wanted it to.
func interrupted(ctx context.Context) bool { return ctx.Err() != nil }
