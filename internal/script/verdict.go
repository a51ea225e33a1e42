package script

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// What deciding functions take (spec hsl-phases.md 1.2).
var (
	reasonParam = value.Param{Name: "reason", Type: value.StringType | value.ArrayType, Optional: true}

	reasonOption     = value.Option{Name: "reason", Type: value.StringType | value.ArrayType, Doc: "text of the reply; the elements of an array, or parts separated by \\n, are its lines"}
	codesOption      = value.Option{Name: "reply_codes", Type: value.ArrayType, Doc: "code: a number; enhanced: a list of three numbers. What does not fit the action is ignored"}
	disconnectOption = value.Option{Name: "disconnect", Type: value.BooleanType, Default: value.False, Doc: "close the connection after the reply"}
)

// reject, deferred: the two ways to refuse, the same in every phase that has
// them.
func rejectBuiltin(example string, wrap func(session.Verdict) any) *value.Builtin {
	return refusal("Reject", "Refuses for good.", example, session.Reject, wrap)
}

func deferBuiltin(example string, wrap func(session.Verdict) any) *value.Builtin {
	return refusal("Defer", "Refuses for now.", example, session.Defer, wrap)
}

func refusal(name, doc, example string, action session.Action, wrap func(session.Verdict) any) *value.Builtin {
	return &value.Builtin{
		Name: name, Doc: doc + " Ends the script.", Example: example, Terminates: true, Returns: value.NoneType,
		Params: []value.Param{reasonParam, {Name: "options", Type: value.ArrayType, Optional: true,
			Options: []value.Option{disconnectOption, codesOption}}},
		Func: func(c *value.Call) (value.Value, error) {
			v := session.Verdict{Action: action}
			options := c.Options(1)
			v.Disconnect = options.Bool("disconnect")
			v.Reply = replyOf(options)
			v.Reply.Lines = linesOf(c.Args[0])
			return exit(c, wrap(v))
		},
	}
}

// accepting is a builtin that takes one array of options; build makes the
// outcome from them.
func accepting(name, doc, example string, options []value.Option, build func(value.Options) (any, error)) *value.Builtin {
	return &value.Builtin{
		Name: name, Doc: doc + " Ends the script.", Example: example, Terminates: true, Returns: value.NoneType,
		Params: []value.Param{{Name: "options", Type: value.ArrayType, Optional: true, Options: options}},
		Func: func(c *value.Call) (value.Value, error) {
			out, err := build(c.Options(0))
			if err != nil {
				return value.None, err
			}
			return exit(c, out)
		},
	}
}

// exit ends the script with an outcome.
func exit(c *value.Call, outcome any) (value.Value, error) {
	return value.None, &value.Exit{Name: c.Builtin.Name, Outcome: outcome}
}

// accepted reads the options that all accepting functions have.
func accepted(o value.Options) session.Verdict {
	v := session.Verdict{Reply: replyOf(o)}
	v.Reply.Lines = linesOf(o.Get("reason"))
	return v
}

// replyOf reads reply_codes. Codes that do not fit the action are dropped by
// the session.
func replyOf(o value.Options) (r smtp.Reply) {
	codes := o.Array("reply_codes")
	if codes == nil {
		return r
	}
	if v, ok := codes.GetString("code"); ok {
		r.Code = int(v.ToNumber())
	}
	v, ok := codes.GetString("enhanced")
	if !ok || !v.IsArray() || v.Array().Len() != len(r.Enhanced) {
		return r
	}
	i := 0
	for part := range v.Array().Values() {
		r.Enhanced[i] = uint16(part.ToNumber())
		i++
	}
	return r
}

// linesOf reads a reason: a string whose lines are separated by \n, or a list.
func linesOf(v value.Value) (lines []string) {
	switch {
	case v.IsString() && v.Str() != "":
		return strings.Split(v.Str(), "\n")
	case v.IsArray():
		for line := range v.Array().Values() {
			lines = append(lines, strings.Split(line.Text(), "\n")...)
		}
	}
	return lines
}
