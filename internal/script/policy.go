package script

import (
	"fmt"
	"maps"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// policyValue is what bound an attempt; absent where nothing did.
func policyValue(a *policy.Applied) value.Value {
	if a == nil {
		return value.Undefined
	}
	all, tags := value.NewArray(0), value.NewArray(0)
	for _, p := range a.Policies() {
		own, dynamics := value.NewArray(0), value.NewArray(0)
		note := func(tag string) {
			if tag != "" {
				own.Append(value.String(tag))
				tags.Append(value.String(tag))
			}
		}
		note(p.Limits.Tag)
		for _, d := range p.Dynamics {
			note(d.Then.Tag)
			dynamics.Append(record("id", value.String(d.ID), "tag", optional(d.Then.Tag)))
		}
		stop := value.Undefined
		if p.Limits.Stop {
			stop = value.True
		}
		all.Append(record("fields", value.FromArray(value.Strings(p.Fields.Names())), "tags", value.FromArray(own),
			"properties", propertiesValue(p.Limits.Properties), "stop", stop, "dynamic", value.FromArray(dynamics)))
	}
	return record("tags", value.FromArray(tags), "policies", value.FromArray(all))
}

// propertiesValue are the properties of a policy, as texts.
func propertiesValue(m map[string]any) value.Value {
	a := value.NewArray(len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		a.SetString(k, value.String(fmt.Sprint(m[k])))
	}
	return value.FromArray(a)
}
