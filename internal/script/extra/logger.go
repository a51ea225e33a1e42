package extra

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func loggerLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("logger(string id, string data) boolean or none",
			"Appends a text, as it is, to a log of the plug-in logger. Returns true when that is done, and none if there is no such log or it "+
				"cannot be written; the log of the program says why.",
			`echo logger("no such log", "text\n") ?? "not written"; // not written`,
			func(c *value.Call) (value.Value, error) {
				if err := o.Plugins.logger.Write(c.Str(0), c.Str(1)); err != nil {
					o.complain(err)
					return value.None, nil
				}
				return value.True, nil
			}),
	})
}
