package config

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Set stores value under a path of mappings such as "scripting.files", making
// what is missing on the way. It changes the text that YAML returns, not Root.
// Anchors beneath the old value are lost, comments and tags elsewhere stay.
func (d *Document) Set(path string, value any) error {
	var node yaml.Node
	if err := node.Encode(value); err != nil {
		return fmt.Errorf("config: %s: %s: %w", d.File, path, err)
	}
	at := d.raw.Content[0]
	keys := strings.Split(path, ".")
	for _, key := range keys[:len(keys)-1] {
		next := rawGet(at, key)
		if next == nil {
			next = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			rawPut(at, key, next)
		}
		if next.Kind == yaml.AliasNode {
			next = next.Alias
		}
		next.Style &^= yaml.FlowStyle // scripts need block style
		at = next
	}
	rawPut(at, keys[len(keys)-1], &node)
	return nil
}

// Delete removes the value under a path of mappings from the text that YAML
// returns, and mappings that this leaves empty.
func (d *Document) Delete(path string) {
	rawDelete(d.raw.Content[0], strings.Split(path, "."))
}

// YAML returns the document as text.
func (d *Document) YAML() ([]byte, error) {
	var out bytes.Buffer
	dumper, err := yaml.NewDumper(&out, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", d.File, err)
	}
	if err := dumper.Dump(d.raw); err != nil {
		return nil, fmt.Errorf("config: %s: %w", d.File, err)
	}
	if err := dumper.Close(); err != nil {
		return nil, fmt.Errorf("config: %s: %w", d.File, err)
	}
	return out.Bytes(), nil
}

func rawGet(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func rawPut(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = value
			return
		}
	}
	n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

// rawDelete reports whether n is empty afterwards.
func rawDelete(n *yaml.Node, path []string) bool {
	if n.Kind != yaml.MappingNode {
		return false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != path[0] {
			continue
		}
		if len(path) == 1 || rawDelete(n.Content[i+1], path[1:]) {
			n.Content = append(n.Content[:i], n.Content[i+2:]...)
		}
		break
	}
	return len(n.Content) == 0
}
