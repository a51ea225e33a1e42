package ctl

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func processCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "process", Short: "Look at the process"}
	c.AddCommand(processStatsCommand(s, "stats"))
	return c
}

func processStatsCommand(s *session, name string) *cobra.Command {
	var openMetrics bool
	c := &cobra.Command{
		Use:   name,
		Short: "Print all counters and gauges",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.stats(c, openMetrics) },
	}
	c.Flags().BoolVar(&openMetrics, "openmetrics", false, "in the OpenMetrics text format")
	return c
}

func (s *session) stats(c *cobra.Command, openMetrics bool) error {
	request := &pb.ProcessStatsRequest{}
	if done, err := s.asJSON(c, "q", pb.ProcessServiceStatsProcedure, request); done {
		return err
	}
	process, err := client(s, pb.NewProcessServiceClient)
	if err != nil {
		return err
	}
	answer, err := process.Stats(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	out := c.OutOrStdout()
	switch stats := answer.Msg.Stats; {
	case openMetrics:
		return writeOpenMetrics(out, stats)
	case s.json:
		return statsJSON(out, stats)
	default:
		for _, stat := range stats {
			if _, err := fmt.Fprintf(out, "%s: %s\n", printable(stat.Name), number(stat.Value)); err != nil {
				return err
			}
		}
		return nil
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func statsJSON(w io.Writer, stats []*pb.ProcessStat) error {
	for _, stat := range stats {
		row := struct {
			Name   string            `json:"name"`
			Value  float64           `json:"value"`
			Type   string            `json:"type"`
			Help   string            `json:"help"`
			Unit   string            `json:"unit,omitempty"`
			Labels map[string]string `json:"labels,omitempty"`
		}{Name: stat.Name, Value: stat.Value, Type: typeName(stat), Help: stat.Help, Unit: stat.Unit}
		for _, l := range stat.Labels {
			if row.Labels == nil {
				row.Labels = map[string]string{}
			}
			row.Labels[l.Name] = l.Value
		}
		if err := writeJSON(w, row); err != nil {
			return err
		}
	}
	return nil
}

func typeName(stat *pb.ProcessStat) string {
	return strings.ToLower(strings.TrimPrefix(stat.Type.String(), "TYPE_"))
}

// metricPrefix stands before the name of every metric outside of the process.
const metricPrefix = "halon_"

// writeOpenMetrics writes each family in one piece, as the format wants it.
func writeOpenMetrics(w io.Writer, stats []*pb.ProcessStat) error {
	var b strings.Builder
	families := map[string][]*pb.ProcessStat{}
	var order []string
	for _, stat := range stats {
		if families[stat.Metric] == nil {
			order = append(order, stat.Metric)
		}
		families[stat.Metric] = append(families[stat.Metric], stat)
	}
	for _, name := range order {
		family(&b, metricPrefix+name, families[name])
	}
	b.WriteString("# EOF\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func family(b *strings.Builder, name string, stats []*pb.ProcessStat) {
	kind := typeName(stats[0])
	if kind == "counter" {
		kind = "unknown" // counters would have to end in _total, which the published names do not
	}
	fmt.Fprintf(b, "# TYPE %s %s\n# HELP %s %s\n", name, kind, name, escaped.Replace(stats[0].Help))
	for _, stat := range stats {
		b.WriteString(name)
		for i, l := range stat.Labels {
			fmt.Fprintf(b, "%c%s=\"%s\"", "{,"[min(i, 1)], l.Name, escaped.Replace(l.Value))
		}
		if len(stat.Labels) > 0 {
			b.WriteByte('}')
		}
		b.WriteString(" " + number(stat.Value) + "\n")
	}
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func logCommand(s *session) *cobra.Command {
	c := &cobra.Command{Use: "log", Short: "Steer the log"}
	c.AddCommand(&cobra.Command{
		Use:       "level [LEVEL]",
		Short:     "Show the level from which on lines are logged, or set it until the next start",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: slices.Clone(logLevels),
		RunE:      func(c *cobra.Command, args []string) error { return s.logLevel(c, strings.Join(args, "")) },
	})
	return c
}

// logLevels are offered for completion; the MTA knows better.
var logLevels = []string{"debug", "info", "notice", "warning", "error"}

func (s *session) logLevel(c *cobra.Command, level string) error {
	request := &pb.LogLevelRequest{Level: level}
	if done, err := s.asJSON(c, "", pb.ProcessServiceLogLevelProcedure, request); done {
		return err
	}
	process, err := client(s, pb.NewProcessServiceClient)
	if err != nil {
		return err
	}
	answer, err := process.LogLevel(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]string{"level": answer.Msg.Level})
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), printable(answer.Msg.Level))
	return err
}
