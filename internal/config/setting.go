package config

import "iter"

// Setting is one thing that can be set in a kind of file.
type Setting struct {
	Path   string // with empty brackets for list items and ".*" for free names
	Schema *Schema
	Status string // "works", "accepted" or "ignored"; see package schema
}

// Settings lists what can be set in a file of a kind, in the order of the
// schema.
func Settings(kind Kind) ([]Setting, error) {
	root, err := SchemaOf(kind)
	if err != nil {
		return nil, err
	}
	status, err := statusOf(kind)
	if err != nil {
		return nil, err
	}
	var all []Setting
	for path, s := range root.Walk() {
		if s.isSetting() {
			all = append(all, Setting{path, s, status[path]})
		}
	}
	return all, nil
}

// Walk yields every property beneath s with its pattern path, parents before
// children, in the order of the schema.
func (s *Schema) Walk() iter.Seq2[string, *Schema] {
	return func(yield func(string, *Schema) bool) { s.walk("", yield) }
}

func (s *Schema) walk(path string, yield func(string, *Schema) bool) bool {
	for _, name := range s.Properties.Names {
		child, below := s.Properties.Schema[name], joinPattern(path, name)
		if !yield(below, child) || !child.walk(below, yield) {
			return false
		}
	}
	if s.Items != nil && !s.Items.walk(path+"[]", yield) {
		return false
	}
	if s.AdditionalProperties != nil && !s.AdditionalProperties.walk(path+".*", yield) {
		return false
	}
	return true
}

// isSetting reports whether a property takes a value itself, rather than only
// holding further properties.
func (s *Schema) isSetting() bool {
	if !s.hasProperties() {
		return true
	}
	for _, t := range s.Type {
		if t != "object" && t != "array" || t == "array" && s.Items != nil && !s.Items.hasProperties() {
			return true
		}
	}
	return false
}

func (s *Schema) hasProperties() bool {
	return len(s.Properties.Names) > 0 ||
		s.Items != nil && s.Items.hasProperties() ||
		s.AdditionalProperties != nil && s.AdditionalProperties.hasProperties()
}
