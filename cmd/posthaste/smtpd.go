package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/daemon/smtpd"
)

// smtpdFlags are those of smtpd (spec operations.md 2.1).
type smtpdFlags struct {
	foreground bool
	check      bool
	path       string
	env        bool
}

func newSMTPDCommand() *cobra.Command {
	var f smtpdFlags
	c := &cobra.Command{
		Use:     "smtpd",
		Short:   "The MTA",
		Long:    "Takes mail, keeps it and delivers it. Without -f it runs in the background and logs to\nthe system log.",
		Version: version(),
		Example: "  posthaste smtpd -f -c ./smtpd.yaml\n  posthaste smtpd --check",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runSMTPD(c, f) },
	}
	flags := c.Flags()
	flags.BoolVarP(&f.foreground, "foreground", "f", false, "stay in the foreground and log to standard error")
	flags.StringVarP(&f.path, "config", "c", "", "startup configuration `file` (default /etc/posthaste/smtpd.yaml)")
	flags.BoolVarP(&f.check, "check", "t", false, "check the configuration and end")
	flags.BoolVar(&f.env, "config-env-substitution", false, "allow the tag !Env in configuration files")
	flags.BoolP("version", "v", false, "print the version and end")
	return c
}

func runSMTPD(c *cobra.Command, f smtpdFlags) error {
	files := config.LoadOptions{EnvSubstitution: f.env}
	if f.check {
		return checkSMTPD(c, f.path, files)
	}
	if !f.foreground && !daemon.InBackground() && os.Getenv("NOTIFY_SOCKET") == "" {
		return daemon.Background()
	}
	d, log, err := smtpd.Prepare(smtpd.Options{Path: f.path, Files: files}, f.foreground)
	if err == nil {
		err = daemon.Run(c.Context(), d, log.Logger)
	}
	daemon.Surface(err)
	return err
}

func checkSMTPD(c *cobra.Command, path string, files config.LoadOptions) error {
	warnings, err := smtpd.Check(path, files)
	for _, w := range warnings {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", w)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(c.OutOrStdout(), "OK")
	return nil
}
