package handlebars

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Library returns the module.
func Library() *value.Library {
	return value.NewLibrary(nil, value.Declarations{Builtins: []*value.Builtin{
		declare.Function("handlebars(string template, array context) array",
			"Makes a text of a template in the language Handlebars and the values of an array. Returns an array of result, or of error if the template is "+
				"malformed. Values are escaped for HTML, but in three braces. The blocks are if, unless, each and with; partials and helpers of one's own there are none.",
			`echo handlebars("Hello {{name}}!{{#each items}} {{@index}}: {{this}}{{/each}}", ["name" => "<Ann>", "items" => ["a", "b"]])["result"]; // Hello &lt;Ann&gt;! 0: a 1: b`,
			render),
	}})
}

func render(c *value.Call) (value.Value, error) {
	if err := c.Step(len(c.Str(0))); err != nil {
		return value.None, err
	}
	nodes, err := parse(c.Str(0))
	if err != nil {
		return declare.Array(c, value.Map("error", value.String(err.Error())))
	}
	r := &renderer{call: c, root: c.Args[1]}
	if err := r.nodes(nodes, &scope{this: c.Args[1]}); err != nil {
		return value.None, err
	}
	return value.FromArray(value.Map("result", value.String(r.out.String()))), nil
}

// renderer writes the text of a template.
type renderer struct {
	call   *value.Call
	root   value.Value
	out    strings.Builder
	growth value.Growth
}

// scope is what names mean within a block.
type scope struct {
	this  value.Value
	outer *scope
	loop  *loop // the one that it stands in; nil if there is none
}

// loop is where an each stands.
type loop struct {
	index, last int
	key         value.Value
}

// get returns @index, @key, @first and @last.
func (l *loop) get(name string) value.Value {
	if l != nil {
		switch name {
		case "index":
			return value.Int(l.index)
		case "key":
			return l.key
		case "first":
			return value.Boolean(l.index == 0)
		case "last":
			return value.Boolean(l.index == l.last)
		}
	}
	return value.None
}

func (r *renderer) write(text string) error {
	r.out.WriteString(text)
	return r.growth.To(r.call.Thread, r.out.Len())
}

func (r *renderer) nodes(nodes []*node, s *scope) error {
	for _, n := range nodes {
		if err := r.call.Step(1); err != nil {
			return err
		}
		var err error
		switch n.kind {
		case textNode:
			err = r.write(n.text)
		case valueNode:
			err = r.value(n, s)
		case blockNode:
			err = r.block(n, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// escapes are those of Handlebars.
var escapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#x27;", "`", "&#x60;", "=", "&#x3D;")

func (r *renderer) value(n *node, s *scope) error {
	v := r.argument(n.args[0], s)
	if n.args[0] == "lookup" {
		v = element(r.argument(n.args[1], s), r.argument(n.args[2], s).Text())
	}
	if v.IsNone() {
		return nil
	}
	text := v.Text()
	if list := v.Array(); list != nil {
		text = joined(list)
	}
	if !n.raw {
		text = escapes.Replace(text)
	}
	return r.write(text)
}

// joined is a list as JavaScript writes it.
func joined(list *value.Array) string {
	var texts []string
	for v := range list.Values() {
		texts = append(texts, v.Text())
	}
	return strings.Join(texts, ",")
}

func (r *renderer) block(n *node, s *scope) error {
	helper := n.args[0]
	var v value.Value
	if _, ok := helpers[helper]; ok && helper != "lookup" && len(n.args) > 1 {
		v = r.argument(n.args[1], s)
	} else {
		helper, v = "", r.argument(n.args[0], s)
	}
	yes := truth(v) != n.not
	switch {
	case helper == "unless":
		yes = !yes
	case helper == "each", helper == "" && v.Array().Len() > 0 && v.Array().IsList() && !n.not:
		return r.each(n, v, s)
	}
	switch {
	case !yes:
		return r.nodes(n.other, s)
	case helper == "with", helper == "" && v.Array() != nil && !n.not:
		return r.nodes(n.body, &scope{this: v, outer: s, loop: s.loop})
	}
	return r.nodes(n.body, s)
}

func (r *renderer) each(n *node, v value.Value, s *scope) error {
	list := v.Array()
	if list.Len() == 0 {
		return r.nodes(n.other, s)
	}
	at := &loop{last: list.Len() - 1}
	inner := &scope{outer: s, loop: at}
	for key, element := range list.All() {
		inner.this, at.key = element, key
		if err := r.call.Step(1); err != nil {
			return err
		}
		if err := r.nodes(n.body, inner); err != nil {
			return err
		}
		at.index++
	}
	return nil
}

// truth is what if goes by: as in JavaScript, and empty arrays are false.
func truth(v value.Value) bool {
	switch v.Kind() {
	case value.KindArray:
		return v.Array().Len() > 0
	case value.KindString:
		return v.Str() != ""
	}
	return v.Truth()
}

// argument is the value of a path, a text in quotes, a number, true or false.
func (r *renderer) argument(path string, s *scope) value.Value {
	switch path[0] {
	case '"', '\'':
		return value.String(path[1 : len(path)-1])
	case '@':
		name, rest, _ := strings.Cut(path[1:], ".")
		v := s.loop.get(name)
		if name == "root" {
			v = r.root
		}
		return within(v, rest)
	}
	if path == "true" || path == "false" {
		return value.Boolean(path == "true")
	}
	if f, ok := value.ParseNumber(path); ok && path != "." && path != ".." {
		return value.Number(f)
	}
	for strings.HasPrefix(path, "..") {
		path = strings.TrimPrefix(strings.TrimPrefix(path, ".."), "/")
		if s.outer != nil {
			s = s.outer
		}
	}
	for _, own := range []string{"this", "."} {
		if rest, ok := strings.CutPrefix(path, own); ok && (rest == "" || rest[0] == '.' || rest[0] == '/') {
			path = strings.TrimLeft(rest, "./")
			break
		}
	}
	return within(s.this, path)
}

// within follows names joined by dots or slashes.
func within(v value.Value, path string) value.Value {
	for name := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' || r == '/' }) {
		v = element(v, strings.Trim(name, "[]"))
	}
	return v
}

func element(v value.Value, name string) value.Value {
	a := v.Array()
	if a == nil {
		return value.None
	}
	if name == "length" && !a.Has(value.String(name)) && a.IsList() {
		return value.Int(a.Len())
	}
	e, _ := a.GetString(name)
	return e
}
