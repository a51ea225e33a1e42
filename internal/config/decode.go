package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// NodeDecoder is a type that reads itself from a node, for values that may have
// several forms. The node has already been checked against the schema.
type NodeDecoder interface {
	DecodeNode(*Node) error
}

// decoder fills structs from a file that has been checked. What the file leaves
// out gets the default of the schema, unless it is Optional.
//
// A struct field takes the key that its `yaml` tag names; "-" takes none. An
// embedded struct shares the mapping that it stands in. A slice takes a scalar
// for a list of one.
type decoder struct {
	file   string
	layout Layout
}

func (d *decoder) decode(v reflect.Value, n *Node, s *Schema) error {
	if n == nil {
		return d.absent(v, s)
	}
	return d.present(v, n, s, false)
}

// absent fills in defaults.
func (d *decoder) absent(v reflect.Value, s *Schema) error {
	if _, ok := v.Addr().Interface().(optional); ok {
		return nil
	}
	if s.Default != nil {
		n, err := jsonNode(s.Default)
		if err != nil {
			return err
		}
		return d.present(v, n, s, true)
	}
	if v.Kind() == reflect.Struct && s.Scalar == "" && len(s.Properties.Names) > 0 {
		return d.fields(v, &Node{Kind: Map}, s)
	}
	return nil
}

func (d *decoder) present(v reflect.Value, n *Node, s *Schema, fallback bool) error {
	if o, ok := v.Addr().Interface().(optional); ok {
		return d.present(reflect.ValueOf(o.target()).Elem(), n, s, fallback)
	}
	if special, ok := v.Addr().Interface().(NodeDecoder); ok {
		return special.DecodeNode(n)
	}
	if s.Scalar != "" {
		return d.scalar(v, n, s, fallback)
	}
	switch v.Kind() {
	case reflect.Struct:
		return d.fields(v, n, s)
	case reflect.Slice:
		return d.list(v, n, s, fallback)
	case reflect.Map:
		return d.mapping(v, n, s)
	default:
		return setPlain(v, n)
	}
}

// scalar sets a value that the schema gives one of our scalar types. A string
// takes the text as it stands in the file.
func (d *decoder) scalar(v reflect.Value, n *Node, s *Schema, fallback bool) error {
	parsed, err := scalarTypes[s.Scalar](n)
	if err != nil {
		return err
	}
	if path, ok := parsed.(string); ok && s.Scalar == "path" {
		if fallback {
			parsed = d.layout.Path(path)
		} else {
			parsed = anchor(path, d.file)
		}
	}
	value := reflect.ValueOf(parsed)
	if v.Kind() == reflect.String && value.Kind() != reflect.String {
		v.SetString(n.Text)
		return nil
	}
	if !value.Type().ConvertibleTo(v.Type()) {
		return fmt.Errorf("config: %s does not hold a %s", v.Type(), s.Scalar)
	}
	v.Set(value.Convert(v.Type()))
	return nil
}

// fields fills a struct from a mapping.
func (d *decoder) fields(v reflect.Value, n *Node, s *Schema) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous {
			if err := d.fields(v.Field(i), n, s); err != nil {
				return err
			}
			continue
		}
		key := fieldKey(field)
		if key == "" {
			continue
		}
		property := s.Properties.Get(key)
		if property == nil {
			return fmt.Errorf("config: %s.%s: the schema has no %q", v.Type(), field.Name, key)
		}
		if err := d.decode(v.Field(i), n.Get(key), property); err != nil {
			return err
		}
	}
	return nil
}

// fieldKey returns the key of a struct field, or "" when it has none.
func fieldKey(field reflect.StructField) string {
	tag := field.Tag.Get("yaml")
	if tag == "-" || !field.IsExported() {
		return ""
	}
	return tag
}

func (d *decoder) list(v reflect.Value, n *Node, s *Schema, fallback bool) error {
	items, schema := n.Items, s.Items
	if n.Kind != List {
		alone := *s
		alone.Items = nil
		items, schema = []*Node{n}, &alone
	}
	if schema == nil {
		schema = &Schema{}
	}
	list := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		if err := d.present(list.Index(i), item, schema, fallback); err != nil {
			return err
		}
	}
	v.Set(list)
	return nil
}

func (d *decoder) mapping(v reflect.Value, n *Node, s *Schema) error {
	m := reflect.MakeMapWithSize(v.Type(), len(n.Entries))
	for _, e := range n.Entries {
		schema := s.Properties.Get(e.Key)
		if schema == nil {
			schema = s.AdditionalProperties
		}
		if schema == nil {
			schema = &Schema{}
		}
		value := reflect.New(v.Type().Elem()).Elem()
		if err := d.present(value, e.Value, schema, false); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(e.Key), value)
	}
	v.Set(m)
	return nil
}

// setPlain sets a boolean, a number, a string, or an interface.
func setPlain(v reflect.Value, n *Node) error {
	value := n.Value()
	if v.Kind() == reflect.Interface {
		if value != nil {
			v.Set(reflect.ValueOf(value))
		}
		return nil
	}
	switch x := value.(type) {
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return nil
		}
	case string:
		if v.Kind() == reflect.String {
			v.SetString(x)
			return nil
		}
	case int64:
		return setInt(v, x)
	case float64:
		if v.CanFloat() {
			v.SetFloat(x)
			return nil
		}
	}
	return fmt.Errorf("config: %s does not hold %s", v.Type(), n.got())
}

func setInt(v reflect.Value, x int64) error {
	switch {
	case v.CanInt() && !v.OverflowInt(x):
		v.SetInt(x)
	case v.CanUint() && x >= 0 && !v.OverflowUint(uint64(x)):
		v.SetUint(uint64(x))
	case v.CanFloat():
		v.SetFloat(float64(x))
	default:
		return fmt.Errorf("config: %s does not hold %d", v.Type(), x)
	}
	return nil
}

// jsonNode turns a default of a schema into a node.
func jsonNode(data json.RawMessage) (*Node, error) {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("config: default %s: %w", data, err)
	}
	return plainNode(value), nil
}

func plainNode(value any) *Node {
	switch x := value.(type) {
	case bool:
		return &Node{Kind: Bool, Text: fmt.Sprint(x)}
	case json.Number:
		return &Node{Kind: resolve(x.String()), Text: x.String()}
	case string:
		return &Node{Kind: String, Text: x}
	case []any:
		n := &Node{Kind: List}
		for _, item := range x {
			n.Items = append(n.Items, plainNode(item))
		}
		return n
	default:
		return &Node{Kind: Null}
	}
}
