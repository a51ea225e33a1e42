package ctl

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func countCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:     "count [conditions]",
		Short:   "Count entries",
		Example: "  ctl queue count --state HOLD",
		Args:    cobra.NoArgs,
	}
	conditions := addConditions(s, c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		request := &pb.QueueCountRequest{Conditions: conditions.list(nil)}
		if done, err := s.asJSON(c, "", pb.QueueServiceCountProcedure, request); done {
			return err
		}
		answer, err := s.count(c, request)
		if err != nil {
			return err
		}
		if s.json {
			return writeJSON(c.OutOrStdout(), map[string]uint64{"count": answer.Count, "pending": answer.Pending})
		}
		if answer.Pending > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "not counted: %s on disk, waiting for room in memory\n", plural(answer.Pending, "message"))
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), answer.Count)
		return err
	}
	return c
}

func (s *session) count(c *cobra.Command, request *pb.QueueCountRequest) (*pb.QueueCountResponse, error) {
	q, err := s.queue()
	if err != nil {
		return nil, err
	}
	answer, err := q.Count(c.Context(), connect.NewRequest(request))
	if err != nil {
		return nil, s.failed(c.Context(), err)
	}
	return answer.Msg, nil
}

func groupByCommand(s *session) *cobra.Command {
	var limit uint32
	c := &cobra.Command{
		Use:   "groupby FIELD[,FIELD…] [conditions]",
		Short: "Count entries by the values of fields",
		Long: "Counts entries by the values of one or several fields, largest group first. Ages, waiting\n" +
			"times and sizes are counted in ranges. The fields are the columns of 'queue list'.",
		Example: "  ctl queue groupby recipientdomain --state DEFER --limit 20\n" +
			"  ctl queue groupby transportid,age",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFields,
	}
	conditions := addConditions(s, c)
	c.Flags().Uint32Var(&limit, "limit", 0, "at most so many groups")
	c.RunE = func(c *cobra.Command, args []string) error {
		return s.groupBy(c, &pb.QueueGroupByRequest{
			Conditions: conditions.list(nil), Fields: strings.Split(args[0], ","), Limit: limit,
		})
	}
	return c
}

func (s *session) groupBy(c *cobra.Command, request *pb.QueueGroupByRequest) error {
	var headings []heading
	for _, name := range request.Fields {
		if _, ok := control.FindColumn(name); !ok {
			return usage("there is no field %q; 'queue list --help' names them", name)
		}
		headings = append(headings, heading{name, false})
	}
	if done, err := s.asJSON(c, "D", pb.QueueServiceGroupByProcedure, request); done {
		return err
	}
	q, err := s.queue()
	if err != nil {
		return err
	}
	stream, err := q.GroupBy(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	p := newPrinter(c.OutOrStdout(), append(headings, heading{"count", true}, heading{"size", true})...)
	for err == nil && stream.Receive() {
		for _, g := range stream.Msg().Groups {
			if err = s.group(c, p, request.Fields, g); err != nil {
				break
			}
		}
	}
	if !s.json && err == nil {
		err = p.draw()
	}
	return cmp.Or(s.failed(c.Context(), stream.Err()), err)
}

func (s *session) group(c *cobra.Command, p *printer, fields []string, g *pb.QueueGroup) error {
	if s.json {
		row := map[string]any{"count": g.Count, "bytes": g.Bytes}
		for i, f := range fields {
			row[f] = g.Values[i]
		}
		return writeJSON(c.OutOrStdout(), row)
	}
	cells := slices.Clone(g.Values)
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	return p.row(append(cells, strconv.FormatUint(g.Count, 10), size(g.Bytes))...)
}

func quotaCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "quota [NAME]",
		Short: "Show what counts towards quotas",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			request := &pb.QueueQuotaRequest{Name: strings.Join(args, "")}
			if done, err := s.asJSON(c, "I", pb.QueueServiceQuotaProcedure, request); done {
				return err
			}
			q, err := s.queue()
			if err != nil {
				return err
			}
			answer, err := q.Quota(c.Context(), connect.NewRequest(request))
			if err != nil {
				return s.failed(c.Context(), err)
			}
			return s.quotas(c, answer.Msg.Quotas)
		},
	}
}

func (s *session) quotas(c *cobra.Command, quotas []*pb.QueueQuota) error {
	p := newPrinter(c.OutOrStdout(), heading{"name", false}, heading{"count", true}, heading{"size", true})
	for _, q := range quotas {
		var err error
		if s.json {
			err = writeJSON(c.OutOrStdout(), struct {
				Name  string `json:"name"`
				Count int64  `json:"count"`
				Bytes int64  `json:"bytes"`
			}{q.Name, q.Count, q.Bytes})
		} else {
			err = p.row(printable(q.Name), strconv.FormatInt(q.Count, 10), size(q.Bytes))
		}
		if err != nil {
			return err
		}
	}
	if s.json {
		return nil
	}
	return p.draw()
}
