package ctl

import (
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

func explainCommand(s *session) *cobra.Command {
	request := &pb.QueueExplainRequest{}
	c := &cobra.Command{
		Use:   "explain [ID[:QUEUEID]]",
		Short: "Say why an entry waits, or a whole grouping",
		Long: "Tells what has happened to an entry, what it waits for, since when, who has the slots that it\n" +
			"would need, and what comes next. With --group it tells so of every sub-queue of a grouping\n" +
			"or of a recipient domain.",
		Example: "  ctl queue explain 4f2a6c1e-7f0e-4f57-9a55-0d9d7c3b2a10\n  ctl queue explain --group '&google'",
		Args:    cobra.MaximumNArgs(1),
	}
	c.Flags().StringVar(&request.Group, "group", "", "a `GROUPING` or domain in place of an entry")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			id, number, err := entryArgument(args[0])
			if err != nil {
				return err
			}
			request.Id, request.Queueid = id, number
		}
		if (request.Id == "") == (request.Group == "") {
			return usage("want the id of a message or --group")
		}
		return s.explain(c, request)
	}
	return c
}

// entryArgument takes ID or ID:QUEUEID apart.
func entryArgument(text string) (id string, number uint32, err error) {
	id, digits, numbered := strings.Cut(text, ":")
	if numbered {
		if _, err := fmt.Sscan(digits, &number); err != nil || number == 0 {
			return "", 0, usage("%q: want ID or ID:QUEUEID", text)
		}
	}
	return id, number, nil
}

func (s *session) explain(c *cobra.Command, request *pb.QueueExplainRequest) error {
	if done, err := s.asJSON(c, "", pb.QueueServiceExplainProcedure, request); done {
		return err
	}
	q, err := s.queue()
	if err != nil {
		return err
	}
	answer, err := q.Explain(c.Context(), connect.NewRequest(request))
	if err != nil {
		return s.failed(c.Context(), err)
	}
	if len(answer.Msg.Explanations) == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "nothing waits there and nothing is being sent")
	}
	for _, x := range answer.Msg.Explanations {
		if s.json {
			err = writeJSON(c.OutOrStdout(), explanationJSON(x))
		} else {
			_, err = fmt.Fprint(c.OutOrStdout(), explanationText(x))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func explanationText(x *pb.QueueExplanation) string {
	var b strings.Builder
	if e := x.Entry; e != nil {
		fmt.Fprintf(&b, "%s:%d  %s  %s\n", e.Id, e.Queueid, printable(e.Recipient), stateName(e.State))
	} else {
		fmt.Fprintf(&b, "%s  %d waiting, %d being sent\n", matchText(nil, x.Values), x.Waiting, x.Sending)
	}
	fmt.Fprintf(&b, "  %s\n", printable(x.Summary))
	for _, step := range x.Steps {
		at := strings.Repeat(" ", len(time.DateTime))
		if step.At != 0 {
			at = time.UnixMilli(step.At).Format(time.DateTime)
		}
		fmt.Fprintf(&b, "  %s  %-8s  %s\n", at, step.Kind, printable(step.Text))
	}
	return b.String()
}

func stateName(state pb.QueueState) string {
	return strings.TrimPrefix(state.String(), "QUEUE_STATE_")
}

type explainedWay struct {
	LocalIP    string              `json:"localip,omitempty"`
	Reason     string              `json:"reason,omitempty"`
	Since      float64             `json:"since,omitempty"`
	Until      float64             `json:"until,omitempty"`
	Fields     []string            `json:"fields,omitempty"`
	Values     map[string][]string `json:"values,omitempty"`
	Limits     any                 `json:"limits,omitempty"`
	Running    uint32              `json:"running,omitempty"`
	Policies   []string            `json:"policies,omitempty"`
	Suspension string              `json:"suspension,omitempty"`
	Tag        string              `json:"tag,omitempty"`
	Match      map[string][]string `json:"match,omitempty"`
	Holders    []string            `json:"holders,omitempty"`
	Text       string              `json:"text"`
}

type explainedStep struct {
	At   float64 `json:"at,omitempty"`
	Kind string  `json:"kind"`
	Text string  `json:"text"`
}

func explanationJSON(x *pb.QueueExplanation) any {
	out := struct {
		ID        string              `json:"id,omitempty"`
		QueueID   uint32              `json:"queueid,omitempty"`
		Recipient string              `json:"recipient,omitempty"`
		State     string              `json:"state,omitempty"`
		Values    map[string][]string `json:"values,omitempty"`
		Waiting   uint64              `json:"waiting,omitempty"`
		Sending   uint64              `json:"sending,omitempty"`
		Summary   string              `json:"summary"`
		Next      float64             `json:"next,omitempty"`
		Steps     []explainedStep     `json:"steps"`
		Ways      []explainedWay      `json:"ways"`
	}{
		Values: matchMap(x.Values), Waiting: x.Waiting, Sending: x.Sending, Summary: x.Summary, Next: float64(x.Next) / 1000,
		Steps: []explainedStep{}, Ways: []explainedWay{},
	}
	if e := x.Entry; e != nil {
		out.ID, out.QueueID, out.Recipient, out.State = e.Id, e.Queueid, e.Recipient, stateName(e.State)
	}
	for _, step := range x.Steps {
		out.Steps = append(out.Steps, explainedStep{float64(step.At) / 1000, step.Kind, step.Text})
	}
	for _, w := range x.Ways {
		way := explainedWay{
			LocalIP: w.Localip, Reason: w.Reason, Since: float64(w.Since) / 1000, Until: float64(w.Until) / 1000, Fields: w.Fields,
			Values: matchMap(w.Values), Running: w.Used, Policies: w.Policies, Suspension: w.Suspension, Tag: w.Tag,
			Match: matchMap(w.Match), Holders: w.Holders, Text: w.Text,
		}
		if w.Limits != nil {
			way.Limits = limitsJSON(w.Limits)
		}
		out.Ways = append(out.Ways, way)
	}
	return out
}
