package extra

import (
	"math"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/plugin/rate"
)

func rateLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("rate(string namespace, string entry, number count, number interval, [array options]) boolean or number or none",
			"Counts that something happens to an entry: true if it has happened less than count times in the last interval, in seconds, and false if "+
				"not, in which case it does not count. With a count of 0 returns how often it did. Returns none if rated cannot be asked; the log of "+
				"the program says why.",
			`echo rate("outbound", "joe", 3, 60) ?? "rated does not answer"; // rated does not answer`,
			func(c *value.Call) (value.Value, error) { return askRate(c, o) },
			declare.Option("boolean sync = true", "The other nodes of the cluster are told.")),
	})
}

func askRate(c *value.Call, o Options) (value.Value, error) {
	r := rate.Request{
		Namespace: c.Str(0), Entry: c.Str(1), Count: whole(c.Num(2)), Interval: whole(c.Num(3)), Local: !c.Options(4).Bool("sync"),
	}
	answer, err := o.Plugins.rate.Ask(c.Context(), r)
	switch {
	case err != nil && c.Context().Err() != nil:
		return value.None, c.Interrupted(err)
	case err != nil:
		o.complain(err)
		return value.None, nil
	case r.Count == 0:
		return value.Number(float64(answer.Count)), nil
	}
	return value.Boolean(answer.Allowed), nil
}

// whole rounds a number to what the protocol carries.
func whole(n float64) uint32 {
	if !(n > 0) {
		return 0
	}
	return uint32(min(math.Round(n), math.MaxUint32))
}
