package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Limits on what a file can cost. Aliases repeat parts of a file, so that a few
// lines can stand for billions of values; what they add is bounded, while the
// file itself may be as long as its scripts and lists are.
const (
	maxDepth   = 64
	maxAliased = 100_000 // nodes that aliases may add
	maxErrors  = 50      // mistakes that are reported at once
)

// parser turns the nodes of the YAML library into ours: it follows aliases,
// substitutes environment variables, and finds duplicate keys and unknown tags.
type parser struct {
	file    string
	options LoadOptions
	aliases int  // depth of aliases that we are in
	aliased int  // nodes met inside aliases
	burst   bool // the limit was reported
	waiting bool // there are variables that were left alone
	errors  Errors
}

// parse reads the one document of a file. The result is nil when there is none.
func (p *parser) parse(data []byte) (*yaml.Node, *Node) {
	if !p.checkText(data) {
		return nil, nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		p.fail(0, 0, nil, err)
		return nil, nil
	}
	var raw, second yaml.Node
	if err := loader.Load(&raw); err != nil {
		if !errors.Is(err, io.EOF) {
			p.failYAML(err)
		}
		return nil, nil
	}
	if err := loader.Load(&second); err == nil {
		p.fail(second.Line, second.Column, nil, errors.New("a second document; a file holds one"))
	} else if !errors.Is(err, io.EOF) {
		p.failYAML(err)
	}
	return &raw, p.node(&raw, nil, 0)
}

// checkText finds the first byte that is not UTF-8.
func (p *parser) checkText(data []byte) bool {
	if utf8.Valid(data) {
		return true
	}
	line, column := 1, 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		rest = rest[size:]
	}
	p.fail(line, column, nil, errors.New("not valid UTF-8"))
	return false
}

func (p *parser) fail(line, column int, at *place, err error) {
	if len(p.errors) < maxErrors {
		p.errors = append(p.errors, &Error{Position{p.file, line, column}, at.String(), err})
	}
}

func (p *parser) failYAML(err error) {
	var load *yaml.LoadError
	if errors.As(err, &load) {
		message := load.Message
		if load.ContextMsg != "" {
			message += " " + load.ContextMsg
		}
		p.fail(load.Mark.Line, load.Mark.Column, nil, errors.New(message))
		return
	}
	p.fail(0, 0, nil, err)
}

// node converts n and what is beneath it. It returns nil for what was reported.
func (p *parser) node(n *yaml.Node, at *place, depth int) *Node {
	if depth > maxDepth {
		p.fail(n.Line, n.Column, at, fmt.Errorf("nested deeper than %d levels", maxDepth))
		return nil
	}
	if p.aliases > 0 {
		if p.aliased++; p.aliased > maxAliased {
			return p.burstAliases(n, at)
		}
	}
	switch n.Kind {
	case yaml.DocumentNode:
		return p.node(n.Content[0], at, depth)
	case yaml.AliasNode:
		p.aliases++
		defer func() { p.aliases-- }()
		return p.node(n.Alias, at, depth+1)
	case yaml.MappingNode:
		return p.mapping(n, at, depth)
	case yaml.SequenceNode:
		return p.sequence(n, at, depth)
	default:
		return p.scalar(n, at)
	}
}

func (p *parser) burstAliases(n *yaml.Node, at *place) *Node {
	if !p.burst {
		p.burst = true
		p.fail(n.Line, n.Column, at, fmt.Errorf("aliases repeat more than %d values", maxAliased))
	}
	return nil
}

func (p *parser) sequence(n *yaml.Node, at *place, depth int) *Node {
	if !p.checkTag(n, at, "!!seq") {
		return nil
	}
	out := &Node{Kind: List, Line: n.Line, Column: n.Column, Items: make([]*Node, 0, len(n.Content))}
	for i, item := range n.Content {
		if child := p.node(item, at.at(i), depth+1); child != nil {
			out.Items = append(out.Items, child)
		}
	}
	return out
}

func (p *parser) mapping(n *yaml.Node, at *place, depth int) *Node {
	if !p.checkTag(n, at, "!!map") {
		return nil
	}
	out := &Node{Kind: Map, Line: n.Line, Column: n.Column, Entries: make([]Entry, 0, len(n.Content)/2)}
	seen := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			p.fail(key.Line, key.Column, at, errors.New("a key must be a string"))
			continue
		}
		if first := seen[key.Value]; first != nil {
			p.fail(key.Line, key.Column, at.child(key.Value),
				fmt.Errorf("duplicate key; first given at %s", Position{p.file, first.Line, first.Column}))
			continue
		}
		seen[key.Value] = key
		if child := p.node(n.Content[i+1], at.child(key.Value), depth+1); child != nil {
			out.Entries = append(out.Entries, Entry{key.Value, key.Line, key.Column, child})
		}
	}
	return out
}

func (p *parser) scalar(n *yaml.Node, at *place) *Node {
	out := &Node{Kind: String, Text: n.Value, Line: n.Line, Column: n.Column}
	plain := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if n.Style&yaml.TaggedStyle == 0 && n.Tag != "!" {
		if plain {
			out.Kind = resolve(n.Value)
		}
		return out
	}
	switch n.Tag {
	case "!", "!!str":
		return out
	case "!Env":
		return p.env(out, at)
	case "!!null", "!!bool", "!!int", "!!float":
		out.Kind = resolve(n.Value)
		return out
	}
	p.failTag(n, at)
	return nil
}

func (p *parser) checkTag(n *yaml.Node, at *place, natural string) bool {
	if n.Style&yaml.TaggedStyle == 0 || n.Tag == natural {
		return true
	}
	p.failTag(n, at)
	return false
}

func (p *parser) failTag(n *yaml.Node, at *place) {
	err := fmt.Errorf("unknown tag %s", n.Tag)
	switch n.Tag {
	case "!Map", "!Set", "!Regex", "!PrivateKey", "!X509", "!MailMessage":
		err = fmt.Errorf("tag %s belongs into data files of scripts, not into configuration", n.Tag)
	}
	p.fail(n.Line, n.Column, at, err)
}

// env substitutes the variables of a scalar with the tag !Env. The result gets
// the type that it would have if it were written in the file, except that it is
// a string where only a string can stand.
func (p *parser) env(n *Node, at *place) *Node {
	if p.options.DeferEnv {
		n.Kind, p.waiting = Deferred, true
		return n
	}
	if !p.options.EnvSubstitution {
		p.fail(n.Line, n.Column, at, errors.New("!Env needs --config-env-substitution"))
		return nil
	}
	text, err := expandEnv(n.Text, p.options.lookupEnv())
	if err != nil {
		p.fail(n.Line, n.Column, at, err)
		return nil
	}
	n.Text, n.Kind, n.fromEnv = text, resolve(text), true
	return n
}

// expandEnv replaces each ${NAME} and ${NAME:DEFAULT}.
func expandEnv(text string, lookup func(string) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		inner, after, closed := strings.Cut(rest, "}")
		name, fallback, hasFallback := strings.Cut(inner, ":")
		if !closed || name == "" {
			return "", fmt.Errorf(`want !Env "${NAME}" or !Env "${NAME:DEFAULT}"`)
		}
		value, ok := lookup(name)
		if !ok && !hasFallback {
			return "", fmt.Errorf("environment variable %s is not set and has no default", name)
		}
		if !ok {
			value = fallback
		}
		out.WriteString(value)
		text = after
	}
}
