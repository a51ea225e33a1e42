package script

import (
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
}

func hostOf(c *value.Call) *queueHost { return c.Host.(*queueHost) }

var predeliveryBuiltins = []*value.Builtin{
	accepting("Try", "Makes the attempt.", tryOptions, nil),
	requeueBuiltin(preQueueOptions),
	accepting("Bounce", "Ends the entry with a report to the sender, without an attempt.", []value.Option{reasonOption, dsnOption}, remove(queue.Bounce)),
	accepting("Delete", "Ends the entry without an attempt and without a report.", []value.Option{reasonOption}, remove(queue.Delete)),
	setMetadata, getMetadata,
}

var postdeliveryBuiltins = []*value.Builtin{
	accepting("Default", "Does what $arguments[\"action\"] says.", nil, func(value.Options) (any, error) { return queue.Decision{}, nil }),
	requeueBuiltin(append(preQueueOptions, dsnOption,
		value.Option{Name: "dsn_delayed", Type: value.BooleanType, Default: value.False, Doc: "tell the sender about the delay"})),
	accepting("Bounce", "Ends the entry with a report to the sender.", []value.Option{reasonOption, dsnOption}, remove(queue.Bounce)),
	accepting("Delete", "Ends the entry without a report.", []value.Option{reasonOption}, remove(queue.Delete)),
	setMetadata, getMetadata,
}

func init() {
	// Try needs the settings that it changes, which are not among its options.
	predeliveryBuiltins[0].Func = func(c *value.Call) (value.Value, error) {
		t, err := hostOf(c).try(c.Options(0))
		if err != nil {
			return value.None, err
		}
		return exit(c, queue.Decision{Try: t})
	}
}

var preQueueOptions = []value.Option{
	{Name: "hold", Type: value.BooleanType, Default: value.False, Doc: "keep until released"},
	{Name: "delay", Type: value.NumberType, Doc: "seconds until the next attempt; without it the transport's schedule"},
	{Name: "reason", Type: value.StringType, Doc: "shown in the log and in lists"},
	{Name: "increment_retry", Type: value.BooleanType, Default: value.True, Doc: "count this as a retry"},
	{Name: "reset_retry", Type: value.BooleanType, Default: value.False, Doc: "count from the beginning again"},
	{Name: "transportid", Type: value.StringType, Doc: "transport from now on"},
}

var dsnOption = value.Option{Name: "dsn", Type: value.ArrayType, Doc: "options of the report"}

func requeueBuiltin(options []value.Option) *value.Builtin {
	return accepting("Queue", "Keeps the entry for another attempt.", options, func(o value.Options) (any, error) {
		d := queue.Decision{
			Action: queue.Requeue, Hold: o.Bool("hold"), ResetRetry: o.Bool("reset_retry"),
			KeepRetry: !o.Bool("increment_retry"),
		}
		if o.Has("delay") {
			d.Delay = seconds(o.Num("delay"))
		}
		if o.Has("reason") {
			d.Reason = o.Str("reason")
		}
		if o.Has("transportid") {
			d.Transport = o.Str("transportid")
		}
		var err error
		for _, own := range options {
			switch own.Name {
			case "dsn":
				d.Report, err = reportOptions(o.Array("dsn"))
			case "dsn_delayed":
				d.NotifyDelay = o.Bool("dsn_delayed")
			}
		}
		return d, err
	})
}

func remove(action queue.HookAction) func(value.Options) (any, error) {
	return func(o value.Options) (any, error) {
		d := queue.Decision{Action: action}
		if lines := linesOf(o.Get("reason")); len(lines) > 0 {
			d.Reason = lines[0]
		}
		var err error
		if action == queue.Bounce {
			d.Report, err = reportOptions(o.Array("dsn"))
		}
		return d, err
	}
}

var setMetadata = &value.Builtin{
	Name: "SetMetaData", Doc: "Replaces what is stored with the entry: names and strings.", Returns: value.NoneType,
	Params: []value.Param{{Name: "metadata", Type: value.ArrayType}},
	Func: func(c *value.Call) (value.Value, error) {
		h := hostOf(c)
		h.metadata, h.set = stringMap(c.Array(0)), true
		return value.None, nil
	},
}

var getMetadata = &value.Builtin{
	Name: "GetMetaData", Doc: "Returns what is stored with the entry.", Returns: value.ArrayType,
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
