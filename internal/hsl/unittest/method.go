package unittest

import (
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// hasMethod reports whether a class of Go has a method of the name, which may say
// of which class: "send" or "MIME->send".
func hasMethod(l *value.Library, name string) bool {
	class, method, qualified := strings.Cut(name, "->")
	if !qualified {
		method = name
	}
	for c := range l.Classes() {
		if (!qualified || c.Name == class) && c.Method(method) != nil {
			return true
		}
	}
	return false
}

// delivering are the methods with which messages leave a script. In a test nothing
// leaves: sending must be faked, and what is queued is noted.
var delivering = []string{"MIME", "MailMessage", "EODMailMessage"}

// method stands in for methods of objects of Go: a fake, or for methods that hand
// a message over what tests see of that. It is the value.Setup's Method.
func (r *run) method(c *value.Call) (v value.Value, answered bool, err error) {
	class, method := c.This.Class.Name, c.Builtin.Name
	fake, ok := r.fakes[class+"->"+method]
	if !ok {
		fake, ok = r.fakes[method]
	}
	switch {
	case ok && fake.IsFunction():
		v, err = c.Call(fake, slices.Clone(c.Args[:c.Given])...)
		return v, true, err
	case ok:
		fake.Retain()
		return fake, true, nil
	case !slices.Contains(delivering, class):
	case method == "send":
		return value.None, true, value.Errorf("%s->send is not faked, and tests do not use the network: call fake(%q, …) first", class, "send")
	case method == "queue":
		r.note(class+"->queue", c)
		return value.FromArray(value.Map("transaction", value.String("test"), "queue", value.Int(1))), true, nil
	}
	return value.None, false, nil
}

// note adds a call to those of the hook under way.
func (r *run) note(function string, c *value.Call) {
	if n := len(r.stack); n > 0 {
		arguments := value.FromArray(value.List(slices.Clone(c.Args[:c.Given])...))
		h := r.stack[n-1]
		h.calls = append(h.calls, value.FromArray(value.Map("function", value.String(function), "arguments", arguments)))
	}
}
