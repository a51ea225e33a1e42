package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checker walks a file and its schema side by side and notes every mistake with
// its place. It obeys the keywords that Schema knows.
type checker struct {
	file   string
	status map[string]string // by pattern path; see status.yaml
	errors Errors
	set    []Warning       // settings in the file that are not obeyed
	noted  map[string]bool // those already in set
}

func (c *checker) fail(n *Node, at *place, format string, args ...any) {
	c.failAt(n.Line, n.Column, at, format, args...)
}

func (c *checker) failAt(line, column int, at *place, format string, args ...any) {
	if len(c.errors) < maxErrors {
		c.errors = append(c.errors, &Error{Position{c.file, line, column}, at.String(), fmt.Errorf(format, args...)})
	}
}

// check reports whether n satisfies s.
func (c *checker) check(n *Node, s *Schema, at *place, pattern string) {
	if n.fromEnv && s.Type.Has("string") && !s.accepts(n) {
		n.Kind = String // a password of digits, say
	}
	switch {
	case n.Kind == Deferred:
	case s.Scalar != "":
		if err := checkScalar(n, s); err != nil {
			c.fail(n, at, "%w", err)
		}
	case !s.accepts(n):
		c.fail(n, at, "want %s, got %s", s.want(), s.got(n))
	case n.Kind == Map:
		c.checkMap(n, s, at, pattern)
	case n.Kind == List:
		c.checkList(n, s, at, pattern)
	default:
		c.checkValue(n, s, at)
	}
}

// jsonType is what JSON Schema calls the type of n.
func (n *Node) jsonType() string {
	return [...]string{"null", "boolean", "integer", "number", "string", "array", "object", "string"}[n.Kind]
}

// accepts reports whether the type of n is one of those of s.
func (s *Schema) accepts(n *Node) bool {
	return s.Type.Has(n.jsonType()) || n.Kind == Int && s.Type.Has("number")
}

// got describes a value in a message, unless it is secret.
func (s *Schema) got(n *Node) string {
	if s.Secret {
		return n.Kind.String()
	}
	return n.got()
}

// got describes a value without repeating a long one.
func (n *Node) got() string {
	switch n.Kind {
	case List, Map, Null:
		return n.Kind.String()
	case String:
		return "the string " + strconv.Quote(shorten(n.Text))
	default:
		return shorten(n.Text)
	}
}

func shorten(s string) string {
	if utf8.RuneCountInString(s) <= 40 {
		return s
	}
	return string([]rune(s)[:39]) + "…"
}

// want describes what s accepts.
func (s *Schema) want() string {
	if len(s.Enum) > 0 {
		return wantEnum(s.Enum)
	}
	names := map[string]string{
		"boolean": "true or false", "integer": "an integer", "number": "a number", "string": "a string",
		"array": "a list", "object": "a mapping", "null": "nothing",
	}
	var words []string
	for _, t := range s.Type {
		words = append(words, names[t])
	}
	return strings.Join(words, " or ")
}

func wantEnum(enum []any) string {
	words := make([]string, len(enum))
	for i, v := range enum {
		words[i] = fmt.Sprint(v)
		if text, ok := v.(string); ok && text == "" {
			words[i] = `""`
		}
	}
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}

// checkValue checks a boolean, number or string.
func (c *checker) checkValue(n *Node, s *Schema, at *place) {
	if len(s.Enum) > 0 && !slices.ContainsFunc(s.Enum, n.equals) {
		c.failEnum(n, s, at)
		return
	}
	switch n.Kind {
	case Int, Float:
		c.checkNumber(n, s, at)
	case String:
		c.checkString(n, s, at)
	}
}

func (n *Node) equals(v any) bool {
	switch value := n.Value().(type) {
	case int64:
		return v == float64(value) // as encoding/json reads numbers
	default:
		return v == value
	}
}

func (c *checker) failEnum(n *Node, s *Schema, at *place) {
	var words []string
	for _, v := range s.Enum {
		words = append(words, fmt.Sprint(v))
	}
	if near := nearest(n.Text, words); near != "" && n.Kind == String {
		c.fail(n, at, "want %s, got %s; did you mean %q?", s.want(), s.got(n), near)
		return
	}
	c.fail(n, at, "want %s, got %s", s.want(), s.got(n))
}

func (c *checker) checkNumber(n *Node, s *Schema, at *place) {
	value := n.float()
	if n.Kind == Int {
		i, ok := n.Int()
		if !ok {
			c.fail(n, at, "the number %s is too large", shorten(n.Text))
			return
		}
		value = float64(i)
	}
	switch {
	case s.Minimum != nil && !(value >= *s.Minimum):
		c.fail(n, at, "want at least %v, got %s", *s.Minimum, n.Text)
	case s.Maximum != nil && !(value <= *s.Maximum):
		c.fail(n, at, "want at most %v, got %s", *s.Maximum, n.Text)
	}
}

func (c *checker) checkString(n *Node, s *Schema, at *place) {
	length := utf8.RuneCountInString(n.Text)
	switch {
	case s.MinLength != nil && length < *s.MinLength:
		c.fail(n, at, "must not be empty")
	case s.MaxLength != nil && length > *s.MaxLength:
		c.fail(n, at, "longer than %d characters", *s.MaxLength)
	case s.Pattern != "" && !s.matches(n.Text):
		c.fail(n, at, "want %s, got %s", s.Expected, s.got(n))
	}
}

// matches applies Pattern, which is in the syntax that Go and ECMA 262 share.
// Patterns are few and short, and a file seldom uses one twice.
func (s *Schema) matches(text string) bool {
	return lazyRegexp(s.Pattern)().MatchString(text)
}

func (c *checker) checkList(n *Node, s *Schema, at *place, pattern string) {
	if s.MinItems != nil && len(n.Items) < *s.MinItems {
		c.fail(n, at, "want at least %d, got %d", *s.MinItems, len(n.Items))
	}
	if s.Items != nil {
		below := pattern + "[]"
		for i, item := range n.Items {
			c.check(item, s.Items, at.at(i), below)
		}
	}
	if s.Unique != "" {
		c.checkUnique(n, s.Unique, at)
	}
}

// checkUnique compares one key of all items of a list.
func (c *checker) checkUnique(n *Node, key string, at *place) {
	seen := make(map[string]*Node, len(n.Items))
	for i, item := range n.Items {
		id := item.Get(key)
		if id == nil || id.Kind == Deferred {
			continue
		}
		if first := seen[id.Text]; first != nil {
			c.fail(id, at.at(i).child(key), "duplicate %s %q; first given at %s",
				key, id.Text, Position{c.file, first.Line, first.Column})
			continue
		}
		seen[id.Text] = id
	}
}

func (c *checker) checkMap(n *Node, s *Schema, at *place, pattern string) {
	for _, e := range n.Entries {
		if at == nil && e.Key == versionKey {
			continue // checked by itself
		}
		if property := s.Properties.Get(e.Key); property != nil {
			below := joinPattern(pattern, e.Key)
			c.note(e, below)
			c.check(e.Value, property, at.child(e.Key), below)
			continue
		}
		c.checkExtra(e, s, at, pattern)
	}
	c.checkKeys(n, s, at)
}

func joinPattern(pattern, key string) string {
	if pattern == "" {
		return key
	}
	return pattern + "." + key
}

// note remembers a setting that has no effect, once for all of its places.
func (c *checker) note(e Entry, pattern string) {
	status := c.status[pattern]
	if status != statusAccepted && status != statusIgnored || c.noted[pattern] {
		return
	}
	if c.noted == nil {
		c.noted = map[string]bool{}
	}
	c.noted[pattern] = true
	concern := NotObeyed
	if status == statusIgnored {
		concern = Meaningless
	}
	c.set = append(c.set, Warning{Position: Position{c.file, e.Line, e.Column}, Concern: concern, Path: pattern})
}

// checkExtra checks a key that is not among the properties.
func (c *checker) checkExtra(e Entry, s *Schema, at *place, pattern string) {
	if s.AdditionalProperties == nil {
		return
	}
	if s.AdditionalProperties.never {
		c.failUnknown(e, s.Properties.Names, at)
		return
	}
	if names := s.PropertyNames; names != nil {
		if len(names.Enum) > 0 && !slices.Contains(names.Enum, any(e.Key)) {
			c.failUnknown(e, names.names(), at)
			return
		}
		if names.Pattern != "" && !names.matches(e.Key) {
			c.failAt(e.Line, e.Column, at.child(e.Key), "want %s", names.Expected)
			return
		}
	}
	c.check(e.Value, s.AdditionalProperties, at.child(e.Key), pattern+".*")
}

func (s *Schema) names() []string {
	var all []string
	for _, v := range s.Enum {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

func (c *checker) failUnknown(e Entry, known []string, at *place) {
	err := errors.New("unknown key")
	if near := nearest(e.Key, known); near != "" {
		err = fmt.Errorf("unknown key; did you mean %q?", near)
	}
	c.failAt(e.Line, e.Column, at.child(e.Key), "%w", err)
}

// checkKeys checks which keys are there, not what they hold.
func (c *checker) checkKeys(n *Node, s *Schema, at *place) {
	for _, key := range s.Required {
		if n.Get(key) == nil && (at != nil || key != versionKey) {
			c.fail(n, at, "%q is missing", key)
		}
	}
	if s.MinProperties != nil && len(n.Entries) < *s.MinProperties {
		c.fail(n, at, "want at least %d key, got %d", *s.MinProperties, len(n.Entries))
	}
	if s.MaxProperties != nil && len(n.Entries) > *s.MaxProperties {
		c.fail(n, at, "want at most %d key, got %d", *s.MaxProperties, len(n.Entries))
	}
	if s.Not != nil && n.hasAll(s.Not.Required) {
		c.fail(n, at, "%s exclude each other", quoteList(s.Not.Required, " and "))
	}
	if len(s.OneOf) > 0 && n.count(s.OneOf) != 1 {
		c.fail(n, at, "want exactly one of %s", alternatives(s.OneOf))
	}
	if len(s.AnyOf) > 0 && n.count(s.AnyOf) == 0 {
		c.fail(n, at, "want %s", alternatives(s.AnyOf))
	}
}

func (n *Node) hasAll(keys []string) bool {
	for _, key := range keys {
		if n.Get(key) == nil {
			return false
		}
	}
	return true
}

// count counts the alternatives whose required keys are there.
func (n *Node) count(alternatives []*Schema) int {
	var matched int
	for _, a := range alternatives {
		if n.hasAll(a.Required) {
			matched++
		}
	}
	return matched
}

func alternatives(schemas []*Schema) string {
	var words []string
	for _, s := range schemas {
		words = append(words, quoteList(s.Required, " with "))
	}
	return strings.Join(words, " or ")
}

func quoteList(words []string, separator string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	return strings.Join(quoted, separator)
}
