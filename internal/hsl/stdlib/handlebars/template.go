// Package handlebars is the module extras://handlebars: texts made of templates.
//
// A template is text with tags in double braces (handlebarsjs.com). {{path}} stands
// for a value, with what means something in HTML escaped, and {{{path}}} or {{&path}}
// for one as it is. A path is a name, names joined by dots or slashes, "this" or ".",
// "../" before it for the context around a block, and @index, @key, @first, @last and
// @root in blocks. The blocks are {{#if}}, {{#unless}}, {{#each}}, {{#with}} and
// {{#path}}, each with an optional {{else}}; {{^path}} is the contrary of {{#path}}.
// {{lookup a b}} is the element b of a. {{! }} and {{!-- --}} are comments, and "~" at
// the inside of a tag takes the white space beside it away. Partials and helpers of
// one's own there are none: they are refused.
package handlebars

import (
	"fmt"
	"strings"
)

// node is a piece of a template.
type node struct {
	kind  kind
	text  string   // of text
	args  []string // of a tag: what is called or looked up, and with what
	raw   bool     // of a value: not to be escaped
	body  []*node  // of a block
	other []*node  // behind else
	not   bool     // of a block that begins with ^
}

type kind int

const (
	textNode kind = iota
	valueNode
	blockNode
)

// parser reads a template from left to right.
type parser struct {
	source string
	rest   string
	depth  int
}

const deepest = 100

// parse returns the nodes of a template.
func parse(source string) ([]*node, error) {
	p := &parser{source: source, rest: source}
	nodes, end, err := p.nodes()
	if err == nil && end != nil {
		err = p.errorf("{{%s}} without a block", end.text())
	}
	return nodes, err
}

func (p *parser) errorf(format string, args ...any) error {
	done := p.source[:len(p.source)-len(p.rest)]
	return fmt.Errorf("line %d: %s", strings.Count(done, "\n")+1, fmt.Sprintf(format, args...))
}

// tag is what stands between braces.
type tag struct {
	mark string // "#", "^", "/", "else", "&", "{", "!", ">" or ""
	args []string
}

func (t *tag) text() string {
	if t.mark == "else" {
		return strings.TrimSpace("else " + strings.Join(t.args, " "))
	}
	return t.mark + strings.Join(t.args, " ")
}

// nodes reads until the end or a tag that ends or parts a block, which it returns.
func (p *parser) nodes() (nodes []*node, end *tag, err error) {
	for {
		before, found := p.text()
		if before != "" {
			nodes = append(nodes, &node{kind: textNode, text: before})
		}
		if !found {
			return nodes, nil, nil
		}
		t, trim, err := p.tag()
		if err != nil {
			return nil, nil, err
		}
		if trim {
			p.rest = strings.TrimLeft(p.rest, " \t\r\n")
		}
		switch t.mark {
		case "/", "else":
			return nodes, t, nil
		case "!":
		case ">":
			return nil, nil, p.errorf("partials are not there: {{> %s}}", strings.Join(t.args, " "))
		case "#", "^":
			b, err := p.block(t)
			if err != nil {
				return nil, nil, err
			}
			nodes = append(nodes, b)
		default:
			n := &node{kind: valueNode, args: t.args, raw: t.mark != ""}
			if err := p.check(n.args); err != nil {
				return nil, nil, err
			}
			nodes = append(nodes, n)
		}
	}
}

// text takes the text before the next tag.
func (p *parser) text() (text string, found bool) {
	text, rest, found := strings.Cut(p.rest, "{{")
	p.rest = rest
	if found && strings.HasPrefix(rest, "~") || strings.HasPrefix(rest, "{~") {
		text = strings.TrimRight(text, " \t\r\n")
	}
	return text, found
}

// tag reads to the closing braces; trim says that white space goes behind it.
func (p *parser) tag() (t *tag, trim bool, err error) {
	closing, mark := "}}", ""
	inner := strings.TrimPrefix(p.rest, "~")
	switch {
	case strings.HasPrefix(inner, "!--"):
		closing, mark = "--}}", "!"
		if i, j := strings.Index(inner, closing), strings.Index(inner, "--~}}"); j >= 0 && (i < 0 || j < i) {
			closing = "--~}}"
		}
	case strings.HasPrefix(inner, "{"):
		closing, mark = "}}}", "{"
	}
	inside, rest, ok := strings.Cut(inner, closing)
	if !ok {
		return nil, false, p.errorf("{{ is not closed")
	}
	p.rest = rest
	trim = closing == "--~}}"
	if mark == "!" {
		return &tag{mark: mark}, trim, nil
	}
	inside = strings.TrimPrefix(inside, "{")
	if short, ok := strings.CutSuffix(inside, "~"); ok {
		inside, trim = short, true
	}
	return p.words(mark, strings.TrimSpace(strings.TrimPrefix(inside, "~")), trim)
}

func (p *parser) words(mark, inside string, trim bool) (*tag, bool, error) {
	if mark == "" && inside != "" && strings.Contains("#^/&!>", inside[:1]) {
		mark, inside = inside[:1], strings.TrimSpace(inside[1:])
	}
	if mark == "!" {
		return &tag{mark: mark}, trim, nil
	}
	args, err := split(inside)
	if err != nil {
		return nil, false, p.errorf("%v", err)
	}
	if mark == "" && len(args) > 0 && args[0] == "else" || mark == "^" && len(args) == 0 {
		return &tag{mark: "else", args: args[min(1, len(args)):]}, trim, nil
	}
	if len(args) == 0 {
		return nil, false, p.errorf("an empty tag")
	}
	return &tag{mark: mark, args: args}, trim, nil
}

// split takes the words of a tag apart; those in quotes may have spaces and keep
// their quotes.
func split(inside string) (words []string, err error) {
	for inside = strings.TrimSpace(inside); inside != ""; inside = strings.TrimLeft(inside, " \t\r\n") {
		end := strings.IndexAny(inside, " \t\r\n")
		if q := inside[:1]; q == `"` || q == "'" {
			if end = strings.Index(inside[1:], q); end < 0 {
				return nil, fmt.Errorf("a quote is not closed: %s", inside)
			}
			end += 2
		}
		if end < 0 {
			end = len(inside)
		}
		words = append(words, inside[:end])
		inside = inside[end:]
	}
	return words, nil
}

// block reads a block to its end.
func (p *parser) block(t *tag) (*node, error) {
	if p.depth++; p.depth > deepest {
		return nil, p.errorf("blocks are nested deeper than %d", deepest)
	}
	defer func() { p.depth-- }()
	b := &node{kind: blockNode, args: t.args, not: t.mark == "^"}
	if err := p.check(b.args); err != nil {
		return nil, err
	}
	body, end, err := p.nodes()
	if err != nil {
		return nil, err
	}
	b.body = body
	if end != nil && end.mark == "else" {
		if len(end.args) > 0 { // {{else if x}} is a block of its own that ends with this one
			nested, err := p.block(&tag{mark: "#", args: end.args})
			if err != nil {
				return nil, err
			}
			b.other = []*node{nested}
			return b, nil
		}
		if b.other, end, err = p.nodes(); err != nil {
			return nil, err
		}
	}
	if end == nil || end.mark != "/" {
		return nil, p.errorf("{{#%s}} is not closed", strings.Join(t.args, " "))
	}
	return b, nil
}

// helpers are the words that may stand before arguments, and how many those are.
var helpers = map[string]int{"if": 1, "unless": 1, "each": 1, "with": 1, "lookup": 2}

func (p *parser) check(args []string) error {
	want, helper := helpers[args[0]]
	switch {
	case helper && len(args)-1 != want:
		return p.errorf("%s wants %d arguments, got %d", args[0], want, len(args)-1)
	case !helper && len(args) > 1:
		return p.errorf("unknown helper %s", args[0])
	}
	for _, a := range args {
		if strings.ContainsAny(a, "(){}=|") && a[0] != '"' && a[0] != '\'' {
			return p.errorf("want a path, got %s", a)
		}
	}
	return nil
}
