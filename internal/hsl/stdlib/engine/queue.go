package engine

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func queueBuiltins(q Queue) []*value.Builtin {
	update := declare.Option("boolean update = true", "An equal entry gets what is new instead of standing beside another.")
	id := declare.Option("string id", "The name to give to the entry.")
	return []*value.Builtin{
		declare.Function("queue_suspend(array fields, number ttl, [array options]) array or none",
			"Holds back all messages whose fields have these values, for ttl seconds. Returns an array of id, or none if that is not possible.",
			`echo isset(queue_suspend(["grouping" => "&google"], 300, ["tag" => "too many complaints"])["id"]); // true`, func(c *value.Call) (value.Value, error) { return suspend(c, q) }, update, id,
			declare.Option("string tag", "A text for those who look at the list."),
			declare.Option("array properties", "What else to keep with the entry.")),
		declare.Function("queue_policy(array fields, array condition, array policy, number ttl, [array options]) array or none",
			"Puts a limit in force for ttl seconds on messages whose fields fulfil the condition, counted for each value of the list of fields. "+
				"The policy is an array of concurrency, rate (a list of messages and seconds), connectinterval (seconds), tag, stop, cluster and properties. "+
				"Returns an array of id, or none if that is not possible.",
			`echo isset(queue_policy(["grouping"], ["grouping" => "&google"], ["concurrency" => 5, "rate" => [100, 60]], 3600)["id"]); // true`, func(c *value.Call) (value.Value, error) { return addPolicy(c, q) }, update, id,
			declare.Option("string type", "A word for the kind of entry.")),
		declare.Function("queue_policy_delete(string id) boolean or none",
			"Ends a limit. Returns whether there was one.",
			`echo queue_policy_delete("nothing"); // false`, func(c *value.Call) (value.Value, error) {
				deleted, err := q.DeletePolicy(c.Context(), c.Str(0))
				return orNone(c, value.Boolean(deleted), err)
			}),
	}
}

func quotaBuiltin(q Quotas) *value.Builtin {
	return declare.Function("queue_quota(string name) array",
		"Returns an array of count and bytes of the messages that count against a quota.",
		`echo queue_quota("nothing"); // ["count"=>0,"bytes"=>0]`, func(c *value.Call) (value.Value, error) {
			count, bytes := q.Quota(c.Str(0))
			return value.FromArray(value.Map("count", value.Number(float64(count)), "bytes", value.Number(float64(bytes)))), nil
		})
}

// orNone returns none in place of v if there is an error, unless that is the end
// of the script.
func orNone(c *value.Call, v value.Value, err error) (value.Value, error) {
	if err == nil {
		return v, nil
	}
	if err = c.Interrupted(err); value.Uncatchable(err) {
		return value.None, err
	}
	return value.None, nil
}

func seconds(v value.Value) time.Duration {
	const century = 3e9
	return time.Duration(max(min(v.ToNumber(), century), 0) * float64(time.Second))
}

func matches(a *value.Array) (list []Match) {
	for field, v := range a.All() {
		list = append(list, Match{field.Text(), v.Text()})
	}
	return list
}

func suspend(c *value.Call, q Queue) (value.Value, error) {
	o := c.Options(2)
	id, err := q.Suspend(c.Context(), Suspension{
		Match: matches(c.Array(0)), TTL: seconds(c.Args[1]),
		ID: o.Str("id"), Tag: o.Str("tag"), Update: o.Bool("update"), Properties: o.Array("properties"),
	})
	return orNone(c, value.FromArray(value.Map("id", value.String(id))), err)
}

func addPolicy(c *value.Call, q Queue) (value.Value, error) {
	o := c.Options(4)
	p := Policy{
		Condition: matches(c.Array(1)), TTL: seconds(c.Args[3]),
		ID: o.Str("id"), Type: o.Str("type"), Update: o.Bool("update"),
	}
	for field := range c.Array(0).Values() {
		p.Fields = append(p.Fields, field.Text())
	}
	if err := p.read(c, c.Array(2)); err != nil {
		return value.None, err
	}
	id, err := q.AddPolicy(c.Context(), p)
	return orNone(c, value.FromArray(value.Map("id", value.String(id))), err)
}

// read takes the limits from the array of a script. Numbers may be strings.
func (p *Policy) read(c *value.Call, a *value.Array) error {
	if v, _ := a.GetString("concurrency"); v.IsSet() {
		n := v.ToNumber()
		p.Concurrency = &n
	}
	if v, _ := a.GetString("rate"); v.IsSet() {
		messages, ok1 := v.Array().At(0)
		per, ok2 := v.Array().At(1)
		if !ok1 || !ok2 || seconds(per) <= 0 {
			return declare.Unwanted(c, 2, "a rate that is a list of messages and seconds")
		}
		p.Rate = &Rate{messages.ToNumber(), seconds(per)}
	}
	if v, _ := a.GetString("connectinterval"); v.IsSet() {
		d := seconds(v)
		p.ConnectInterval = &d
	}
	tag, _ := a.GetString("tag")
	stop, _ := a.GetString("stop")
	cluster, _ := a.GetString("cluster")
	properties, _ := a.GetString("properties")
	// Limits are shared over the cluster unless the script says otherwise.
	p.Tag, p.Stop, p.Cluster, p.Properties = tag.Text(), stop.Truth(), !cluster.IsSet() || cluster.Truth(), properties.Array()
	return nil
}

func serverBuiltin(s Servers) *value.Builtin {
	return declare.Function("server_concurrency(string serverid, [string address]) number or none",
		"Returns how many connections a server has, or how many of them come from an address or network. Returns none if there is no such server.",
		`echo server_concurrency("nothing") ?? "none"; // none`, func(c *value.Call) (value.Value, error) {
			n, ok := s.Concurrency(c.Str(0), c.Str(1))
			if !ok {
				return value.None, nil
			}
			return value.Int(n), nil
		})
}
