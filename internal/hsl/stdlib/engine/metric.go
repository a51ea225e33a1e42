package engine

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func metricBuiltins(m Metrics) []*value.Builtin {
	const declared = "Returns true, or none if the configuration declares no metric of that name and these labels, or one of another kind."
	return []*value.Builtin{
		declare.Function("metrics_increment(string name, array labels, [number value = 1]) boolean or none",
			"Adds to a counter or gauge. "+declared, `echo metrics_increment("nothing", ["transport" => "mx"]) ?? "none"; // none`, func(c *value.Call) (value.Value, error) {
				return trueOrNone(m.Add(c.Str(0), labelsOf(c), c.Num(2))), nil
			}),
		declare.Function("metrics_decrement(string name, array labels, [number value = 1]) boolean or none",
			"Takes off a gauge. "+declared, `echo metrics_decrement("nothing", ["transport" => "mx"]) ?? "none"; // none`, func(c *value.Call) (value.Value, error) {
				return trueOrNone(m.Add(c.Str(0), labelsOf(c), -c.Num(2))), nil
			}),
		declare.Function("metrics_set(string name, array labels, number value) boolean or none",
			"Sets a counter or gauge, or adds an observation to a histogram. "+declared, `echo metrics_set("nothing", ["transport" => "mx"], 5) ?? "none"; // none`, func(c *value.Call) (value.Value, error) {
				return trueOrNone(m.Set(c.Str(0), labelsOf(c), c.Num(2))), nil
			}),
		declare.Function("metrics_get(string name, array labels) array or none",
			"Returns an array of value, or for a histogram of count, sum and buckets, a list of arrays of bound and count. Returns none if there is no such metric.",
			`echo metrics_get("nothing", ["transport" => "mx"]) ?? "none"; // none`, func(c *value.Call) (value.Value, error) { return getMetric(c, m) }),
	}
}

func labelsOf(c *value.Call) (labels []Label) {
	for name, v := range c.Array(1).All() {
		labels = append(labels, Label{name.Text(), v.Text()})
	}
	return labels
}

func trueOrNone(ok bool) value.Value {
	if !ok {
		return value.None
	}
	return value.True
}

func getMetric(c *value.Call, m Metrics) (value.Value, error) {
	found, ok := m.Get(c.Str(0), labelsOf(c))
	if !ok {
		return value.None, nil
	}
	h := found.Histogram
	if h == nil {
		return value.FromArray(value.Map("value", value.Number(found.Value))), nil
	}
	buckets := value.NewArray(len(h.Buckets))
	for _, b := range h.Buckets {
		buckets.Push(value.FromArray(value.Map("bound", value.Number(b.Bound), "count", value.Number(float64(b.Count)))))
	}
	return value.FromArray(value.Map(
		"count", value.Number(float64(h.Count)), "sum", value.Number(h.Sum), "buckets", value.FromArray(buckets),
	)), nil
}
