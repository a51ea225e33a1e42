package extra

import (
	"errors"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/web"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/plugin/bulk"
)

func backgroundLibrary(o Options) *value.Library {
	return library([]*value.Builtin{web.Background(o.Web, o.Plugins.background.Admit)})
}

func bulkLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("http_bulk(string id, string data) boolean or none",
			"Hands a text to a queue of the plug-in http-bulk, which sends it to an HTTP server with others. Returns true when it is on disk, false "+
				"if the queue cannot take it, and none if there is no such queue; the log of the program says why.",
			`echo http_bulk("no such queue", json_encode(["a" => 1])) ?? "no queue"; // no queue`,
			func(c *value.Call) (value.Value, error) {
				err := o.Plugins.bulk.Add(c.Str(0), c.Str(1))
				if err == nil {
					return value.True, nil
				}
				o.complain(err)
				if errors.Is(err, bulk.ErrUnknown) {
					return value.None, nil
				}
				return value.False, nil
			}),
	})
}
