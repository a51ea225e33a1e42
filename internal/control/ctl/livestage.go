package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func livestageCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:   "livestage",
		Short: "Try a configuration with some of the connections",
		Long: "Runs a second running configuration beside the active one, for connections that fulfil\n" +
			"conditions. Messages that come by them have the pre-delivery and post-delivery scripts of the\n" +
			"stage as long as it lives, and the active ones after it. To put the configuration in force for\n" +
			"all, install its file, reload, and cancel the stage.",
	}
	c.AddCommand(livestageStartCommand(s), livestageStatusCommand(s), livestageCancelCommand(s), livestageLogCommand(s),
		livestageBreakCommand(s), livestageWaitCommand(s), livestageContinueCommand(s))
	return c
}

func livestageStartCommand(s *session) *cobra.Command {
	r := &pb.ConfigGreenDeployRequest{Conditions: &pb.ConfigGreenConditions{}}
	var file string
	var probability, errorRate float64
	var points []string
	c := &cobra.Command{
		Use:   "start --id ID",
		Short: "Start a stage",
		Long: "Starts a stage with the configuration of a file, or with the one in force. It ends when it is\n" +
			"cancelled, after --time, and by itself when more than a share of --errorrate of its last\n" +
			"hundred scripts failed. With --bound it ends with this command, which prints its log.",
		Example: "  ctl config livestage start --id t1 --file dist/smtpd-app.yaml --probability 0.05 --time 3600\n" +
			"  ctl config livestage start --id mine --file dist/smtpd-app.yaml --remoteip 192.0.2.7 --bound",
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&r.Id, "id", "", "name of the stage")
	f.StringVar(&file, "file", "", "packed running configuration; the one in force unless given")
	f.Float64Var(&probability, "probability", 1, "share of the connections that fulfil the rest, 0 to 1")
	f.Uint32Var(&r.Conditions.Time, "time", 0, "`seconds` until it ends by itself")
	f.Uint32Var(&r.Conditions.Count, "count", 0, "take this `number` of connections and no more")
	f.StringArrayVar(&r.Conditions.Remoteips, "remoteip", nil, "only clients with this address, or in this network; may be repeated")
	f.StringArrayVar(&r.Conditions.Serverids, "serverid", nil, "only connections to this server; may be repeated")
	f.Float64Var(&errorRate, "errorrate", 0.1, "share of scripts that may fail, 0 to 1; 1 never cancels")
	f.Uint32Var(&r.Errorruns, "errorruns", 20, "scripts that must have run before that is looked at")
	f.BoolVar(&r.Connectionbound, "bound", false, "end the stage with this command")
	f.BoolVar(&r.Follow, "follow", false, "print the log of the stage until it ends")
	f.StringArrayVar(&points, "break", nil, "copy what a script is doing when it comes to `FILE:LINE`; may be repeated")
	f.Float64Var(&r.Hold, "hold", 0, "`seconds` to hold a script at a break point")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if r.Id == "" {
			return usage("a stage needs an id: say --id")
		}
		if r.Breakpoints, err = parsePoints(points); err != nil {
			return err
		}
		if file != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			r.Config = string(text)
		}
		r.Conditions.Probability, r.Errorrate = &probability, &errorRate
		return s.livestageStart(c, r)
	}
	return c
}

// parsePoints reads break points, such as eod/default.hsl:12.
func parsePoints(list []string) (points []*pb.HSLBreakPoint, err error) {
	for _, text := range list {
		i := strings.LastIndexByte(text, ':')
		line, err := strconv.ParseUint(text[i+1:], 10, 32)
		if i <= 0 || err != nil || line == 0 {
			return nil, usage("%q is no break point: want a file and a line, such as eod/default.hsl:12", text)
		}
		points = append(points, &pb.HSLBreakPoint{File: text[:i], Line: uint32(line)})
	}
	return points, nil
}

func (s *session) livestageStart(c *cobra.Command, r *pb.ConfigGreenDeployRequest) error {
	if done, err := s.asJSON(c, "a", pb.LivestageServiceStartProcedure, r); done {
		return err
	}
	live, err := client(s, pb.NewLivestageServiceClient)
	if err != nil {
		return err
	}
	stream, err := live.Start(c.Context(), connect.NewRequest(r))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	first := true
	for stream.Receive() {
		text := stream.Msg().Text
		switch {
		case s.json:
			err = writeJSON(c.OutOrStdout(), map[string]string{"id": r.Id, "text": text})
		case first:
			_, err = fmt.Fprintln(c.OutOrStdout(), "OK")
		default:
			_, err = fmt.Fprintln(c.OutOrStdout(), printable(text))
		}
		if first = false; err != nil {
			return err
		}
	}
	return s.streamEnd(c.Context(), stream.Err())
}

// streamEnd is how following something ends: it is no failure that the user has
// seen enough.
func (s *session) streamEnd(ctx context.Context, err error) error {
	if interrupted(ctx) && errors.Is(context.Cause(ctx), context.Canceled) {
		return nil
	}
	return s.failed(ctx, err)
}

func livestageStatusCommand(s *session) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say which stages run, and how far they are",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.livestageStatus(c, all) },
	}
	c.Flags().BoolVar(&all, "all", false, "also the last ones that have ended")
	return c
}

func (s *session) livestageStatus(c *cobra.Command, all bool) error {
	request := &pb.ConfigGreenStatusRequest{}
	if done, err := s.asJSON(c, "b", pb.LivestageServiceStatusProcedure, request); done {
		return err
	}
	live, err := client(s, pb.NewLivestageServiceClient)
	if err != nil {
		return err
	}
	answer, err := live.Status(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	for _, st := range answer.Msg.Stages {
		if st.Ended != "" && !all {
			continue
		}
		if s.json {
			err = cmp.Or(err, writeJSON(c.OutOrStdout(), stageRow(st)))
			continue
		}
		_, failed := fmt.Fprintln(c.OutOrStdout(), stageLine(st))
		err = cmp.Or(err, failed)
	}
	return err
}

// stageLine is one stage as status prints it (spec operations.md 4).
func stageLine(st *pb.ConfigGreenStage) string {
	of := func(n, most uint64) string {
		if most == 0 {
			return strconv.FormatUint(n, 10)
		}
		return fmt.Sprintf("%d/%d", n, most)
	}
	line := fmt.Sprintf("%s: %s connections(s), %s runtime", printable(st.Id),
		of(st.Connections, uint64(st.Conditions.GetCount())), of(st.Runtime, uint64(st.Conditions.GetTime())))
	if st.Errors > 0 {
		line += fmt.Sprintf(", %d of %d scripts failed", st.Errors, st.Runs)
	}
	if st.Held > 0 {
		line += fmt.Sprintf(", %d held", st.Held)
	}
	if st.Ended != "" {
		line += ", ended: " + printable(st.Ended)
	}
	return line
}

func stageRow(st *pb.ConfigGreenStage) any {
	return struct {
		ID          string   `json:"id"`
		Connections uint64   `json:"connections"`
		Open        uint64   `json:"open"`
		Runtime     uint64   `json:"runtime"`
		Runs        uint64   `json:"runs"`
		Errors      uint64   `json:"errors"`
		ErrorRate   float64  `json:"errorrate"`
		Bound       bool     `json:"connectionbound"`
		Held        uint64   `json:"held"`
		RemoteIPs   []string `json:"remoteips"`
		ServerIDs   []string `json:"serverids"`
		Probability float64  `json:"probability"`
		Time        uint32   `json:"time"`
		Count       uint32   `json:"count"`
		Ended       string   `json:"ended,omitempty"`
	}{
		st.Id, st.Connections, st.Open, st.Runtime, st.Runs, st.Errors, st.Errorrate, st.Connectionbound, st.Held,
		append([]string{}, st.Conditions.GetRemoteips()...), append([]string{}, st.Conditions.GetServerids()...),
		st.Conditions.GetProbability(), st.Conditions.GetTime(), st.Conditions.GetCount(), st.Ended,
	}
}

func livestageCancelCommand(s *session) *cobra.Command {
	r := &pb.ConfigGreenCancelRequest{}
	c := &cobra.Command{
		Use:   "cancel",
		Short: "End a stage, or all",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.livestageCancel(c, r) },
	}
	c.Flags().StringVar(&r.Id, "id", "", "name of the stage; all unless given")
	return c
}

func (s *session) livestageCancel(c *cobra.Command, r *pb.ConfigGreenCancelRequest) error {
	if done, err := s.asJSON(c, "c", pb.LivestageServiceCancelProcedure, r); done {
		return err
	}
	live, err := client(s, pb.NewLivestageServiceClient)
	if err != nil {
		return err
	}
	answer, err := live.Cancel(c.Context(), connect.NewRequest(r))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string][]string{"ids": append([]string{}, answer.Msg.Ids...)})
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), "OK")
	return err
}

func livestageLogCommand(s *session) *cobra.Command {
	r := &pb.ConfigGreenLogRequest{}
	var count int
	c := &cobra.Command{
		Use:   "log",
		Short: "Print what the scripts of a stage say, until it ends",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.livestageLog(c, r, count) },
	}
	stageFlag(c, &r.Id)
	c.Flags().IntVar(&count, "count", 0, "end after this `number` of lines")
	return c
}

func stageFlag(c *cobra.Command, id *string) {
	c.Flags().StringVar(id, "id", "", "name of the stage; may be left out when there is one only")
}

func (s *session) livestageLog(c *cobra.Command, r *pb.ConfigGreenLogRequest, count int) error {
	if done, err := s.asJSON(c, "", pb.LivestageServiceLogProcedure, r); done {
		return err
	}
	live, err := client(s, pb.NewLivestageServiceClient)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	stream, err := live.Log(ctx, connect.NewRequest(r))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	for n := 0; stream.Receive(); {
		if m := stream.Msg(); s.json {
			err = writeJSON(c.OutOrStdout(), map[string]string{"id": m.Id, "text": m.Text})
		} else {
			_, err = fmt.Fprintln(c.OutOrStdout(), printable(m.Text))
		}
		if n++; err != nil || n == count {
			return err
		}
	}
	return s.streamEnd(c.Context(), stream.Err())
}

func livestageBreakCommand(s *session) *cobra.Command {
	r := &pb.HSLBreakPointRequest{}
	c := &cobra.Command{
		Use:   "break [FILE:LINE]...",
		Short: "Set the break points of a stage, in place of those that were set",
		Long: "Sets the break points of a stage. When a script of a connection that begins from now on comes\n" +
			"to one, what it is doing is copied, and it goes on; with --hold it waits, for that long at\n" +
			"most, until 'continue'. Files are named as errors name them: eod/default.hsl.",
		RunE: func(c *cobra.Command, args []string) (err error) {
			if r.Breakpoints, err = parsePoints(args); err != nil {
				return err
			}
			return s.livestageBreak(c, r)
		},
	}
	stageFlag(c, &r.Id)
	c.Flags().Float64Var(&r.Hold, "hold", 0, "`seconds` to hold a script at a break point")
	return c
}

func (s *session) livestageBreak(c *cobra.Command, r *pb.HSLBreakPointRequest) error {
	if done, err := s.asJSON(c, "d", pb.LivestageServiceBreakProcedure, r); done {
		return err
	}
	live, err := client(s, pb.NewLivestageServiceClient)
	if err != nil {
		return err
	}
	if _, err := live.Break(c.Context(), connect.NewRequest(r)); err != nil {
		return s.failed(c.Context(), err)
	}
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]bool{"ok": true})
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), "OK")
	return err
}

func livestageWaitCommand(s *session) *cobra.Command {
	r := &pb.HSLBreakPointWaitRequest{}
	var count int
	c := &cobra.Command{
		Use:   "wait",
		Short: "Print what was copied at break points, until the stage ends",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.livestageWait(c, r, count) },
	}
	stageFlag(c, &r.Id)
	c.Flags().IntVar(&count, "count", 0, "end after this `number` of them")
	return c
}

func (s *session) livestageWait(c *cobra.Command, r *pb.HSLBreakPointWaitRequest, count int) error {
	if done, err := s.asJSON(c, "e", pb.LivestageServiceWaitProcedure, r); done {
		return err
	}
	live, err := client(s, pb.NewLivestageServiceClient)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	stream, err := live.Wait(ctx, connect.NewRequest(r))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	defer stream.Close()
	for n := 0; stream.Receive(); {
		if s.json {
			err = writeJSON(c.OutOrStdout(), stopRow(stream.Msg()))
		} else {
			_, err = fmt.Fprint(c.OutOrStdout(), stopText(stream.Msg()))
		}
		if n++; err != nil || n == count {
			return err
		}
	}
	return s.streamEnd(c.Context(), stream.Err())
}

// stopText shows a copy to people:
//
//	eod/default.hsl:3 in eod of 4f2a…, held
//	    top level at eod/default.hsl:3:1
//	    $n = 5
func stopText(m *pb.HSLBreakPointResponse) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %s of %s", printable(m.Id), m.Phase, m.Transaction)
	if m.Held {
		b.WriteString(", held")
	}
	b.WriteByte('\n')
	for _, at := range m.Callstack {
		b.WriteString("    " + printable(at) + "\n")
	}
	for _, name := range sortedNames(m.Values) {
		v := m.Values[name]
		text := string(v.Value)
		if v.Format == "binary" {
			text = strconv.Quote(text)
		}
		fmt.Fprintf(&b, "    $%s = %s\n", printable(name), printable(text))
	}
	return b.String()
}

func sortedNames(values map[string]*pb.HSLValue) (names []string) {
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func stopRow(m *pb.HSLBreakPointResponse) any {
	values := map[string]any{}
	for name, v := range m.Values {
		if v.Format == "binary" {
			values[name] = map[string]any{"format": v.Format, "value": v.Value}
		} else {
			values[name] = map[string]any{"format": v.Format, "value": string(v.Value)}
		}
	}
	return struct {
		ID          string         `json:"id"`
		DebugID     string         `json:"debugid"`
		File        string         `json:"file"`
		Line        uint32         `json:"line"`
		Column      uint32         `json:"column"`
		Phase       string         `json:"phase"`
		Transaction string         `json:"transaction"`
		Time        string         `json:"time"`
		Held        bool           `json:"held"`
		CallStack   []string       `json:"callstack"`
		Values      map[string]any `json:"values"`
	}{
		m.Id, m.Debugid, m.File, m.Line, m.Column, m.Phase, m.Transaction, time.UnixMilli(m.Time).UTC().Format(time.RFC3339Nano), m.Held,
		append([]string{}, m.Callstack...), values,
	}
}

func livestageContinueCommand(s *session) *cobra.Command {
	r := &pb.HSLBreakPointContinueRequest{}
	c := &cobra.Command{
		Use:   "continue",
		Short: "Let scripts go on that are held at break points",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return s.livestageContinue(c, r) },
	}
	stageFlag(c, &r.Id)
	return c
}

func (s *session) livestageContinue(c *cobra.Command, r *pb.HSLBreakPointContinueRequest) error {
	if done, err := s.asJSON(c, "f", pb.LivestageServiceContinueProcedure, r); done {
		return err
	}
	live, err := client(s, pb.NewLivestageServiceClient)
	if err != nil {
		return err
	}
	answer, err := live.Continue(c.Context(), connect.NewRequest(r))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]uint64{"continued": answer.Msg.Continued})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s continued\n", plural(answer.Msg.Continued, "script"))
	return err
}
