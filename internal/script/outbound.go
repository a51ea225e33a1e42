package script

import (
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// The functions of the two phases of the queue (spec hsl-phases.md 11 to 13).

// queueHost is the Host of a thread in these phases.
type queueHost struct {
	hooks *Queue
	view  *queue.View
	// metadata is what SetMetaData left; set tells an emptied map from none.
	metadata map[string]string
	set      bool
	// delivered: the message has arrived.
	delivered bool
}

func hostOf(c *value.Call) *queueHost { return c.Host.(*queueHost) }

var predeliveryBuiltins = []*value.Builtin{
	concluding("Try", "Makes the attempt.", `if ($message["recipientaddress"]["domain"] == "example.net")
	Try(["host" => "mx.example.net", "port" => 2525, "tls" => "require", "timeout" => ["MAIL" => 60]]);`,
		tryOptions, func(c *value.Call, o value.Options) (queue.Decision, error) {
			t, err := hostOf(c).try(c, o)
			return queue.Decision{Try: t}, err
		}),
	concluding("Queue", "Keeps the entry for another attempt.", `if ($arguments["retry"] >= 2)
	Queue(["delay" => 3600, "reason" => "patience", "transportid" => "slow"]);`,
		queueAgainOptions, requeue),
	concluding("Bounce", "Ends the entry with a report to the sender, without an attempt.", `if ($message["recipientaddress"]["domain"] == "example.net")
	Bounce(["reason" => "that office is closed"]);`,
		[]value.Option{reasonOption, dsnOption}, remove(queue.Bounce)),
	concluding("Delete", "Ends the entry without an attempt and without a report.", `if ($message["sender"] == "ann@example.org" and $arguments["retry"] > 1)
	Delete(["reason" => "it is of no use any more"]);`,
		[]value.Option{reasonOption}, remove(queue.Delete)),
	setMetadata, getMetadata,
}

var postdeliveryBuiltins = []*value.Builtin{
	concluding("Default", "Does what $arguments[\"action\"] says.", `if ($arguments["action"] == "QUEUE")
	Default();`,
		nil, func(*value.Call, value.Options) (queue.Decision, error) { return queue.Decision{}, nil }),
	concluding("Queue", "Keeps the entry for another attempt. Throws after a delivery.", `if (isset($arguments["attempt"]["result"]) and $arguments["attempt"]["result"]["state"] == "RCPT")
	Queue(["delay" => 900, "reason" => "mailbox is full", "dsn_delayed" => true]);`,
		append(queueAgainOptions[:len(queueAgainOptions):len(queueAgainOptions)], dsnOption,
			value.Option{Name: "dsn_delayed", Type: value.BooleanType, Default: value.False, Doc: "tell the sender about the delay"}),
		undelivered(func(c *value.Call, o value.Options) (queue.Decision, error) {
			d, err := requeue(c, o)
			if err == nil {
				d.Report, err = hostOf(c).reportOptions(c, o.Array("dsn"))
			}
			d.NotifyDelay = o.Bool("dsn_delayed")
			return d, err
		})),
	concluding("Bounce", "Ends the entry with a report to the sender. Throws after a delivery.", `if ($arguments["attempt"]["result"]["enhanced"] == [4, 2, 2])
	Bounce(["dsn" => ["recipient" => "postmaster@example.org", "subject_prepend" => "Full:", "headers" => ["X-Kind: full"]]]);`,
		[]value.Option{reasonOption, dsnOption}, undelivered(remove(queue.Bounce))),
	concluding("Delete", "Ends the entry without a report. Throws after a delivery.", `if ($arguments["retry"] >= 2)
	Delete(["reason" => "no third attempt"]);`,
		[]value.Option{reasonOption}, undelivered(remove(queue.Delete))),
	setMetadata, getMetadata,
}

// decider makes a decision of the options of a function.
type decider func(*value.Call, value.Options) (queue.Decision, error)

// concluding is a function that ends the script with a decision.
func concluding(name, doc, example string, options []value.Option, decide decider) *value.Builtin {
	b := accepting(name, doc, example, options, nil)
	b.Func = func(c *value.Call) (value.Value, error) {
		d, err := decide(c, c.Options(0))
		if err != nil {
			return value.None, err
		}
		return exit(c, d)
	}
	return b
}

// undelivered is a decision that there is nothing to take about a message that
// has arrived.
func undelivered(decide decider) decider {
	return func(c *value.Call, o value.Options) (queue.Decision, error) {
		if hostOf(c).delivered {
			return queue.Decision{}, value.Errorf("%s: the message has been delivered", c.Builtin.Name)
		}
		return decide(c, o)
	}
}

var queueAgainOptions = []value.Option{
	{Name: "hold", Type: value.BooleanType, Default: value.False, Doc: "keep until released"},
	{Name: "delay", Type: value.NumberType, Doc: "seconds until the next attempt, at least one; without it the transport's schedule"},
	{Name: "reason", Type: value.StringType, Doc: "shown in the log and in lists"},
	{Name: "increment_retry", Type: value.BooleanType, Default: value.True, Doc: "count this as a retry"},
	{Name: "reset_retry", Type: value.BooleanType, Default: value.False, Doc: "count from the beginning again"},
	{Name: "transportid", Type: value.StringType, Doc: "transport from now on"},
}

var dsnOption = value.Option{Name: "dsn", Type: value.ArrayType, Doc: "options of the report"}

// requeue reads the options that Queue has before and after an attempt.
func requeue(c *value.Call, o value.Options) (queue.Decision, error) {
	d := queue.Decision{
		Action: queue.Requeue, Hold: o.Bool("hold"), ResetRetry: o.Bool("reset_retry"), KeepRetry: !o.Bool("increment_retry"),
		Reason: o.Get("reason").Str(), Transport: o.Get("transportid").Str(),
	}
	if o.Has("delay") {
		d.Delay, d.DelaySet = seconds(o.Num("delay")), true
	}
	return d, hostOf(c).knows(c, d.Transport)
}

// knows is an exception for a transport that is not configured.
func (h *queueHost) knows(c *value.Call, transport string) error {
	if transport == "" || h.hooks.resources == nil {
		return nil
	}
	if _, ok := h.hooks.resources.Transport(transport); !ok {
		return value.Errorf("%s: there is no transport %q", c.Builtin.Name, transport)
	}
	return nil
}

func remove(action queue.HookAction) decider {
	return func(c *value.Call, o value.Options) (queue.Decision, error) {
		d := queue.Decision{Action: action, Reason: strings.Join(linesOf(o.Get("reason")), " ")}
		var err error
		if action == queue.Bounce {
			d.Report, err = hostOf(c).reportOptions(c, o.Array("dsn"))
		}
		return d, err
	}
}

var setMetadata = &value.Builtin{
	Name: "SetMetaData", Doc: "Replaces what is stored with the entry: names and strings.", Example: `$m = GetMetaData();
$m["seen"] = $message["recipient"];
SetMetaData($m);`, Returns: value.NoneType,
	Params: []value.Param{{Name: "metadata", Type: value.ArrayType}},
	Func: func(c *value.Call) (value.Value, error) {
		h := hostOf(c)
		h.metadata, h.set = stringMap(c.Array(0)), true
		return value.None, nil
	},
}

var getMetadata = &value.Builtin{
	Name: "GetMetaData", Doc: "Returns what is stored with the entry.", Example: `$campaign = GetMetaData()["campaign"] ?? "none";
SetMetaData(["campaign" => $campaign, "retry" => $arguments["retry"]]);`, Returns: value.ArrayType,
	Func: func(c *value.Call) (value.Value, error) {
		h := hostOf(c)
		m := h.metadata
		if !h.set {
			if err := h.hooks.load(h.view); err != nil {
				return value.None, err
			}
			m = h.view.Metadata()
		}
		return stringsValue(m), nil
	},
}

// messageValue is $message (spec hsl-phases.md 10). The view must be loaded.
func messageValue(v *queue.View, c Contents) value.Value {
	dsn := value.Undefined
	if envid, ret := v.EnvID(), v.Ret(); envid != "" || ret != envelope.RetUnset || v.Notify != 0 || v.ORcpt() != "" {
		dsn = record("envid", optional(envid), "ret", optional(ret.String()),
			"notify", value.FromArray(value.Strings(notifyList(v.Notify))), "orcpt", optional(v.ORcpt()))
	}
	return record(
		"id", record("transaction", value.String(v.ID.String()), "queue", number(v.Number)),
		"ts", value.Number(float64(v.Received.UnixMilli())/1000),
		"serverid", value.String(v.ServerID),
		"sender", folded(v.Sender), "senderaddress", addressValue(v.Sender),
		"recipient", folded(v.Recipient), "recipientaddress", addressValue(v.Recipient),
		"transportid", value.String(v.Transport),
		"tenantid", optional(v.Tenant), "jobid", optional(v.Job),
		"priority", number(v.Priority), "size", number(v.EditedSize()),
		"file", fileValue(c, v), "dsn", dsn,
	)
}

func notifyList(n envelope.Notify) (names []string) {
	for _, one := range []envelope.Notify{envelope.NotifyNever, envelope.NotifySuccess, envelope.NotifyFailure, envelope.NotifyDelay} {
		if n&one != 0 {
			names = append(names, one.String())
		}
	}
	return names
}

// seconds is a time that a script gives: not below zero, and a century at most.
func seconds(f float64) time.Duration {
	const century = 3e9
	if f > 0 {
		return time.Duration(min(f, century) * float64(time.Second))
	}
	return 0 // also what is no number
}

func stringMap(a *value.Array) map[string]string {
	m := map[string]string{}
	for k, v := range a.All() {
		m[k.Text()] = v.Text()
	}
	return m
}

func stringsValue(m map[string]string) value.Value {
	a := value.NewArray(0)
	for _, k := range sortedKeys(m) {
		a.SetString(k, value.String(m[k]))
	}
	return value.FromArray(a)
}
