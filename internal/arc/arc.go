// Package arc validates and extends chains of ARC fields (RFC 8617), in which
// hosts that forward a message leave what they found out about it before they
// changed it.
//
// Each of them adds a Set: its own Authentication-Results, a signature over the
// message as it is then, and a seal over all the sets so far. Collect finds the
// sets of a message and says at once what is wrong with their structure.
// Validator then proves the seals and the signatures; only the signature of the
// newest set has to fit the message still, and the older ones tell how long the
// message has been as it is. Sealer adds a set.
//
// Signatures, keys, canonical forms and the single pass over the body are those
// of package dkim: the same dkim.Body can serve the DKIM signatures of a message
// and its chain. A chain is bounded: to fifty sets (RFC 8617 §4.2.1), each key
// looked up once, all of them together within a time limit, and not at all when a
// signature cannot be right anyway.
package arc

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/authres"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/message"
)

// FieldResults is the name of the field with the results, in lower case.
const FieldResults = "arc-authentication-results"

// MaxSets is the greatest number of sets that a chain may have (RFC 8617 §4.2.1).
const MaxSets = 50

// Why a chain fails, besides the errors of package dkim.
var (
	ErrStructure = errors.New("chain is not whole")        // RFC 8617 §5.2 steps 1 and 3
	ErrSealed    = errors.New("chain was failed already")  // RFC 8617 §5.2 step 2
	ErrMessage   = errors.New("message signature invalid") // step 4
	ErrSeal      = errors.New("seal invalid")              // step 6
)

// Set is what one host added to a chain. The fields are as they stand.
type Set struct {
	Instance int
	Results  []byte
	Message  *dkim.Signature
	Seal     *dkim.Signature
}

// Authentication returns what the host had found out. It is empty when the field
// cannot be read.
func (s *Set) Authentication() authres.Results {
	_, value, _ := strings.Cut(string(s.Results), ":")
	_, payload, _ := strings.Cut(value, ";")
	r, _ := authres.Parse(payload) // an error leaves what came before it
	return r
}

// cv returns what the sealer said of the chain before it.
func (s *Set) cv() string {
	cv, _ := s.Seal.Tags.Get("cv")
	return cv
}

// Chain is the sets of a message by ascending instance, and what is wrong with
// them.
type Chain struct {
	Sets []Set
	Err  error // wraps ErrStructure or ErrSealed
	// Highest is the greatest instance that a field has, also in a chain that is
	// not whole.
	Highest int
}

// Collect finds the chain of a header. Its Sets are complete unless Err is set.
func Collect(h *dkim.Header) *Chain {
	c := new(Chain)
	sets := map[int]*Set{}
	for _, f := range h.Fields() {
		if err := c.add(sets, h, f); err != nil && c.Err == nil {
			c.Err = fmt.Errorf("%w: %w", ErrStructure, err)
		}
	}
	for _, s := range sets {
		c.Highest = max(c.Highest, s.Instance)
		c.Sets = append(c.Sets, *s)
	}
	slices.SortFunc(c.Sets, func(a, b Set) int { return a.Instance - b.Instance })
	if c.Err == nil {
		c.Err = c.check()
	}
	return c
}

// add puts a field into its set. A set that has such a field already, and one
// without a number, break the chain.
func (c *Chain) add(sets map[int]*Set, h *dkim.Header, f message.Field) error {
	var fill func(*Set) (twice bool)
	var instance int
	var err error
	switch {
	case f.Is(FieldResults):
		instance, err = resultsInstance(string(f.Value))
		fill = func(s *Set) bool { return swap(&s.Results, h.Raw(f)) != nil }
	case f.Is(dkim.ARCMessage.Field()), f.Is(dkim.ARCSeal.Field()):
		var signature *dkim.Signature
		signature, err = dkim.ParseSignature(h.Raw(f))
		instance = signature.Instance
		fill = func(s *Set) bool {
			if signature.Kind == dkim.ARCSeal {
				return swap(&s.Seal, signature) != nil
			}
			return swap(&s.Message, signature) != nil
		}
	default:
		return nil
	}
	if instance < 1 || instance > MaxSets {
		return errors.Join(err, fmt.Errorf("%s without a usable i=", f.Name))
	}
	if sets[instance] == nil {
		sets[instance] = &Set{Instance: instance}
	}
	if fill(sets[instance]) {
		return fmt.Errorf("two %s with i=%d", f.Name, instance)
	}
	return err
}

// swap stores a new value and returns the old one.
func swap[T any](p *T, v T) (old T) {
	old, *p = *p, v
	return old
}

// resultsInstance reads the number that stands before the results (RFC 8617
// §4.1.1).
func resultsInstance(value string) (int, error) {
	number, _, ok := strings.Cut(value, ";")
	name, digits, eq := strings.Cut(number, "=")
	n, err := strconv.Atoi(strings.TrimSpace(digits))
	if !ok || !eq || strings.TrimSpace(name) != "i" || err != nil {
		return 0, errors.New("results do not begin with i=")
	}
	return n, nil
}

// check does steps 2 and 3 of RFC 8617 §5.2.
func (c *Chain) check() error {
	if len(c.Sets) == 0 {
		return nil
	}
	if newest := c.Sets[len(c.Sets)-1]; newest.Seal != nil && newest.cv() == "fail" {
		return ErrSealed
	}
	for i, s := range c.Sets {
		switch {
		case s.Instance != i+1:
			return fmt.Errorf("%w: set %d is missing", ErrStructure, i+1)
		case s.Results == nil || s.Message == nil || s.Seal == nil:
			return fmt.Errorf("%w: set %d is not complete", ErrStructure, s.Instance)
		case i == 0 && s.cv() != "none", i > 0 && s.cv() != "pass":
			return fmt.Errorf("%w: cv=%.20s in set %d", ErrStructure, s.cv(), s.Instance)
		}
		if _, ok := s.Seal.Tags.Get("h"); ok { // RFC 8617 §4.1.3
			return fmt.Errorf("%w: h= in seal %d", ErrStructure, s.Instance)
		}
	}
	return nil
}

// sealed returns what the seal of set i, counted from 0, signs: all fields of the
// sets before it and its own, in relaxed form (RFC 8617 §5.1.1).
func (c *Chain) sealed(i int) []byte {
	b := make([]byte, 0, 2048*(i+1))
	for _, s := range c.Sets[:i] {
		b = dkim.Relaxed.AppendField(b, s.Results)
		b = dkim.Relaxed.AppendField(b, s.Message.Field)
		b = dkim.Relaxed.AppendField(b, s.Seal.Field)
	}
	s := c.Sets[i]
	b = dkim.Relaxed.AppendField(b, s.Results)
	b = dkim.Relaxed.AppendField(b, s.Message.Field)
	return dkim.Relaxed.AppendSignature(b, s.Seal.Field, s.Seal.Tags)
}
