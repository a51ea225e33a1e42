package ctl

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/control/top"
)

// NewTop returns the program with the live view.
func NewTop(o Options) *cobra.Command {
	s := &session{}
	var once bool
	var every time.Duration
	c := &cobra.Command{
		Use:   "top",
		Short: "Watch a running MTA",
		Long: "Shows the counters and gauges of a running MTA, and by how much they change, once a second.\n\n" +
			"Keys: ← and → change the pane, as do 1 to 4; space pauses; q leaves.\n" +
			"Where there is no terminal, or with --once, one reading is printed.",
		Version: o.Version,
		Example: "  posthaste top --dir posthaste-data\n  posthaste top --once | less",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return s.watch(c, once, every) },
	}
	s.flags(c)
	c.Flags().BoolVar(&once, "once", false, "print one reading and end")
	c.Flags().DurationVar(&every, "interval", time.Second, "pause between readings")
	finish(c, o.Code)
	return c
}

func (s *session) watch(c *cobra.Command, once bool, every time.Duration) error {
	if every < 100*time.Millisecond {
		return usage("--interval: %s is too often: give 100ms at least", every)
	}
	request := &pb.ProcessStatsRequest{}
	if done, err := s.asJSON(c, "q", pb.ProcessServiceStatsProcedure, request); done {
		return err
	}
	if s.json {
		return s.stats(c, false)
	}
	process, err := client(s, pb.NewProcessServiceClient)
	if err != nil {
		return err
	}
	read := func(ctx context.Context) (top.Reading, error) {
		answer, err := process.Stats(ctx, connect.NewRequest(request))
		if err != nil {
			return top.Reading{}, s.failed(ctx, err)
		}
		return reading(answer.Msg.Stats), nil
	}
	if _, ok := terminal(c.OutOrStdout()); ok && !once {
		return top.Run(c.Context(), top.Options{Read: read, Every: every})
	}
	r, err := read(c.Context())
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c.OutOrStdout(), top.Text(r))
	return err
}

func reading(stats []*pb.ProcessStat) top.Reading {
	r := top.Reading{At: time.Now(), Values: map[string]float64{}}
	for _, stat := range stats {
		r.Values[printable(stat.Name)] = stat.Value
	}
	return r
}
