package data

import (
	"slices"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// schema says of each column what its texts mean.
type schema map[string]column

// column is one entry of a schema.
type column struct {
	kind  string   // string, boolean or number
	none  []string // texts that mean none
	true  []string // texts that mean true, and false
	false []string
}

// schemaOf reads the schema of an options array, which may be nil.
func schemaOf(function string, given *value.Array) (schema, error) {
	s := schema{}
	for name, v := range given.All() {
		col, err := columnOf(v.Array())
		if err != nil {
			return nil, value.Errorf("%s: option schema: column %s: %v", function, name.Text(), err)
		}
		s[name.Text()] = col
	}
	return s, nil
}

func columnOf(a *value.Array) (column, error) {
	col := column{kind: "string", true: []string{"true"}, false: []string{"false"}}
	if a == nil {
		return col, value.Errorf("want an array")
	}
	if v, ok := a.GetString("type"); ok {
		col.kind = v.Text()
	}
	if !slices.Contains([]string{"string", "boolean", "number"}, col.kind) {
		return col, value.Errorf("want type string, boolean or number, got %q", col.kind)
	}
	if v, _ := a.GetString("nullable"); v.IsArray() {
		col.none = texts(v.Array())
	} else if v.Truth() {
		col.none = []string{""}
	}
	if v, _ := a.GetString("true"); v.IsArray() {
		col.true = texts(v.Array())
	}
	if v, _ := a.GetString("false"); v.IsArray() {
		col.false = texts(v.Array())
	}
	return col, nil
}

func texts(a *value.Array) []string {
	list := make([]string, 0, a.Len())
	for v := range a.Values() {
		list = append(list, v.Text())
	}
	return list
}

// row returns the fields by name, or as a list when there are no names. A field
// that the line lacks is none; one without a name is left out.
func (s schema) row(names, fields []string) (*value.Array, error) {
	if names == nil {
		row := value.NewArray(len(fields))
		for i, field := range fields {
			v, err := s.value(value.Int(i).Text(), field)
			if err != nil {
				return nil, err
			}
			row.Push(v)
		}
		return row, nil
	}
	row := value.NewArray(0)
	for i, name := range names {
		v := value.None
		if i < len(fields) {
			var err error
			if v, err = s.value(name, fields[i]); err != nil {
				return nil, err
			}
		}
		row.Put(value.String(name), v)
	}
	return row, nil
}

// value converts the text of a column.
func (s schema) value(name, text string) (value.Value, error) {
	col, known := s[name]
	switch {
	case !known:
		return value.String(text), nil
	case slices.Contains(col.none, text):
		return value.None, nil
	case col.kind == "string":
		return value.String(text), nil
	case col.kind == "number":
		if f, ok := value.ParseNumber(text); ok {
			return value.Number(f), nil
		}
	case slices.Contains(col.true, text):
		return value.True, nil
	case slices.Contains(col.false, text):
		return value.False, nil
	}
	return value.None, errSyntax
}
