package ctl

import (
	"context"
	"fmt"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func suspendCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "suspend", Short: "Hold deliveries back, or let them go on"}
	c.AddCommand(
		suspendListCommand(s), suspendAddCommand(s), suspendDeleteCommand(s),
		reloadCommand(s, "suspensions", "o", pb.SuspendServiceReloadProcedure, &pb.SuspendReloadRequest{}, func(ctx context.Context) ([]string, error) {
			p, err := client(s, pb.NewSuspendServiceClient)
			if err != nil {
				return nil, err
			}
			answer, err := p.Reload(ctx, connect.NewRequest(&pb.SuspendReloadRequest{}))
			if err != nil {
				return nil, s.failed(ctx, err)
			}
			return answer.Msg.Warnings, nil
		}),
	)
	return c
}

func deliveryCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "delivery", Short: "Delivery settings by destination"}
	c.AddCommand(reloadCommand(s, "delivery settings", "H", pb.DeliveryServiceReloadProcedure, &pb.DeliveryReloadRequest{}, func(ctx context.Context) ([]string, error) {
		p, err := client(s, pb.NewDeliveryServiceClient)
		if err != nil {
			return nil, err
		}
		answer, err := p.Reload(ctx, connect.NewRequest(&pb.DeliveryReloadRequest{}))
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		return answer.Msg.Warnings, nil
	}))
	return c
}

// reloadCommand reads one of the files again that stand apart from the
// configuration.
func reloadCommand(s *session, what, letter, method string, request proto.Message, run func(context.Context) ([]string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Read the file of " + what + " again and put it in force",
		Long: "Reads the file of " + what + " again and puts it in force. On a mistake the old ones stay.\n" +
			"'config reload' leaves them alone.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if done, err := s.asJSON(c, letter, method, request); done {
				return err
			}
			warnings, err := run(c.Context())
			if err != nil {
				return err
			}
			return s.succeeded(c, warnings)
		},
	}
}

// succeeded says that something was done.
func (s *session) succeeded(c *cobra.Command, warnings []string) error {
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]any{"ok": true, "warnings": append([]string{}, warnings...)})
	}
	for _, w := range warnings {
		fmt.Fprintln(c.ErrOrStderr(), "warning:", printable(w))
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), "OK")
	return err
}

func suspendListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List suspensions, those of the file first",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.suspensions(c) },
	}
}

func (s *session) suspensions(c *cobra.Command) error {
	request := &pb.SuspendListRequest{}
	if done, err := s.asJSON(c, "s", pb.SuspendServiceListProcedure, request); done {
		return err
	}
	p, err := client(s, pb.NewSuspendServiceClient)
	if err != nil {
		return err
	}
	answer, err := p.List(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	table := newPrinter(c.OutOrStdout(), heading{"id", false}, heading{"suspended", false}, heading{"tag", false},
		heading{"properties", false}, heading{"waiting", true}, heading{"ttl", true})
	for _, r := range answer.Msg.Rows {
		if s.json {
			err = writeJSON(c.OutOrStdout(), suspensionJSON(r))
		} else {
			id := printable(r.Id)
			if !r.Dynamic {
				id = "(file)"
			}
			err = table.row(id, matchText(nil, r.Match), printable(r.Tag), propertyText(r.Properties), fmt.Sprint(r.Waiting), ttlText(r.Ttl))
		}
		if err != nil {
			return err
		}
	}
	return table.draw()
}

func suspensionJSON(r *pb.SuspendRow) any {
	return struct {
		ID         string              `json:"id,omitempty"`
		Dynamic    bool                `json:"dynamic"`
		Type       string              `json:"type,omitempty"`
		Match      map[string][]string `json:"match"`
		Tag        string              `json:"tag,omitempty"`
		Properties map[string]string   `json:"properties,omitempty"`
		Waiting    uint32              `json:"waiting"`
		TTL        float64             `json:"ttl,omitempty"`
		Created    float64             `json:"created,omitempty"`
	}{r.Id, r.Dynamic, r.Type, matchMap(r.Match), r.Tag, r.Properties, r.Waiting, r.Ttl, float64(r.Created) / 1000}
}

func suspendAddCommand(s *session) *cobra.Command {
	var match matchFlags
	var properties []string
	var ttl string
	request := &pb.SuspendAddRequest{}
	c := &cobra.Command{
		Use:   "add",
		Short: "Hold back what matches",
		Long: "Holds back deliveries that match, until the time is over or the suspension is deleted. One\n" +
			"that names a source address takes that address away; mail goes on from the others. Without\n" +
			"a field everything is held back. Entries wait in the active queue and lose no retry. Prints\n" +
			"the id." + matchHelp,
		Example: "  ctl queue suspend add --grouping '&google' --tag 'too many complaints' --ttl 2h",
		Args:    cobra.NoArgs,
	}
	match.add(c, "deliveries whose %s is the `VALUE`")
	flags := c.Flags()
	flags.StringVar(&request.Tag, "tag", "", "`label`, at most 32 bytes")
	flags.StringArrayVar(&properties, "property", nil, "`NAME=VALUE` for scripts; repeatable")
	flags.StringVar(&ttl, "ttl", "", "`time` until it ends, such as 90s or 1h; default never")
	flags.StringVar(&request.Id, "id", "", "`name` for it; default a new one")
	flags.BoolVar(&request.Keep, "keep", false, "do not replace one like it")
	c.RunE = func(c *cobra.Command, _ []string) error {
		request.Match = match.list()
		var err error
		if request.Ttl, err = spanFlag(ttl, "ttl"); err != nil {
			return err
		}
		if request.Properties, err = pairs(properties); err != nil {
			return err
		}
		if done, err := s.asJSON(c, "t", pb.SuspendServiceAddProcedure, request); done {
			return err
		}
		p, err := client(s, pb.NewSuspendServiceClient)
		if err != nil {
			return err
		}
		answer, err := p.Add(c.Context(), connect.NewRequest(request))
		if err != nil {
			return s.failed(c.Context(), err)
		}
		return s.printID(c, answer.Msg.Id)
	}
	return c
}

func suspendDeleteCommand(s *session) *cobra.Command {
	request := &pb.SuspendDeleteRequest{}
	return deleteCommand("suspension", &request.Id, func(c *cobra.Command) error {
		if done, err := s.asJSON(c, "u", pb.SuspendServiceDeleteProcedure, request); done {
			return err
		}
		p, err := client(s, pb.NewSuspendServiceClient)
		if err != nil {
			return err
		}
		if _, err = p.Delete(c.Context(), connect.NewRequest(request)); err != nil {
			return s.failed(c.Context(), err)
		}
		return s.succeeded(c, nil)
	})
}
