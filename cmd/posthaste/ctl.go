package main

import (
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/control/ctl"
)

func newCtlCommand() *cobra.Command {
	return ctl.New(ctlOptions())
}

func ctlOptions() ctl.Options {
	return ctl.Options{Version: version(), Code: withCode, Said: errSaid}
}

func newCertsCommand() *cobra.Command { return ctl.Certificates(ctlOptions(), "certs") }

func newCertsStatusCommand() *cobra.Command {
	return ctl.Certificates(ctlOptions(), "lets_encrypt_status")
}

func newCertsRetryCommand() *cobra.Command {
	return ctl.Certificates(ctlOptions(), "lets_encrypt_retry")
}

func newTopCommand() *cobra.Command {
	return ctl.NewTop(ctl.Options{Version: version(), Code: withCode})
}

func newSpoolCommand() *cobra.Command {
	return ctl.NewSpool(ctl.Options{Version: version(), Code: withCode})
}
