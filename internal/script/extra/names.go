package extra

import (
	"context"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// names asks the DNS for a module, the way that the script would: by dns_query,
// or what a test puts in its place, or a function that the script gives. It works
// on the goroutine of the script only.
type names struct {
	call   *value.Call
	query  value.Value // takes a name and options, as dns_query does
	thrown error       // by the query; ends the module's function
}

// newNames returns names that ask a function; none stands for dns_query.
func newNames(c *value.Call, query value.Value) (*names, error) {
	if !query.IsFunction() {
		query = value.FromFunction(c.Library.Function("dns_query"))
		if query.IsNone() {
			return nil, value.Errorf("%s: there is no DNS here", c.Builtin.Name)
		}
	}
	return &names{call: c, query: query}, nil
}

// noAnswer is a question that got no answer.
type noAnswer string

func (e noAnswer) Error() string { return "dns: " + string(e) }

// Temporary says that asking again may help.
func (noAnswer) Temporary() bool { return true }

// text asks for the texts at a name. Nothing there is no error; exists then says
// whether the name is.
func (n *names) text(name string) (texts []string, exists bool, err error) {
	if n.thrown != nil {
		return nil, false, n.thrown
	}
	answer, err := n.call.Call(n.query, value.String(name), value.FromArray(value.Map("type", value.String("txt"))))
	if err != nil {
		n.thrown = err
		return nil, false, err
	}
	if list, ok := answer.Array().GetString("result"); ok {
		for v := range list.Array().Values() {
			texts = append(texts, v.Text())
		}
		return texts, true, nil
	}
	switch word, _ := answer.Array().GetString("error"); word.Text() {
	case "NXDOMAIN":
		return nil, false, nil
	case "NO_DATA":
		return nil, true, nil
	case "":
		return nil, false, noAnswer("neither result nor error")
	default:
		return nil, false, noAnswer(word.Text())
	}
}

// TXT implements the resolvers of packages dkim and dmarc.
func (n *names) TXT(_ context.Context, name string) ([]string, error) {
	texts, _, err := n.text(name)
	return texts, err
}

// Exists implements dmarc.Resolver.
func (n *names) Exists(_ context.Context, domain string) (bool, error) {
	_, exists, err := n.text(domain)
	return exists, err
}

// keys is the function that verifyDKIM takes as dns_function: it asks for the text
// of a key.
func (n *names) keys() value.Value {
	return value.FromFunction(&value.Function{Builtin: declare.Function("key(string host) array", "Returns the text of a key.", "",
		func(c *value.Call) (value.Value, error) {
			texts, _, err := n.text(c.Str(0))
			switch {
			case n.thrown != nil:
				return value.None, n.thrown
			case err != nil:
				return value.FromArray(value.Map("error", value.String("temperror"))), nil
			}
			return value.FromArray(value.Map("result", value.FromArray(value.Strings(texts)))), nil
		})})
}

// served passes look-ups of other goroutines to the one of the script.
type served chan question

type question struct {
	name   string
	answer chan<- answer
}

type answer struct {
	texts []string
	err   error
}

// TXT implements dkim.Resolver.
func (s served) TXT(ctx context.Context, name string) ([]string, error) {
	reply := make(chan answer, 1)
	select {
	case s <- question{name, reply}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-reply:
		return a.texts, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve does work that looks up from several goroutines, and answers on this one.
func serve[T any](n *names, work func(served) T) T {
	s, done := make(served), make(chan T, 1)
	go func() { done <- work(s) }()
	for {
		select {
		case q := <-s:
			texts, _, err := n.text(q.name)
			q.answer <- answer{texts, err}
		case result := <-done:
			return result
		}
	}
}

// method calls a method of an object on behalf of a builtin.
func method(c *value.Call, o *value.Object, name string, args ...value.Value) (value.Value, error) {
	f := o.Class.Method(name)
	if f == nil || f.Builtin == nil {
		return value.None, value.Errorf("%s: %s has no method %s", c.Builtin.Name, o.Class.Name, name)
	}
	inner := value.Call{Thread: c.Thread, Builtin: f.Builtin, This: o}
	if done, err := inner.Bind(args); done || err != nil {
		return value.None, err
	}
	return f.Builtin.Func(&inner)
}
