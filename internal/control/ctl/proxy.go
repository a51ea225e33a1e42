package ctl

import (
	"fmt"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func proxyCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "proxy", Short: "Look at the proxies that mail goes out through"}
	c.AddCommand(&cobra.Command{
		Use:   "list",
		Short: "List proxies, whether they are up, and the connections through them",
		Long: "Lists the proxies that the configuration names and those in use: whether they are up, since\n" +
			"when, and why not. Addresses of a proxy that is down are suspended with the tag proxy-down.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return s.proxies(c) },
	})
	return c
}

func (s *session) proxies(c *cobra.Command) error {
	request := &pb.ProxyListRequest{}
	if done, err := s.asJSON(c, "", pb.ProxyServiceListProcedure, request); done {
		return err
	}
	p, err := client(s, pb.NewProxyServiceClient)
	if err != nil {
		return err
	}
	answer, err := p.List(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	table := newPrinter(c.OutOrStdout(), heading{"proxy", false}, heading{"state", false}, heading{"since", false},
		heading{"next look", false}, heading{"connections", true}, heading{"failures", true}, heading{"reason", false})
	for _, r := range answer.Msg.Proxies {
		if s.json {
			err = writeJSON(c.OutOrStdout(), proxyJSON(r))
		} else {
			err = table.row(printable(r.Proxy), proxyState(r), momentOrNone(r.Since), momentOrNone(r.Next), fmt.Sprint(r.Connections), fmt.Sprint(r.Failures), printable(r.Reason))
		}
		if err != nil {
			return err
		}
	}
	return table.draw()
}

func momentOrNone(milli int64) string {
	if milli == 0 {
		return ""
	}
	return moment(milli)
}

func proxyState(r *pb.Proxy) string {
	switch {
	case r.Down:
		return "down"
	case r.Since == 0:
		return "unused"
	}
	return "up"
}

func proxyJSON(r *pb.Proxy) any {
	return struct {
		Proxy       string  `json:"proxy"`
		State       string  `json:"state"`
		Reason      string  `json:"reason,omitempty"`
		Since       float64 `json:"since,omitempty"`
		Next        float64 `json:"next,omitempty"`
		Connections uint32  `json:"connections"`
		Failures    uint32  `json:"failures"`
	}{r.Proxy, proxyState(r), r.Reason, float64(r.Since) / 1000, float64(r.Next) / 1000, r.Connections, r.Failures}
}
