// Package authres writes and reads Authentication-Results fields (RFC 8601), in
// which one host of an administrative domain tells the next what it found out
// about a message.
//
// Results is the content of one field: who says so, and a Method for each thing
// that was checked. The packages of the single methods turn their own results
// into a Method; this one knows the grammar. Values that need quotes get them,
// control characters become spaces, and the form for a header is folded, so that
// nothing that a stranger supplied can end a value, a comment or the field.
//
// Parse is for fields as they are found: comments may stand wherever RFC 8601
// §2.2 lets them, and values that should have been quoted are taken as far as
// they can be told apart. The comment behind a result is kept because people put
// the key length there; other comments are dropped.
//
// A field that claims to come from our own domain and arrives from outside is a
// forgery (RFC 8601 §5): ID tells who a field claims to be from. Collect joins
// what several fields of the same host say.
package authres

import "strings"

// Results is the content of one Authentication-Results field.
type Results struct {
	ID      string // authserv-id: who made the checks
	Version string // authres-version, "" being "1"
	// Methods are the results. None means that nothing was checked.
	Methods []Method
}

// Method is the result of one authentication method.
type Method struct {
	Name    string // such as "dkim" (RFC 8601 §2.7)
	Version string // "" being "1"
	Result  string // such as "pass"
	Comment string // behind the result, for people
	Reason  string // why
	Props   []Prop
}

// Prop is one property of what was checked, such as header.d=example.com.
type Prop struct {
	Type     string // "smtp", "header", "body" or "policy" (RFC 8601 §2.3)
	Property string
	Value    string
}

// Add appends a property.
func (m *Method) Add(ptype, property, value string) {
	m.Props = append(m.Props, Prop{ptype, property, value})
}

// Get returns the value of a property and whether the method has it.
func (m *Method) Get(ptype, property string) (value string, ok bool) {
	for _, p := range m.Props {
		if strings.EqualFold(p.Type, ptype) && strings.EqualFold(p.Property, property) {
			return p.Value, true
		}
	}
	return "", false
}
