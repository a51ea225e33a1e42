package ctl

import (
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func configCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Reload the configuration, try another, or see what is in force"}
	c.AddCommand(
		&cobra.Command{
			Use:   "reload",
			Short: "Read the running configuration again and put it in force",
			Long: "Reads the running configuration again and puts it in force as a whole. Connections keep\n" +
				"what they began with. On a mistake the old configuration stays.",
			Args: cobra.NoArgs,
			RunE: func(c *cobra.Command, _ []string) error { return s.reload(c) },
		},
		&cobra.Command{
			Use:   "version",
			Short: "Say which program and which configuration are running",
			Args:  cobra.NoArgs,
			RunE:  func(c *cobra.Command, _ []string) error { return s.configVersion(c) },
		},
		livestageCommand(s),
	)
	return c
}

func (s *session) reload(c *cobra.Command) error {
	request := &pb.ConfigReloadRequest{}
	if done, err := s.asJSON(c, "r", pb.ConfigServiceReloadProcedure, request); done {
		return err
	}
	config, err := client(s, pb.NewConfigServiceClient)
	if err != nil {
		return err
	}
	answer, err := config.Reload(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	return s.succeeded(c, answer.Msg.Warnings)
}

func (s *session) configVersion(c *cobra.Command) error {
	request := &pb.ConfigVersionRequest{}
	if done, err := s.asJSON(c, "", pb.ConfigServiceVersionProcedure, request); done {
		return err
	}
	config, err := client(s, pb.NewConfigServiceClient)
	if err != nil {
		return err
	}
	answer, err := config.Version(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	v := answer.Msg
	loaded := time.UnixMilli(v.Loaded).Format(time.RFC3339)
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]any{
			"program": v.Program, "path": v.Path, "schema": v.Schema, "digest": v.Digest,
			"loaded": loaded, "generation": v.Generation,
		})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "program     %s\nfile        %s\nschema      %s\ndigest      %s\nloaded      %s\ngeneration  %d\n",
		printable(v.Program), printable(v.Path), printable(v.Schema), printable(v.Digest), loaded, v.Generation)
	return err
}
