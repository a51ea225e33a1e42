package ctl

import (
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/config"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// shortVerb is a change that has a command of its own.
type shortVerb struct {
	name, short, done string
	verb              pb.QueueAction_Verb
	reason            bool
}

var shortVerbs = []shortVerb{
	{"retry", "Make entries due now; those on hold stay there", "made due", pb.QueueAction_VERB_ACTIVE, false},
	{"hold", "Keep entries until they are released", "held", pb.QueueAction_VERB_HOLD, true},
	{"release", "End the hold of entries", "released", pb.QueueAction_VERB_RELEASE, false},
	{"bounce", "Report entries to their senders as failed, and remove them", "bounced", pb.QueueAction_VERB_BOUNCE, true},
	{"delete", "Remove entries without a report", "deleted", pb.QueueAction_VERB_DELETE, true},
}

// updateFlags are those of every command that changes entries.
type updateFlags struct {
	conditions         *conditions
	all, force, dryRun bool
	done               string // what to say of the entries
	action             pb.QueueAction
	metadata           []string
	delay              string
}

func (f *updateFlags) add(s *session, c *cobra.Command) {
	f.conditions = addConditions(s, c)
	flags := c.Flags()
	flags.BoolVar(&f.all, "all", false, "every entry; wanted when there is no condition")
	flags.BoolVar(&f.force, "force", false, "same as --all")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only count the entries")
}

func verbCommand(s *session, v shortVerb) *cobra.Command {
	f := updateFlags{done: v.done, action: pb.QueueAction{Verb: v.verb}}
	c := &cobra.Command{
		Use:     v.name + " [ID[:QUEUEID]…] [conditions]",
		Short:   v.short,
		Example: "  ctl queue " + v.name + " --recipientdomain example.com --age '>1h'",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return s.update(c, args, &f) },
	}
	f.add(s, c)
	if v.reason {
		c.Flags().StringVar(&f.action.Reason, "why", "", "`text` for reports and lists")
	}
	return c
}

func updateCommand(s *session) *cobra.Command {
	f := updateFlags{done: "changed"}
	c := &cobra.Command{
		Use:   "update [conditions] --ACTION",
		Short: "Change entries: retry, hold, defer, bounce, delete, other transport or metadata",
		Example: "  ctl queue update --recipientdomain example.com --active --set-transportid backup\n" +
			"  ctl queue update --jobid news --delay 2h",
		Args: cobra.ArbitraryArgs,
	}
	f.add(s, c)
	flags := c.Flags()
	chosen := map[pb.QueueAction_Verb]*bool{}
	var names []string
	for _, a := range []struct {
		name, help string
		verb       pb.QueueAction_Verb
	}{
		{"active", "make due now", pb.QueueAction_VERB_ACTIVE},
		{"hold", "keep until released", pb.QueueAction_VERB_HOLD},
		{"release", "end a hold", pb.QueueAction_VERB_RELEASE},
		{"bounce", "report as failed and remove", pb.QueueAction_VERB_BOUNCE},
		{"delete", "remove without a report", pb.QueueAction_VERB_DELETE},
	} {
		chosen[a.verb] = flags.Bool(a.name, false, a.help)
		names = append(names, a.name)
	}
	flags.StringVar(&f.delay, "delay", "", "due after this `time`, such as 90, 15m or 1d")
	flags.StringVar(&f.delay, "defer", "", "same as --delay")
	flags.StringVar(&f.action.Reason, "why", "", "`text` for reports and lists")
	flags.StringVar(&f.action.Transportid, "set-transportid", "", "move to the transport with this `ID`")
	flags.StringArrayVar(&f.metadata, "set-metadata", nil, "set `NAME=VALUE` in the metadata; repeatable")
	_ = c.RegisterFlagCompletionFunc("set-transportid", func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return s.present(c.Context(), "transportid"), cobra.ShellCompDirectiveNoFileComp
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := atMostOne(c, append(names, "delay", "defer")...); err != nil {
			return err
		}
		for verb, on := range chosen {
			if *on {
				f.action.Verb = verb
			}
		}
		return s.update(c, args, &f)
	}
	return c
}

// atMostOne returns an error when several of these flags were given.
func atMostOne(c *cobra.Command, names ...string) error {
	var given []string
	for _, name := range names {
		if c.Flags().Changed(name) {
			given = append(given, "--"+name)
		}
	}
	if len(given) > 1 {
		return usage("%s: only one of them can be done at a time", strings.Join(given, ", "))
	}
	return nil
}

// complete reads what flags cannot hold.
func (f *updateFlags) complete() error {
	if f.delay != "" {
		d, err := config.ParseDuration(f.delay)
		if err != nil {
			return usage("--delay: %w", err)
		}
		f.action.Verb, f.action.DelaySeconds = pb.QueueAction_VERB_DEFER, d.Seconds()
	}
	for _, pair := range f.metadata {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return usage("--set-metadata %q: want NAME=VALUE", pair)
		}
		if f.action.Metadata == nil {
			f.action.Metadata = map[string]string{}
		}
		f.action.Metadata[name] = value
	}
	if f.action.Verb == pb.QueueAction_VERB_CHANGE && f.action.Transportid == "" && f.action.Metadata == nil {
		return usage("no action given: want one of --active, --hold, --release, --delay, --bounce, --delete, --set-transportid, --set-metadata")
	}
	return nil
}

func (s *session) update(c *cobra.Command, ids []string, f *updateFlags) error {
	if err := f.complete(); err != nil {
		return err
	}
	_, watched := terminal(c.ErrOrStderr())
	request := &pb.QueueUpdateRequest{
		Conditions: f.conditions.list(ids), Action: &f.action, All: f.all || f.force, Total: watched,
	}
	if len(request.Conditions) == 0 && !request.All {
		return usage("no condition given: to do this to every entry in the queue, say --all")
	}
	if done, err := s.asJSON(c, "G", pb.QueueServiceUpdateProcedure, request); done {
		return err
	}
	if f.dryRun {
		answer, err := s.count(c, &pb.QueueCountRequest{Conditions: request.Conditions})
		if err != nil {
			return err
		}
		return s.affected(c, answer.Count, "would be "+f.done)
	}
	affected, err := s.follow(c, request)
	if err != nil && affected > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%s %s before this error\n", plural(affected, "entry"), f.done)
	}
	if err != nil {
		return err
	}
	return s.affected(c, affected, f.done)
}

func (s *session) affected(c *cobra.Command, n uint64, done string) (err error) {
	if s.json {
		return writeJSON(c.OutOrStdout(), map[string]uint64{"affected": n})
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s %s\n", plural(n, "entry"), done)
	return err
}

// follow sends the request and shows how far it is.
func (s *session) follow(c *cobra.Command, request *pb.QueueUpdateRequest) (affected uint64, err error) {
	q, err := s.queue()
	if err != nil {
		return 0, err
	}
	stream, err := q.Update(c.Context(), connect.NewRequest(request))
	if err != nil {
		return 0, s.failed(c.Context(), err)
	}
	defer stream.Close()
	bar := newBar(c.ErrOrStderr(), "entries", false)
	defer bar.stop()
	done := false
	for stream.Receive() {
		m := stream.Msg()
		affected, done = m.Affected, m.Done
		bar.at(int64(m.Affected), int64(m.Total))
	}
	if err := s.failed(c.Context(), stream.Err()); err != nil {
		return affected, err
	}
	if !done {
		return affected, fmt.Errorf("the MTA ended the call early")
	}
	return affected, nil
}

// barDelay keeps short calls from flashing a progress bar.
const barDelay = 500 * time.Millisecond
