package ctl

import (
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func pluginCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "plugin", Short: "Speak with plug-ins"}
	c.AddCommand(
		&cobra.Command{
			Use:   "command ID ARGUMENT...",
			Short: "Hand arguments to a plug-in and print its answer",
			Example: "  ctl plugin command logger reopen deliveries\n" +
				"  ctl plugin command http-bulk status",
			Args: cobra.MinimumNArgs(1),
			RunE: func(c *cobra.Command, args []string) error { return s.plugin(c, args[0], args[1:]) },
		},
		&cobra.Command{
			Use:   "list",
			Short: "List the plug-ins of the MTA",
			Args:  cobra.NoArgs,
			RunE:  func(c *cobra.Command, _ []string) error { return s.plugins(c) },
		},
	)
	return c
}

func (s *session) plugin(c *cobra.Command, id string, args []string) error {
	request := &pb.PluginCommandRequest{Id: id, Args: args}
	if done, err := s.asJSON(c, "", pb.PluginServiceCommandProcedure, request); done {
		return err
	}
	plugins, err := client(s, pb.NewPluginServiceClient)
	if err != nil {
		return err
	}
	answer, err := plugins.Command(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]string{"text": answer.Msg.Text})
	}
	for line := range strings.Lines(answer.Msg.Text) {
		if _, err := fmt.Fprintln(c.OutOrStdout(), printable(strings.TrimSuffix(line, "\n"))); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) plugins(c *cobra.Command) error {
	request := &pb.PluginListRequest{}
	if done, err := s.asJSON(c, "", pb.PluginServiceListProcedure, request); done {
		return err
	}
	plugins, err := client(s, pb.NewPluginServiceClient)
	if err != nil {
		return err
	}
	answer, err := plugins.List(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	for _, id := range answer.Msg.Ids {
		if s.json {
			err = writeJSON(c.OutOrStdout(), map[string]string{"id": id})
		} else {
			_, err = fmt.Fprintln(c.OutOrStdout(), id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
