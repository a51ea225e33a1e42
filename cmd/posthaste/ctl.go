package main

import (
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/control/ctl"
)

func newCtlCommand() *cobra.Command {
	return ctl.New(ctl.Options{Version: version(), Code: withCode})
}

func newTopCommand() *cobra.Command {
	return ctl.NewTop(ctl.Options{Version: version(), Code: withCode})
}

func newSpoolCommand() *cobra.Command {
	return ctl.NewSpool(ctl.Options{Version: version(), Code: withCode})
}
