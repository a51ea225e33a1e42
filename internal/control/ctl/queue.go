package ctl

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func queueCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "queue",
		Short: "Look at the queue and change what is in it",
	}
	c.AddCommand(
		listCommand(s), showCommand(s), countCommand(s), groupByCommand(s), quotaCommand(s),
		updateCommand(s), exportCommand(s), importCommand(s), explainCommand(s),
		policyCommand(s), suspendCommand(s), deliveryCommand(s),
	)
	for _, v := range shortVerbs {
		c.AddCommand(verbCommand(s, v))
	}
	return c
}

// view is a list that is asked for often.
type view struct {
	name, state, help string
	columns           []string
}

var views = []view{
	{"defer", "DEFER", "what waits for its next attempt, and why", []string{"id", "queueid", "age", "recipient", "transportid", "retrycount", "retrydelay", "retryreason"}},
	{"active", "ACTIVE", "what is ready to be sent", []string{"id", "queueid", "age", "recipient", "transportid", "jobid", "grouping", "remotemx", "remoteip"}},
	{"connections", "SENDING", "what is being sent, and where to", []string{"id", "queueid", "recipient", "transportid", "localip", "grouping", "remotemx", "remoteip", "size"}},
}

var defaultColumns = []string{"id", "queueid", "age", "state", "recipient", "transportid", "retrycount", "retryreason"}

func viewNames() (names []string) {
	for _, v := range views {
		names = append(names, v.name)
	}
	return names
}

// listFlags are those of queue list.
type listFlags struct {
	conditions    *conditions
	fields        []string
	limit, offset uint32
	sort          string
}

func listCommand(s *session) *cobra.Command {
	var f listFlags
	c := &cobra.Command{
		Use:   "list [VIEW] [conditions]",
		Short: "List entries: one row for each recipient of each message",
		Long: "Lists entries as they are found; a long list appears at once and costs the MTA no memory.\n" +
			"A VIEW is a state and its columns:\n" + viewHelp() + "\nColumns for --field and --sort:\n" + columnHelp(),
		Example: "  ctl queue list defer --recipientdomain gmail.com --limit 20\n" +
			"  ctl queue list -F id,recipient,size --sort size:desc --limit 10\n" +
			"  ctl queue list --age '>1d' --json",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: viewNames(),
	}
	f.conditions = addConditions(s, c)
	flags := c.Flags()
	flags.StringSliceVarP(&f.fields, "field", "F", nil, "show this `column`; repeatable, or several with commas")
	flags.Uint32Var(&f.limit, "limit", 0, "at most so many rows")
	flags.Uint32Var(&f.offset, "offset", 0, "leave out so many rows first")
	flags.StringVar(&f.sort, "sort", "", "sort by `FIELD[:desc]`; without a limit, up to 100000 entries")
	_ = c.RegisterFlagCompletionFunc("field", completeFields)
	_ = c.RegisterFlagCompletionFunc("sort", completeFields)
	c.RunE = func(c *cobra.Command, args []string) error { return s.list(c, args, &f) }
	return c
}

func viewHelp() string {
	var b strings.Builder
	for _, v := range views {
		b.WriteString("  " + v.name + strings.Repeat(" ", 14-len(v.name)) + v.help + "\n")
	}
	return b.String()
}

func columnHelp() string {
	var b strings.Builder
	for _, c := range control.Columns() {
		b.WriteString("  " + c.Name + strings.Repeat(" ", 16-len(c.Name)) + c.Help + "\n")
	}
	return b.String()
}

// columns are those asked for, or those of the view.
func (f *listFlags) columns(v *view) ([]control.Column, error) {
	names := f.fields
	switch {
	case len(names) > 0:
	case v != nil:
		names = v.columns
	default:
		names = defaultColumns
	}
	var columns []control.Column
	for _, name := range names {
		c, ok := control.FindColumn(name)
		if !ok {
			return nil, usage("there is no column %q; see --help", name)
		}
		columns = append(columns, c)
	}
	return columns, nil
}

func (s *session) list(c *cobra.Command, args []string, f *listFlags) error {
	var v *view
	request := &pb.QueueListRequest{
		Conditions: f.conditions.list(nil), Limit: f.limit, Offset: f.offset, Sort: f.sort,
	}
	if len(args) > 0 {
		v = &views[slices.IndexFunc(views, func(v view) bool { return v.name == args[0] })]
		request.Conditions = append(request.Conditions, &pb.QueueCondition{Field: "state", Values: []string{v.state}})
	}
	columns, err := f.columns(v)
	if err != nil {
		return err
	}
	for i := range columns {
		request.Fields = append(request.Fields, columns[i].Name)
	}
	if done, err := s.asJSON(c, "F", pb.QueueServiceListProcedure, request); done {
		return err
	}
	q, err := s.queue()
	if err != nil {
		return err
	}
	stream, err := q.List(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	if s.json {
		err = writeRows(c, stream, columns)
	} else {
		err = drawRows(c, stream, columns)
	}
	return cmp.Or(s.failed(c.Context(), stream.Err()), err)
}

type rows = *connect.ServerStreamForClient[pb.QueueListResponse]

func writeRows(c *cobra.Command, stream rows, columns []control.Column) error {
	var line []byte
	for stream.Receive() {
		now := time.Now()
		line = line[:0]
		for _, e := range stream.Msg().Entries {
			line = appendRow(line, columns, e, now)
		}
		if _, err := c.OutOrStdout().Write(line); err != nil {
			return err
		}
	}
	return nil
}

func drawRows(c *cobra.Command, stream rows, columns []control.Column) error {
	headings := make([]heading, len(columns))
	for i := range columns {
		headings[i] = heading{columns[i].Name, columns[i].Numeric()}
	}
	p := newPrinter(c.OutOrStdout(), headings...)
	cells := make([]string, len(columns))
	for stream.Receive() {
		now := time.Now()
		for _, e := range stream.Msg().Entries {
			for i := range columns {
				cells[i] = cell(&columns[i], e, now)
			}
			if err := p.row(cells...); err != nil {
				return err
			}
		}
		if err := p.settle(); err != nil {
			return err
		}
	}
	if p.total == 0 && stream.Err() == nil {
		fmt.Fprintln(c.ErrOrStderr(), "no entries")
	}
	return p.draw()
}
