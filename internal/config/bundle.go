package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/config/schema"
)

// SchemaText returns the JSON Schema of a kind as one file that needs no other,
// for editors and validators. Our annotations, whose names begin with "x-", are
// left in: other programs skip them.
func SchemaText(kind Kind) ([]byte, error) {
	main, err := readObject(string(kind) + ".json")
	if err != nil {
		return nil, fmt.Errorf("config: there is no kind %q of file", kind)
	}
	common, err := readObject(schema.Common)
	if err != nil {
		return nil, err
	}
	definitions, err := merge(main.get("definitions"), common.get("definitions"), main)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(main.with("definitions", definitions))
	if err != nil {
		return nil, fmt.Errorf("config: schema of %s: %w", kind, err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return nil, fmt.Errorf("config: schema of %s: %w", kind, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// object is a JSON object in the order of its file.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// readObject reads a schema file, with references to common definitions made
// into local ones.
func readObject(name string) (object, error) {
	data, err := schema.Files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	var o object
	local := bytes.ReplaceAll(data, []byte(schema.Common+"#/definitions/"), []byte("#/definitions/"))
	if err := json.Unmarshal(local, &o); err != nil {
		return nil, fmt.Errorf("config: schema %s: %w", name, err)
	}
	return o, nil
}

// UnmarshalJSON reads the members in order.
func (o *object) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		*o = append(*o, member{name.(string), value})
	}
	return nil
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, "%q:%s", m.name, m.value)
	}
	return append(out, '}'), nil
}

func (o object) get(name string) json.RawMessage {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// with returns o with a member replaced, or added at the end.
func (o object) with(name string, value json.RawMessage) object {
	kept := slices.DeleteFunc(slices.Clone(o), func(m member) bool { return m.name == name })
	return append(kept, member{name, value})
}

var localReference = lazyRegexp(`"#/definitions/([a-z]+)"`)

// merge returns the definitions that main needs: its own, and those of the
// common ones that it or they refer to.
func merge(own, common json.RawMessage, main object) (json.RawMessage, error) {
	var have, available object
	if own != nil {
		if err := json.Unmarshal(own, &have); err != nil {
			return nil, fmt.Errorf("config: definitions: %w", err)
		}
	}
	if err := json.Unmarshal(common, &available); err != nil {
		return nil, fmt.Errorf("config: definitions: %w", err)
	}
	text, err := json.Marshal(main)
	if err != nil {
		return nil, fmt.Errorf("config: definitions: %w", err)
	}
	for missing := references(text); len(missing) > 0; {
		name := missing[0]
		missing = missing[1:]
		if have.get(name) == nil {
			value := available.get(name)
			have = append(have, member{name, value})
			missing = append(missing, references(value)...)
		}
	}
	return json.Marshal(have)
}

func references(text []byte) []string {
	var names []string
	for _, match := range localReference().FindAllSubmatch(text, -1) {
		names = append(names, string(match[1]))
	}
	return names
}
