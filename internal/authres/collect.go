package authres

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// Field is the name of the field in lower case.
const Field = "authentication-results"

// Collect joins what the Authentication-Results fields of one host say, from top
// to bottom: all methods of the fields of the header block whose ID is that one.
// Fields that cannot be parsed count as far as they can. The result has no
// methods if there is no such field.
func Collect(header []byte, id string) Results {
	joined := Results{ID: id}
	for f := range message.Fields(header) {
		if !f.Is(Field) || !strings.EqualFold(ID(string(f.Value)), id) {
			continue
		}
		r, _ := Parse(string(f.Value)) // an error leaves what came before it
		joined.Methods = append(joined.Methods, r.Methods...)
	}
	return joined
}
