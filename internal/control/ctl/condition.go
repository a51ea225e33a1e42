package ctl

import (
	"context"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// conditions are the flags that select entries.
type conditions struct{ values map[string]*[]string }

const conditionHelp = "\n\nConditions select entries. Given several times, one of the values must match; different\n" +
	"conditions must all match. A value may be negated with ! in front. Numbers, sizes and\n" +
	"times take >, >=, <, <=, =, != in front, or a range a..b; times are such as 90s or 1d12h."

// addConditions adds a flag for every condition there is, and says so.
func addConditions(s *session, c *cobra.Command) *conditions {
	out := &conditions{values: map[string]*[]string{}}
	for _, condition := range control.Conditions() {
		values := new([]string)
		out.values[condition.Field] = values
		c.Flags().StringArrayVar(values, condition.Field, nil, "`"+condition.Value+"`: "+condition.Help)
		_ = c.RegisterFlagCompletionFunc(condition.Field, s.complete(condition))
	}
	c.Long = strings.TrimSpace(c.Long) + conditionHelp
	return out
}

// list returns the conditions that were given; ids are positional arguments.
func (c *conditions) list(ids []string) []*pb.QueueCondition {
	var out []*pb.QueueCondition
	for _, condition := range control.Conditions() {
		values := *c.values[condition.Field]
		if condition.Field == "id" {
			values = append(slices.Clone(values), ids...)
		}
		if len(values) > 0 {
			out = append(out, &pb.QueueCondition{Field: condition.Field, Values: values})
		}
	}
	return out
}

// completeTimeout keeps a shell from hanging on a busy MTA.
const completeTimeout = time.Second

// complete offers the values that a condition can have, or has in the queue.
func (s *session) complete(condition control.Condition) cobra.CompletionFunc {
	return func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		if condition.Values != nil {
			return condition.Values, cobra.ShellCompDirectiveNoFileComp
		}
		switch condition.Field {
		case "id", "transportid", "jobid", "tenantid", "serverid", "recipientdomain", "senderdomain", "remotemx", "grouping":
			return s.present(c.Context(), condition.Field), cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// present returns values of a field that are in the queue now, most frequent
// first. Without an answer there are none.
func (s *session) present(ctx context.Context, field string) (values []string) {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithTimeout(ctx, completeTimeout)
	defer cancel()
	q, err := s.queue()
	if err != nil {
		return nil
	}
	groups, err := q.GroupBy(ctx, connect.NewRequest(&pb.QueueGroupByRequest{Fields: []string{field}, Limit: 50}))
	if err != nil {
		return nil
	}
	defer groups.Close()
	for groups.Receive() {
		for _, g := range groups.Msg().Groups {
			if v := printable(g.Values[0]); v != "" {
				values = append(values, v)
			}
		}
	}
	return values
}

// completeFields offers the names of columns.
func completeFields(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, c := range control.Columns() {
		names = append(names, c.Name+"\t"+c.Help)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
