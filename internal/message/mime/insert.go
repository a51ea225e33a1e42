package mime

import (
	"strings"

	"github.com/google/uuid"

	"github.com/posthaste-mta/posthaste/internal/message/field"
)

// Mixed is the multipart that is made when nobody wants another.
const Mixed = "multipart/mixed"

// PrependPart puts an entity in front of the part. See AppendPart.
func (p *Part) PrependPart(x Entity, kind string) error { return p.insert(x, kind, false) }

// AppendPart puts an entity behind the part and whatever was put there before, in
// a multipart of the given kind (empty: Mixed).
//
// Where the part stands in such a multipart already, the entity goes beside it;
// where the part is one, the entity becomes its last part. Otherwise, and always
// if the kind has parameters or is one whose parts are counted (signed,
// encrypted), the part is put into a new multipart with the entity; of a whole
// message the fields that describe the body, whose names begin with Content-,
// move into the first part with it, untouched.
func (p *Part) AppendPart(x Entity, kind string) error { return p.insert(x, kind, true) }

func (p *Part) insert(x Entity, kind string, behind bool) error {
	if kind == "" {
		kind = Mixed
	}
	v := field.ParseValue([]byte(kind), "")
	if !isMultipart(v.Main) {
		return ErrType
	}
	l, err := newLayer(kind, &v)
	if err != nil {
		return err
	}
	b, err := flatten(x)
	if err != nil {
		return err
	}
	p.message.scan()
	switch {
	case p.message.edits.of(p).removed || p.lost():
		return ErrGone
	case p.holdsDelimiter(b):
		return ErrBoundary
	}
	place := p.placeFor(&v)
	p.message.record(func(e *edits) { e.change(p).insert(place, l, b, behind) })
	return nil
}

// newLayer returns an empty multipart of a kind.
func newLayer(kind string, v *field.Value) (layer, error) {
	boundary, ok := v.Param("boundary")
	if !ok {
		boundary = uuid.NewString()
		kind = strings.TrimRight(kind, "; \t\r\n") + string(field.AppendParam(nil, "boundary", boundary))
	}
	if !field.ValidBoundary(boundary) {
		return layer{}, ErrType
	}
	return layer{kind: kind, boundary: boundary}, nil
}

// place is where an entity beside a part goes.
type place int

const (
	intoLayer  place = iota // a new one around the part
	intoOuter               // the outermost that was made around it
	intoParent              // beside the part
	intoPart                // among its parts
)

func (p *Part) placeFor(v *field.Value) place {
	kind, _ := typeOf(v)
	sub := strings.TrimPrefix(kind, "multipart/")
	if v.HasParams() || sub == "signed" || sub == "encrypted" {
		return intoLayer
	}
	d := p.message.edits.of(p)
	if n := len(d.layers); n > 0 {
		outer := field.ParseValue([]byte(d.layers[n-1].kind), "")
		if made, _ := typeOf(&outer); made == kind {
			return intoOuter
		}
	}
	if q := p.parent; q != nil && q.boundary != "" {
		if own, _ := q.Type(); own == kind {
			return intoParent
		}
	}
	if own, _ := p.Type(); own == kind && p.boundary != "" && len(d.layers) == 0 && d.entity == nil && d.body == nil {
		return intoPart
	}
	return intoLayer
}

func (d *partEdit) insert(at place, l layer, b []byte, behind bool) {
	before, after := &d.first, &d.last
	switch at {
	case intoLayer:
		d.layers = append(d.layers, l)
		fallthrough
	case intoOuter:
		outer := &d.layers[len(d.layers)-1]
		before, after = &outer.before, &outer.after
	case intoParent:
		before, after = &d.before, &d.after
	}
	if behind {
		*after = append(*after, b)
	} else {
		*before = append([][]byte{b}, *before...)
	}
}
