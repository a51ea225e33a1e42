package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/config/schema"
)

// Schema is one of our JSON Schemas (draft-07), or a part of one. It knows the
// keywords that our files use and no others; a test refuses more. References
// are followed when a schema is loaded, so that Ref is empty afterwards.
//
// The annotations whose names begin with "x-" are ours. Other programs skip
// them, and find the same rules in the standard keywords beside them.
type Schema struct {
	Draft                string          `json:"$schema"`
	ID                   string          `json:"$id"`
	Ref                  string          `json:"$ref"`
	Title                string          `json:"title"`
	Description          string          `json:"description"`
	Default              json.RawMessage `json:"default"`
	Type                 TypeSet         `json:"type"`
	Format               string          `json:"format"`
	Enum                 []any           `json:"enum"`
	Pattern              string          `json:"pattern"`
	MinLength            *int            `json:"minLength"`
	MaxLength            *int            `json:"maxLength"`
	Minimum              *float64        `json:"minimum"`
	Maximum              *float64        `json:"maximum"`
	Properties           Properties      `json:"properties"`
	Required             []string        `json:"required"`
	AdditionalProperties *Schema         `json:"additionalProperties"`
	PropertyNames        *Schema         `json:"propertyNames"`
	MinProperties        *int            `json:"minProperties"`
	MaxProperties        *int            `json:"maxProperties"`
	Items                *Schema         `json:"items"`
	MinItems             *int            `json:"minItems"`
	OneOf                []*Schema       `json:"oneOf"` // alternatives that only require keys, or forms of a scalar
	AnyOf                []*Schema       `json:"anyOf"` // likewise
	Not                  *Schema         `json:"not"`   // keys that exclude each other
	Definitions          Properties      `json:"definitions"`

	Scalar   string `json:"x-type"`     // a scalar type of ours: "duration", "size", …
	Expected string `json:"x-expected"` // what Pattern means, in words
	Unique   string `json:"x-unique"`   // the key that tells the items of a list apart
	MovedTo  string `json:"x-moved-to"` // older spelling of this path, taken from the same mapping
	Absent   string `json:"x-default"`  // what holds when the key is absent, where no value says it
	Own      bool   `json:"x-own"`      // an extension of ours
	Secret   bool   `json:"x-secret"`   // messages must not show the value

	never bool // the schema false, which nothing satisfies
}

// UnmarshalJSON reads a schema, which may be one of the words true and false.
func (s *Schema) UnmarshalJSON(data []byte) error {
	type plain Schema
	switch string(bytes.TrimSpace(data)) {
	case "true":
		return nil
	case "false":
		s.never = true
		return nil
	}
	return json.Unmarshal(data, (*plain)(s))
}

// TypeSet holds the JSON types that a value may have; empty means any.
type TypeSet []string

// UnmarshalJSON reads one type or a list of them.
func (t *TypeSet) UnmarshalJSON(data []byte) error {
	if bytes.HasPrefix(data, []byte{'['}) {
		return json.Unmarshal(data, (*[]string)(t))
	}
	*t = make(TypeSet, 1)
	return json.Unmarshal(data, &(*t)[0])
}

// Has reports whether values may be of a type.
func (t TypeSet) Has(name string) bool {
	for _, one := range t {
		if one == name {
			return true
		}
	}
	return len(t) == 0
}

// Properties maps names to schemas and keeps the order of the file.
type Properties struct {
	Names  []string
	Schema map[string]*Schema
}

// UnmarshalJSON reads an object of schemas.
func (p *Properties) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	p.Schema = map[string]*Schema{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var s Schema
		if err := d.Decode(&s); err != nil {
			return fmt.Errorf("%v: %w", name, err)
		}
		p.Names = append(p.Names, name.(string))
		p.Schema[name.(string)] = &s
	}
	return nil
}

// Get returns the schema of a name, or nil.
func (p Properties) Get(name string) *Schema { return p.Schema[name] }

var schemas struct {
	mu     sync.Mutex
	loaded map[Kind]*Schema
	common *Schema
}

// SchemaOf returns the schema of a kind with all references followed. It is
// parsed at first use, in three milliseconds at most, and must not be changed. It is
// safe for concurrent use.
func SchemaOf(kind Kind) (*Schema, error) {
	schemas.mu.Lock()
	defer schemas.mu.Unlock()
	if s := schemas.loaded[kind]; s != nil {
		return s, nil
	}
	if schemas.common == nil {
		common, err := readSchema(schema.Common)
		if err != nil {
			return nil, err
		}
		schemas.common = common
		schemas.loaded = map[Kind]*Schema{}
	}
	s, err := readSchema(string(kind) + ".json")
	if err != nil {
		return nil, err
	}
	r := resolver{root: s, common: schemas.common}
	r.follow(s, 0)
	if r.err != nil {
		return nil, fmt.Errorf("config: schema of %s: %w", kind, r.err)
	}
	schemas.loaded[kind] = s
	return s, nil
}

func readSchema(name string) (*Schema, error) {
	data, err := schema.Files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("config: no schema: %w", err)
	}
	s := new(Schema)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("config: schema %s: %w", name, err)
	}
	return s, nil
}

// resolver puts what references point to in their place.
type resolver struct {
	root, common *Schema
	err          error
}

// follow resolves s and what is beneath it. What a schema says beside its
// reference is annotation and goes over that of the target.
func (r *resolver) follow(s *Schema, depth int) {
	if s == nil || r.err != nil {
		return
	}
	if depth > maxDepth {
		r.err = fmt.Errorf("endless reference %s", s.Ref)
		return
	}
	if s.Ref != "" {
		r.replace(s)
	}
	for _, name := range s.Properties.Names {
		child := s.Properties.Schema[name]
		child.Own = child.Own || s.Own
		r.follow(child, depth+1)
	}
	if s.Items != nil {
		s.Items.Own = s.Items.Own || s.Own
		s.Items.Secret = s.Items.Secret || s.Secret
	}
	r.follow(s.Items, depth+1)
	r.follow(s.AdditionalProperties, depth+1)
}

func (r *resolver) replace(s *Schema) {
	target := r.target(s.Ref)
	if target == nil {
		r.err = fmt.Errorf("no definition %s", s.Ref)
		return
	}
	own := *s
	*s = *target.clone()
	if own.Description != "" {
		s.Description = own.Description
	}
	if own.Default != nil {
		s.Default = own.Default
	}
	s.Absent, s.MovedTo, s.Own = own.Absent, own.MovedTo, own.Own
	s.Secret = s.Secret || own.Secret
	if s.Ref != "" { // a definition that is itself a reference
		r.replace(s)
	}
}

func (r *resolver) target(ref string) *Schema {
	file, name, found := strings.Cut(ref, "#/definitions/")
	switch {
	case !found:
		return nil
	case file == "":
		if s := r.root.Definitions.Get(name); s != nil {
			return s
		}
		return r.common.Definitions.Get(name)
	case file == schema.Common:
		return r.common.Definitions.Get(name)
	}
	return nil
}

// clone copies s as deep as follow changes it.
func (s *Schema) clone() *Schema {
	if s == nil {
		return nil
	}
	c := *s
	c.Items, c.AdditionalProperties = s.Items.clone(), s.AdditionalProperties.clone()
	if s.Properties.Schema != nil {
		c.Properties.Schema = make(map[string]*Schema, len(s.Properties.Schema))
		for name, child := range s.Properties.Schema {
			c.Properties.Schema[name] = child.clone()
		}
	}
	return &c
}
