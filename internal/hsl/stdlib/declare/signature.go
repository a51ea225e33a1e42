package declare

import (
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// parser reads a signature from left to right.
type parser struct {
	signature string
	rest      string
}

func (p *parser) fail(why string) {
	panic(fmt.Sprintf("declare: %q: %s at %q", p.signature, why, p.rest))
}

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " ") }

// accept takes a token if it comes next.
func (p *parser) accept(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *parser) want(token string) {
	if !p.accept(token) {
		p.fail("want " + token)
	}
}

// word takes letters, digits and underscores.
func (p *parser) word() string {
	p.space()
	end := strings.IndexFunc(p.rest, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if end < 0 {
		end = len(p.rest)
	}
	w := p.rest[:end]
	p.rest = p.rest[end:]
	if w == "" {
		p.fail("want a name")
	}
	return w
}

func (p *parser) builtin() *value.Builtin {
	b := &value.Builtin{Name: p.word(), Returns: value.NoneType}
	p.want("(")
	for !p.accept(")") {
		if len(b.Params) > 0 {
			p.want(",")
		}
		b.Params = append(b.Params, p.param())
	}
	p.space()
	if p.rest != "" {
		b.Returns, b.ReturnsClass = p.types()
		p.space()
	}
	if p.rest != "" {
		p.fail("want the end")
	}
	return b
}

func (p *parser) param() value.Param {
	optional := p.accept("[")
	param := value.Param{Optional: optional, Variadic: p.accept("...")}
	param.Type, param.Class = p.types()
	param.Name = p.word()
	if optional {
		if p.accept("=") {
			param.Default = p.literal()
		}
		p.want("]")
	}
	return param
}

// types reads type names joined by "or".
func (p *parser) types() (t value.Type, class string) {
	for {
		name := p.word()
		if kind, ok := types[name]; ok {
			t |= kind
		} else {
			t |= kindOf(name)
			class += "," + name
		}
		if !p.accept("or ") {
			return t, strings.TrimPrefix(class, ",")
		}
	}
}

var types = map[string]value.Type{
	"any": value.AnyType, "none": value.NoneType, "string": value.StringType, "number": value.NumberType,
	"boolean": value.BooleanType, "array": value.ArrayType, "function": value.FunctionType,
	"object": value.ObjectType, "resource": value.ResourceType,
}

// kindOf tells names of resources from names of classes: they are few, and end
// in what they are.
func kindOf(name string) value.Type {
	for _, suffix := range []string{"Resource", "PrivateKey", "Regex", "FFIType", "FFIValue"} {
		if strings.HasSuffix(name, suffix) {
			return value.ResourceType
		}
	}
	return value.ObjectType
}

// literal reads a default: a number, a string in double quotes, true or false.
func (p *parser) literal() value.Value {
	p.space()
	if text, ok := strings.CutPrefix(p.rest, `"`); ok {
		text, rest, closed := strings.Cut(text, `"`)
		if !closed {
			p.fail("want a closing quote")
		}
		p.rest = rest
		return value.String(text)
	}
	end := strings.IndexByte(p.rest, ']')
	if end < 0 {
		p.fail("want ]")
	}
	text := p.rest[:end]
	p.rest = p.rest[end:]
	switch text {
	case "true", "false":
		return value.Boolean(text == "true")
	}
	f, ok := value.ParseNumber(text)
	if !ok {
		p.fail("want a default")
	}
	return value.Number(f)
}

// optionsOf returns the parameter that takes the options.
func (p *parser) optionsOf(b *value.Builtin) *value.Param {
	for i := range b.Params {
		if b.Params[i].Name == "options" {
			return &b.Params[i]
		}
	}
	p.fail("want a parameter named options")
	return nil
}
