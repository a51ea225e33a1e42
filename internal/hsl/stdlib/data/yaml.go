package data

import (
	"errors"

	"go.yaml.in/yaml/v4"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func yamlDecode(c *value.Call) (value.Value, error) {
	given := c.Options(1).Array("tags")
	if given != nil {
		given.Retain() // the functions may know the variable that it came from
		defer given.Release()
	}
	r := yamlReader{thread: c.Thread, tag: func(tag string, v value.Value) (value.Value, bool, error) {
		f, ok := given.GetString(tag)
		if !ok {
			return v, false, nil
		}
		v, err := c.Call(f, v)
		return v, true, err
	}}
	v, err := r.read(c.Str(0))
	if errors.Is(err, errSyntax) {
		return value.None, nil
	}
	return v, err
}

// yamlReader turns nodes into values. The library only parses: what aliases
// expand to is charged to the thread, so that a bomb ends the script.
type yamlReader struct {
	thread *value.Thread
	size   int // of what was read, estimated
	growth value.Growth
	// tag is asked about each node with a tag of its own.
	tag func(tag string, v value.Value) (value.Value, bool, error)
}

func (r *yamlReader) read(text string) (value.Value, error) {
	if err := r.thread.Alloc(4 * len(text)); err != nil {
		return value.None, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return value.None, errSyntax
	}
	if len(document.Content) == 0 {
		return value.None, nil
	}
	return r.value(document.Content[0], 0)
}

func (r *yamlReader) value(n *yaml.Node, depth int) (value.Value, error) {
	if depth == deepest {
		return value.None, errSyntax
	}
	if err := r.charge(n); err != nil {
		return value.None, err
	}
	if n.Kind == yaml.AliasNode {
		return r.value(n.Alias, depth+1)
	}
	v, err := r.untagged(n, depth)
	if err != nil || !ownTag(n) {
		return v, err
	}
	tagged, known, err := r.tag(n.Tag, v)
	if !known {
		return v, err
	}
	return tagged, err
}

// charge accounts for one node.
func (r *yamlReader) charge(n *yaml.Node) error {
	r.size += elementSize
	if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
		r.size += arraySize + len(n.Content)/2*keyedSize
	}
	if err := r.growth.To(r.thread, r.size); err != nil {
		return err
	}
	return r.thread.Step(1)
}

// ownTag reports whether the node has a tag that is not of YAML itself.
func ownTag(n *yaml.Node) bool {
	return len(n.Tag) > 1 && n.Tag[0] == '!' && n.Tag[1] != '!'
}

func (r *yamlReader) untagged(n *yaml.Node, depth int) (value.Value, error) {
	switch n.Kind {
	case yaml.SequenceNode:
		list := value.NewArray(len(n.Content))
		for _, e := range n.Content {
			v, err := r.value(e, depth+1)
			if err != nil {
				return value.None, err
			}
			list.Push(v)
		}
		return value.FromArray(list), nil
	case yaml.MappingNode:
		a := value.NewArray(0)
		return value.FromArray(a), r.mapping(a, n, depth)
	}
	return scalar(n)
}

func (r *yamlReader) mapping(a *value.Array, n *yaml.Node, depth int) error {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, content := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" {
			if err := r.merge(a, content, depth+1); err != nil {
				return err
			}
			continue
		}
		k, err := r.value(key, depth+1)
		if err != nil {
			return err
		}
		v, err := r.value(content, depth+1)
		if err != nil {
			return err
		}
		a.Put(k, v)
	}
	return nil
}

// merge adds what a "<<" names, a mapping or several: what is there stays, and
// what comes later in the mapping itself replaces it.
func (r *yamlReader) merge(a *value.Array, n *yaml.Node, depth int) error {
	v, err := r.value(n, depth)
	if err != nil {
		return err
	}
	sources := value.List(v)
	if n.Kind == yaml.SequenceNode {
		sources = v.Array()
	}
	for source := range sources.Values() {
		if !source.IsArray() {
			return errSyntax
		}
		for k, v := range source.Array().All() {
			if !a.Has(k) {
				a.Set(k, v)
			}
		}
	}
	return nil
}

// scalar resolves a scalar by the core schema: what is no number, boolean or
// null is a string. A scalar with a tag of its own is its text.
func scalar(n *yaml.Node) (value.Value, error) {
	switch n.ShortTag() {
	case "!!null":
		return value.None, nil
	case "!!bool":
		var b bool
		if n.Decode(&b) != nil {
			return value.None, errSyntax
		}
		return value.Boolean(b), nil
	case "!!int", "!!float":
		var f float64
		if n.Decode(&f) != nil {
			return value.None, errSyntax
		}
		return value.Number(f), nil
	case "!!binary":
		var s string
		if n.Decode(&s) != nil {
			return value.None, errSyntax
		}
		return value.String(s), nil
	}
	return value.String(n.Value), nil
}
