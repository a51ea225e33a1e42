package data

import (
	"context"
	"errors"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Tag makes a value of a YAML node with a tag of its own.
type Tag func(v value.Value) (value.Value, error)

// Loaders returns what imports data files by their extension: json, yaml, yml,
// csv and txt. The tags, by names such as "!Set", are what YAML files can hold
// besides plain data.
func Loaders(tags map[string]Tag) map[string]value.DataLoader {
	fromYAML := func(_ string, text []byte, _ *value.Array) (value.Data, error) {
		return loaded(func(t *value.Thread) (value.Value, error) { return loadYAML(t, string(text), tags) })
	}
	return map[string]value.DataLoader{
		"json": func(_ string, text []byte, _ *value.Array) (value.Data, error) {
			return loaded(func(t *value.Thread) (value.Value, error) { return parseJSON(t, string(text), true) })
		},
		"yaml": fromYAML,
		"yml":  fromYAML,
		"csv": func(_ string, text []byte, options *value.Array) (value.Data, error) {
			return loaded(func(t *value.Thread) (value.Value, error) {
				rows, err := LoadCSV(t, string(text), options)
				return value.FromArray(rows), err
			})
		},
		"txt": func(_ string, text []byte, options *value.Array) (value.Data, error) {
			if lines, _ := options.GetString("array"); lines.Truth() {
				return value.Data{Value: value.FromArray(value.Strings(Lines(string(text))))}, nil
			}
			return value.Data{Value: value.Bytes(text)}, nil
		},
	}
}

// loaded reads with a thread of its own, which has no limits: data files are
// part of the configuration.
func loaded(read func(t *value.Thread) (value.Value, error)) (value.Data, error) {
	var t value.Thread
	t.Begin(context.Background(), nil, value.Setup{})
	defer t.End()
	v, err := read(&t)
	if errors.Is(err, errSyntax) {
		err = value.Errorf("file is malformed")
	}
	return value.Data{Value: v}, err
}

// Lines returns the lines of a text without their ends. A last line may lack
// one.
func Lines(text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return lines
}

// LoadCSV reads rows by the options of an import.
func LoadCSV(t *value.Thread, text string, options *value.Array) (*value.Array, error) {
	delimiter, header := byte(','), true
	if v, ok := options.GetString("delimiter"); ok {
		if len(v.Text()) != 1 {
			return nil, value.Errorf("option delimiter: want one byte, got %s", v.Text())
		}
		delimiter = v.Text()[0]
	}
	if v, ok := options.GetString("header"); ok {
		header = v.Truth()
	}
	given, _ := options.GetString("schema")
	s, err := schemaOf("csv", given.Array())
	if err != nil {
		return nil, err
	}
	return parseCSV(t, text, delimiter, header, s)
}

func loadYAML(t *value.Thread, text string, tags map[string]Tag) (value.Value, error) {
	r := yamlReader{thread: t, tag: func(name string, v value.Value) (value.Value, bool, error) {
		tag, ok := tags[name]
		if !ok {
			return v, false, nil
		}
		v, err := tag(v)
		return v, true, err
	}}
	return r.read(text)
}
