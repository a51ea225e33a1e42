package data

import (
	"errors"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// delimiterOf returns the one byte that the option has to be.
func delimiterOf(c *value.Call, o value.Options) (byte, error) {
	d := o.Str("delimiter")
	if len(d) != 1 || strings.Contains("\"\r\n", d) {
		return 0, declare.UnwantedOption(c, "delimiter", "one byte that is no quote and no end of line", o.Get("delimiter"))
	}
	return d[0], nil
}

func csvEncode(c *value.Call) (value.Value, error) {
	delimiter, err := delimiterOf(c, c.Options(1))
	if err != nil {
		return value.None, err
	}
	var b []byte
	var growth value.Growth
	first := true
	for v := range c.Array(0).Values() {
		if !first {
			b = append(b, delimiter)
		}
		first = false
		text, err := c.AppendText(nil, v)
		if err != nil {
			return value.None, err
		}
		b = appendField(b, string(text), delimiter)
		if err := growth.To(c.Thread, len(b)); err != nil {
			return value.None, err
		}
	}
	return declare.Bytes(c, b)
}

// appendField appends a field, quoted if it has to be (RFC 4180 §2) or holds a
// space.
func appendField(b []byte, field string, delimiter byte) []byte {
	if !strings.ContainsAny(field, "\" \r\n") && strings.IndexByte(field, delimiter) < 0 {
		return append(b, field...)
	}
	b = append(b, '"')
	b = append(b, strings.ReplaceAll(field, `"`, `""`)...)
	return append(b, '"')
}

func csvDecode(c *value.Call) (value.Value, error) {
	o := c.Options(1)
	delimiter, err := delimiterOf(c, o)
	if err != nil {
		return value.None, err
	}
	s, err := schemaOf(c.Builtin.Name, o.Array("schema"))
	if err != nil {
		return value.None, err
	}
	rows, err := parseCSV(c.Thread, c.Str(0), delimiter, o.Bool("header"), s)
	if errors.Is(err, errSyntax) {
		return value.None, nil
	}
	return value.FromArray(rows), err
}

// parseCSV reads a whole text. The thread, which may be nil, pays.
func parseCSV(t *value.Thread, text string, delimiter byte, header bool, s schema) (*value.Array, error) {
	r := csvReader{thread: t, whole: text, rest: text, delimiter: delimiter}
	rows := value.NewArray(0)
	var names []string
	var growth value.Growth
	size := 0
	for {
		fields, err := r.row()
		if err != nil || fields == nil {
			return rows, err
		}
		if header && names == nil {
			names = fields
			continue
		}
		row, err := s.row(names, fields)
		if err != nil {
			return nil, err
		}
		rows.Push(value.FromArray(row))
		size += row.Size() + elementSize
		for _, field := range fields {
			size += len(field)
		}
		if err := growth.To(t, size); err != nil {
			return nil, err
		}
	}
}

// csvReader takes rows off the front of a text.
type csvReader struct {
	thread    *value.Thread
	whole     string
	rest      string // what remains
	delimiter byte
}

// row returns the fields of the next line that is not blank, or nil at the end.
func (r *csvReader) row() ([]string, error) {
	for r.rest != "" && (r.rest[0] == '\n' || strings.HasPrefix(r.rest, "\r\n")) {
		r.rest = r.rest[strings.IndexByte(r.rest, '\n')+1:]
	}
	if r.rest == "" {
		return nil, nil
	}
	var fields []string
	for {
		if err := r.thread.Step(1); err != nil {
			return nil, err
		}
		field, err := r.field()
		if err != nil {
			return nil, err
		}
		fields = append(fields, value.Part(r.whole, field).Str())
		if r.rest == "" || r.rest[0] != r.delimiter {
			break
		}
		r.rest = r.rest[1:]
	}
	r.rest = strings.TrimPrefix(r.rest, "\r")
	r.rest = strings.TrimPrefix(r.rest, "\n")
	return fields, nil
}

// field takes one field and stands at what ends it: the delimiter, an end of
// line or the end of the text.
func (r *csvReader) field() (string, error) {
	if strings.HasPrefix(r.rest, `"`) {
		return r.quoted()
	}
	for i := range len(r.rest) {
		c := r.rest[i]
		if c == r.delimiter || c == '\n' || strings.HasPrefix(r.rest[i:], "\r\n") {
			field := r.rest[:i]
			r.rest = r.rest[i:]
			return field, nil
		}
	}
	field := strings.TrimSuffix(r.rest, "\r")
	r.rest = ""
	return field, nil
}

func (r *csvReader) quoted() (string, error) {
	r.rest = r.rest[1:]
	var b []byte
	for {
		part, rest, found := strings.Cut(r.rest, `"`)
		if !found {
			return "", errSyntax
		}
		b, r.rest = append(b, part...), rest
		if !strings.HasPrefix(r.rest, `"`) {
			break
		}
		b, r.rest = append(b, '"'), r.rest[1:]
	}
	if r.rest != "" && r.rest[0] != r.delimiter && r.rest[0] != '\n' && r.rest[0] != '\r' {
		return "", errSyntax
	}
	return string(b), r.thread.Alloc(len(b))
}
