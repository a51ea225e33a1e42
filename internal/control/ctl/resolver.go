package ctl

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func resolverCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "resolver", Short: "Look into the DNS side of delivery"}
	c.AddCommand(resolverQueryCommand(s), resolverClearCommand(s), resolverListCommand(s))
	return c
}

func resolverQueryCommand(s *session) *cobra.Command {
	request := &pb.ResolverQueryRequest{}
	c := &cobra.Command{
		Use:   "query DOMAIN",
		Short: "Show where mail for a domain would go, in the order of attempts",
		Long: "Shows the hosts that mail for a domain would be sent to, in the order in which they would\n" +
			"be tried. Hosts of equal preference are shuffled for each message and retry; with --seed\n" +
			"the order is that of a particular one.",
		Example: "  ctl resolver query example.com --seed 4f2a6c1e-7f0e-4f57-9a55-0d9d7c3b2a10 --retry 2",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request.Domain = args[0]
			return s.resolve(c, request)
		},
	}
	c.Flags().StringVar(&request.Seed, "seed", "", "transaction `ID`")
	c.Flags().Uint32Var(&request.Retry, "retry", 0, "retry `number`")
	return c
}

func (s *session) resolve(c *cobra.Command, request *pb.ResolverQueryRequest) error {
	if done, err := s.asJSON(c, "", pb.ResolverServiceQueryProcedure, request); done {
		return err
	}
	resolver, err := client(s, pb.NewResolverServiceClient)
	if err != nil {
		return err
	}
	answer, err := resolver.Query(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	p := newPrinter(c.OutOrStdout(), heading{"preference", true}, heading{"host", false}, heading{"address", false}, heading{"dnssec", false})
	for _, h := range answer.Msg.Hosts {
		if s.json {
			err = writeJSON(c.OutOrStdout(), struct {
				Preference uint32 `json:"preference"`
				Host       string `json:"host"`
				Address    string `json:"address"`
				Secure     bool   `json:"dnssec"`
			}{h.Preference, h.Name, h.Address, h.Secure})
		} else {
			err = p.row(strconv.Itoa(int(h.Preference)), printable(h.Name), h.Address, yes(h.Secure))
		}
		if err != nil {
			return err
		}
	}
	if err := p.draw(); err != nil {
		return err
	}
	return resolveError(answer.Msg)
}

func resolveError(m *pb.ResolverQueryResponse) error {
	switch {
	case m.Error == "":
		return nil
	case m.Permanent:
		return errors.New("mail would be returned: " + printable(m.Error))
	}
	return errors.New("mail would wait: " + printable(m.Error))
}

func resolverClearCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "clear [NAME]",
		Short: "Forget cached answers, or those for one name",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request := &pb.ResolverClearRequest{Name: strings.Join(args, "")}
			if done, err := s.asJSON(c, "C", pb.ResolverServiceClearProcedure, request); done {
				return err
			}
			resolver, err := client(s, pb.NewResolverServiceClient)
			if err != nil {
				return err
			}
			answer, err := resolver.Clear(c.Context(), connect.NewRequest(request))
			if err != nil {
				return s.failed(c.Context(), err)
			}
			if s.json {
				return writeJSON(c.OutOrStdout(), map[string]uint64{"cleared": answer.Msg.Cleared})
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s forgotten\n", plural(answer.Msg.Cleared, "answer"))
			return err
		},
	}
}

func resolverListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List cached answers",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.answers(c) },
	}
}

func (s *session) answers(c *cobra.Command) error {
	request := &pb.ResolverListRequest{}
	if done, err := s.asJSON(c, "", pb.ResolverServiceListProcedure, request); done {
		return err
	}
	resolver, err := client(s, pb.NewResolverServiceClient)
	if err != nil {
		return err
	}
	stream, err := resolver.List(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	p := newPrinter(c.OutOrStdout(), heading{"name", false}, heading{"type", false}, heading{"ttl", true}, heading{"dnssec", false}, heading{"answer", false})
	for err == nil && stream.Receive() {
		for _, a := range stream.Msg().Answers {
			if err = s.answer(c, p, a); err != nil {
				break
			}
		}
	}
	return cmp.Or(s.failed(c.Context(), stream.Err()), err, p.draw())
}

func (s *session) answer(c *cobra.Command, p *printer, a *pb.ResolverAnswer) error {
	if s.json {
		return writeJSON(c.OutOrStdout(), struct {
			Name    string   `json:"name"`
			Type    string   `json:"type"`
			TTL     int64    `json:"ttl"`
			Secure  bool     `json:"dnssec"`
			Records []string `json:"records"`
			Error   string   `json:"error,omitempty"`
		}{a.Name, a.Type, a.Ttl, a.Secure, append([]string{}, a.Records...), a.Error})
	}
	text := strings.Join(a.Records, ", ")
	if a.Error != "" {
		text = a.Error
	}
	return p.row(printable(a.Name), a.Type, strconv.FormatInt(a.Ttl, 10), yes(a.Secure), printable(text))
}
