package ctl

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/bounce"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

// bounceCommand holds what reads answers and reports. It asks no MTA.
func bounceCommand(s *session) *cobra.Command {
	b := &bounceFlags{session: s}
	c := &cobra.Command{
		Use:   "bounce",
		Short: "Say what the answers of mail servers mean; no MTA needs to run",
	}
	c.PersistentFlags().StringVar(&b.rules, "rules", "", "`file` of rules that come before those of the program")
	c.AddCommand(b.explainCommand(), b.reportCommand(), b.classesCommand())
	return c
}

type bounceFlags struct {
	*session
	rules           string
	grouping, state string
}

func (b *bounceFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&b.grouping, "grouping", "", "grouping of the recipient's `provider`, such as &google")
	c.Flags().StringVar(&b.state, "state", "", "`state` of the conversation in which it was said, such as RCPT")
	return c
}

func (b *bounceFlags) explainCommand() *cobra.Command {
	return b.add(&cobra.Command{
		Use:     "explain TEXT",
		Short:   "Say what an answer means, and which rule says so",
		Example: "  posthaste ctl bounce explain '550 5.1.1 <joe@example.com>: user unknown'",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			rules, err := b.classifier()
			if err != nil {
				return err
			}
			return b.show(c.OutOrStdout(), rules.Classify(bounce.Reply{Text: args[0], Grouping: b.grouping, State: b.state}))
		},
	})
}

func (b *bounceFlags) reportCommand() *cobra.Command {
	return b.add(&cobra.Command{
		Use:     "report FILE",
		Short:   "Say which message and recipients a bounce or complaint is about, and what it means; - reads standard input",
		Example: "  posthaste ctl bounce report bounce.eml",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return b.report(c, args[0]) },
	})
}

func (b *bounceFlags) classesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "classes",
		Short: "List what answers can mean",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			p := newPrinter(c.OutOrStdout(), heading{"class", false}, heading{"category", false}, heading{"severity", true}, heading{"scope", false}, heading{"meaning", false})
			for _, class := range bounce.Classes() {
				row := []string{class.String(), class.Category(), strconv.Itoa(class.Severity()), class.Scope(), class.Help()}
				if b.json {
					if err := writeJSON(c.OutOrStdout(), newClassRow(class)); err != nil {
						return err
					}
				} else if err := p.row(row...); err != nil {
					return err
				}
			}
			return p.draw()
		},
	}
}

type classRow struct {
	Class    string `json:"class"`
	Category string `json:"category"`
	Severity int    `json:"severity"`
	Scope    string `json:"scope"`
}

func newClassRow(c bounce.Class) classRow {
	return classRow{c.String(), c.Category(), c.Severity(), c.Scope()}
}

func (b *bounceFlags) classifier() (*bounce.Classifier, error) {
	if b.jsonRequest {
		return nil, usage("--json-request: nothing is requested of an MTA")
	}
	if b.rules == "" {
		return bounce.Default(), nil
	}
	f, err := os.Open(b.rules)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	rules, err := bounce.Parse(b.rules, f)
	if err != nil {
		return nil, err
	}
	return bounce.New(rules), nil
}

// bounceRow is a result as JSON.
type bounceRow struct {
	classRow
	Permanent bool   `json:"permanent"`
	Hard      bool   `json:"hard"`
	Code      int    `json:"code"`
	Status    string `json:"enhanced"`
	Rule      string `json:"rule"`
	Where     string `json:"where,omitempty"`
	Why       string `json:"why"`
}

func newBounceRow(r bounce.Result) bounceRow {
	row := bounceRow{newClassRow(r.Class), r.Permanent, r.Hard(), r.Code, r.Status.String(), r.Rule, "", r.Why}
	if r.Rule != "" {
		row.Where = fmt.Sprintf("%s:%d", r.File, r.Line)
	}
	return row
}

func (b *bounceFlags) show(w io.Writer, r bounce.Result) error {
	row := newBounceRow(r)
	if b.json {
		return writeJSON(w, row)
	}
	return writeBounce(w, row, r.Class.Help())
}

func writeBounce(w io.Writer, row bounceRow, help string) error {
	retry := "temporary: trying again may help"
	if row.Permanent {
		retry = "permanent: trying again will not help"
	}
	lines := [][2]string{
		{"class", row.Class + ": " + help},
		{"category", row.Category},
		{"severity", strconv.Itoa(row.Severity)},
		{"scope", row.Scope},
		{"retry", retry},
		{"code", strings.TrimSpace(codeOrNone(row.Code) + " " + row.Status)},
		{"rule", strings.TrimSpace(row.Rule + " " + row.Where)},
		{"because", row.Why},
	}
	return writeLines(w, lines)
}

func codeOrNone(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}

// writeLines writes names and values below each other, and leaves out what has none.
func writeLines(w io.Writer, lines [][2]string) error {
	for _, l := range lines {
		if l[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-10s %s\n", l[0]+":", printable(l[1])); err != nil {
			return err
		}
	}
	return nil
}

// maxReport bounds what is read of a report.
const maxReport = 64 << 20

func (b *bounceFlags) report(c *cobra.Command, name string) error {
	rules, err := b.classifier()
	if err != nil {
		return err
	}
	in := c.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxReport))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r, ok := bounce.Read(mime.NewBytes(text))
	if !ok {
		return fmt.Errorf("%s: neither a bounce nor a complaint", name)
	}
	if b.json {
		return writeJSON(c.OutOrStdout(), b.reportRow(rules, r))
	}
	return b.writeReport(c.OutOrStdout(), b.reportRow(rules, r))
}

type reportRow struct {
	Kind       bounce.Kind      `json:"kind"`
	Feedback   string           `json:"feedbacktype,omitempty"`
	MessageID  string           `json:"messageid"`
	Sender     string           `json:"sender"`
	Recipients []reportedBounce `json:"recipients"`
}

type reportedBounce struct {
	Recipient string     `json:"recipient"`
	Final     string     `json:"final,omitempty"`
	Action    string     `json:"action,omitempty"`
	Reporter  string     `json:"reporter,omitempty"`
	Text      string     `json:"text,omitempty"`
	Meaning   *bounceRow `json:"meaning,omitempty"`
}

func (b *bounceFlags) reportRow(rules *bounce.Classifier, r *bounce.Report) reportRow {
	row := reportRow{r.Kind, r.Feedback, r.MessageID, r.Sender, []reportedBounce{}}
	for _, rcpt := range r.Recipients {
		said := reportedBounce{rcpt.Address, rcpt.Final, rcpt.Action, rcpt.Reporter, strings.Join(strings.Fields(rcpt.Reply.Text), " "), nil}
		if r.Kind == bounce.Bounce || r.Kind == bounce.Delay {
			reply := rcpt.Reply
			reply.Grouping, reply.State = b.grouping, b.state
			meaning := newBounceRow(rules.Classify(reply))
			said.Meaning = &meaning
		}
		row.Recipients = append(row.Recipients, said)
	}
	return row
}

func (b *bounceFlags) writeReport(w io.Writer, r reportRow) error {
	if err := writeLines(w, [][2]string{{"kind", string(r.Kind)}, {"feedback", r.Feedback}, {"message", r.MessageID}, {"sender", r.Sender}}); err != nil {
		return err
	}
	for _, rcpt := range r.Recipients {
		err := writeLines(w, [][2]string{{"recipient", rcpt.Recipient}, {"final", rcpt.Final}, {"action", rcpt.Action}, {"reporter", rcpt.Reporter}, {"text", rcpt.Text}})
		if err != nil {
			return err
		}
		if rcpt.Meaning != nil {
			class, _ := bounce.ParseClass(rcpt.Meaning.Class)
			if err := writeBounce(w, *rcpt.Meaning, class.Help()); err != nil {
				return err
			}
		}
	}
	return nil
}
