package extra

import (
	"io"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func stdoutLibrary(o Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("stdout(string value) number",
			"Writes a text to the standard output of the process, as it is, and returns how many bytes it wrote.",
			`echo stdout("hello\n"); // 6`, writer(o.Stdout)),
		declare.Function("stderr(string value) number",
			"Writes a text to the standard error of the process, as it is, and returns how many bytes it wrote.",
			`echo stderr("hello\n"); // 6`, writer(o.Stderr)),
	})
}

func writer(w io.Writer) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		n, _ := io.WriteString(w, c.Str(0)) // the number says whether it failed
		return value.Int(n), nil
	}
}
