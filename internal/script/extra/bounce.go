package extra

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/bounce"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func bounceLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("bounce_classify(string text, [array options]) array",
			"Says what the answer of a server means. Returns an array of class, category, severity (0 to 6), scope, permanent (trying again will not help), "+
				"hard (the address is not worth another message), code, enhanced, rule (the name of the rule that fitted, or empty) and why.",
			`echo bounce_classify("550 5.1.1 user unknown")["class"]; // RECIPIENT_NOT_FOUND`,
			func(c *value.Call) (value.Value, error) {
				r, err := o.classify(c, bounce.Reply{Text: c.Str(0)})
				if err != nil {
					return value.None, err
				}
				return declare.Array(c, meaning(r))
			},
			declare.Option("string grouping", "The grouping of the recipient's provider, for rules that depend on it."),
			declare.Option("string state", "The state of the conversation, for rules that depend on it."),
			declare.Option("string list", "The id of a list of the plug-in bounce-list that is asked first; of its values those that are names of classes count.")),
		declare.Function("bounce_report(MailMessage or EODMailMessage mail) array or none",
			"Reads a bounce or a complaint that came by mail. Returns an array of kind (bounce, delay, delivery, complaint or auto-reply), messageid and sender of the message "+
				"that it is about, feedback (the type of a complaint) and recipients, a list of arrays of recipient, action, text and, for bounces and delays, meaning as bounce_classify "+
				"tells it; or none if the message is no such report. Whoever knows an address can forge one.",
			`$m = MailMessage::String("From: mailer-daemon@mx.example\r\n\r\n<joe@example.com>: 550 5.1.1 user unknown\r\n"); `+
				`echo bounce_report($m)["recipients"][0]["recipient"]; // joe@example.com`,
			bounceReport),
	})
}

// classify asks the list that the options name and then the rules.
func (o Options) classify(c *value.Call, reply bounce.Reply) (bounce.Result, error) {
	given := c.Options(1)
	reply.Grouping, reply.State = given.Str("grouping"), given.Str("state")
	if err := c.Step(len(reply.Text)); err != nil {
		return bounce.Result{}, err
	}
	r := bounce.Default().Classify(reply)
	id := given.Str("list")
	if id == "" {
		return r, nil
	}
	rule, err := o.Plugins.bounce.Find(id, reply.Text, reply.Grouping, reply.State)
	if rule == nil || err != nil {
		return r, err
	}
	if class, ok := bounce.ParseClass(strings.ToUpper(strings.TrimSpace(rule.Value))); ok {
		r.Class, r.Rule, r.Why = class, id, rule.Pattern
	}
	return r, nil
}

func meaning(r bounce.Result) *value.Array {
	return value.Map(
		"class", value.String(r.Class.String()), "category", value.String(r.Class.Category()), "severity", value.Number(float64(r.Class.Severity())),
		"scope", value.String(r.Class.Scope()), "permanent", value.Boolean(r.Permanent), "hard", value.Boolean(r.Hard()),
		"code", value.Number(float64(r.Code)), "enhanced", value.String(r.Status.String()), "rule", value.String(r.Rule), "why", value.String(r.Why))
}

func bounceReport(c *value.Call) (value.Value, error) {
	m, err := messageOf(c, 0)
	if err != nil {
		return value.None, err
	}
	r, ok := bounce.Read(m)
	if !ok {
		return value.None, nil
	}
	recipients := value.NewArray(len(r.Recipients))
	for _, rcpt := range r.Recipients {
		said := value.Map("recipient", value.String(rcpt.Address), "action", value.String(rcpt.Action), "text", value.String(rcpt.Reply.Text))
		if r.Kind == bounce.Bounce || r.Kind == bounce.Delay {
			if err := c.Step(len(rcpt.Reply.Text)); err != nil {
				return value.None, err
			}
			said.SetString("meaning", value.FromArray(meaning(bounce.Default().Classify(rcpt.Reply))))
		}
		recipients.Push(value.FromArray(said))
	}
	return declare.Array(c, value.Map("kind", value.String(string(r.Kind)), "messageid", value.String(r.MessageID),
		"sender", value.String(r.Sender), "feedback", value.String(r.Feedback), "recipients", value.FromArray(recipients)))
}
