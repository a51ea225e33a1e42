package main

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/daemon/up"
)

func newUpCommand() *cobra.Command {
	var o up.Options
	var writeConfig string
	c := &cobra.Command{
		Use:   "up",
		Short: "Try it: an MTA and a sink on loopback ports",
		Long: "Starts the MTA with a built-in configuration, a data folder and, as the place that\n" +
			"mail goes to, a sink. Everything listens on loopback. One line is printed per message\n" +
			"that is accepted and per delivery.",
		Example: "  posthaste up\n" +
			"  posthaste up --dir /tmp/try --smtp 127.0.0.1:25025 --deliver 127.0.0.1:1025\n" +
			"  posthaste up --write-config ./config   leave that configuration as files to start from",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Out = c.OutOrStdout()
			if writeConfig != "" {
				return writeUpConfig(c, o, writeConfig)
			}
			return runUp(c, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", up.DefaultDir, "data `folder`")
	f.StringVar(&o.SMTP, "smtp", up.DefaultSMTP, "take mail on this `address`")
	f.StringVar(&o.Monitor, "monitor", up.DefaultMonitor, "metrics and health on this `address`")
	f.StringVar(&o.Sink, "sink", up.DefaultSink, "the sink listens on this `address`")
	f.StringVar(&o.Deliver, "deliver", up.DeliverSink, "where mail goes: sink, mx or `HOST:PORT`")
	f.BoolVar(&o.Quiet, "quiet", false, "no line per message")
	f.StringVar(&writeConfig, "write-config", "", "write the configuration to this `folder` and end")
	return c
}

func writeUpConfig(c *cobra.Command, o up.Options, dir string) error {
	paths, err := up.WriteConfig(o, dir)
	if err != nil {
		return err
	}
	for _, p := range paths {
		fmt.Fprintln(c.OutOrStdout(), p)
	}
	fmt.Fprintf(c.OutOrStdout(), "\nRun it with: posthaste smtpd -f -c %s/smtpd.yaml\n", dir)
	return nil
}

func runUp(c *cobra.Command, o up.Options) error {
	log := daemon.NewLogger(daemon.Console{W: os.Stderr, Ident: "smtpd"})
	if o.Quiet {
		log.SetLevel(slog.LevelWarn)
	}
	u, err := up.New(o, log)
	if err != nil {
		return err
	}
	return daemon.Run(c.Context(), u, log.Logger)
}
