package mail

import (
	"context"
	"errors"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message"
)

var verifyOptions = []value.Option{
	declare.Option("number timeout = 5", "Seconds to wait for the answer of the DNS."),
	declare.Option("function dns_function", "Called with the name of a key; returns an array of result, its text, or of error, permerror or temperror."),
}

// mostSignatures is how many signatures of a message are looked at.
const mostSignatures = 16

// verifyDKIM checks one signature, or all.
func verifyDKIM(c *value.Call, m *Message) (value.Value, error) {
	resolver, err := m.resolver(c)
	if err != nil {
		return value.None, err
	}
	v := dkim.NewVerifier(resolver, dkim.VerifyOptions{Timeout: seconds(max(c.Options(1).Num("timeout"), 0.001))})
	header := dkim.NewHeader(m.mime().Root().RawHeader())
	if c.Has(0) {
		return m.verify(c, v, resolver, header, declare.View(c.Str(0)))
	}
	list := value.NewArray(0)
	for _, f := range signatures(header, dkim.DKIM) {
		result, err := m.verify(c, v, resolver, header, header.Raw(f))
		if err != nil {
			return value.None, err
		}
		list.Push(result)
	}
	return declare.Array(c, list)
}

// signatures are the topmost fields of a kind.
func signatures(h *dkim.Header, kind dkim.Kind) (found []message.Field) {
	for _, f := range h.Fields() {
		if f.Is(kind.Field()) && len(found) < mostSignatures/2 {
			found = append(found, f)
		}
	}
	return found
}

// verify checks one signature of the original message.
func (m *Message) verify(c *value.Call, v *dkim.Verifier, r resolver, header *dkim.Header, raw []byte) (value.Value, error) {
	body, err := m.originalBody(header, raw)
	if err != nil {
		return value.None, failed(c, err)
	}
	// The body is read already: the check asks for what is there.
	check := v.Check(raw, body)
	result := v.Verify(c.Context(), header, body, check)[0]
	if r.failure != nil && *r.failure != nil {
		return value.None, *r.failure
	}
	if err := c.Context().Err(); err != nil {
		return value.None, c.Interrupted(err)
	}
	return resultValue(&result), c.Alloc(len(raw))
}

// originalBody returns the body of the original of which the hash for a signature
// was taken. The first pass takes those of all signatures in the header.
func (m *Message) originalBody(header *dkim.Header, raw []byte) (*dkim.Body, error) {
	wanted, err := dkim.ParseSignature(raw)
	if m.sums.original != nil {
		if err != nil {
			return m.sums.original, nil // none is needed
		}
		if _, missing := m.sums.original.Sum(wanted.BodyHash()); missing == nil || errors.Is(missing, dkim.ErrBodyLength) {
			return m.sums.original, nil
		}
	}
	body := new(dkim.Body)
	for _, kind := range []dkim.Kind{dkim.DKIM, dkim.ARCMessage} {
		for _, f := range signatures(header, kind) {
			if s, err := dkim.ParseSignature(header.Raw(f)); err == nil {
				body.Want(s.BodyHash())
			}
		}
	}
	if err == nil {
		body.Want(wanted.BodyHash())
	}
	if _, err := body.ReadFrom(m.mime().Root().RawBody()); err != nil {
		return nil, err
	}
	m.sums.original = body
	return body, body.Close()
}

// resultValue is what verifyDKIM returns for a signature.
func resultValue(r *dkim.Result) value.Value {
	word := "permerror"
	switch r.Status {
	case dkim.Pass:
		word = "pass"
	case dkim.TempError:
		word = "temperror"
	}
	out := value.Map("result", value.String(word))
	if r.Status != dkim.Pass {
		out.SetString("error", value.String(r.Reason()))
	}
	if r.Signature != nil && len(r.Signature.Tags) > 0 {
		tags := value.NewArray(len(r.Signature.Tags))
		for _, t := range r.Signature.Tags {
			tags.SetString(t.Name, value.String(t.Value))
		}
		out.SetString("tags", value.FromArray(tags))
	}
	return value.FromArray(out)
}

// resolver finds the texts of keys.
type resolver struct {
	dkim.Resolver
	failure *error // of the function of a script; nil without one
}

func (m *Message) resolver(c *value.Call) (resolver, error) {
	if f := c.Options(1).Get("dns_function"); f.IsFunction() {
		var failure error
		return resolver{scriptResolver{c, f, &failure}, &failure}, nil
	}
	if m.kit.options.Resolver == nil {
		return resolver{}, value.Errorf("%s: there is no DNS here: give the option dns_function", c.Builtin.Name)
	}
	return resolver{Resolver: m.kit.options.Resolver}, nil
}

// scriptResolver asks a function of the script, on its own goroutine.
type scriptResolver struct {
	call    *value.Call
	f       value.Value
	failure *error
}

// TXT implements dkim.Resolver.
func (r scriptResolver) TXT(_ context.Context, name string) ([]string, error) {
	answer, err := r.call.Call(r.f, value.String(name))
	if err != nil {
		*r.failure = err
		return nil, err
	}
	a := answer.Array()
	if result, ok := a.GetString("result"); ok {
		if result.IsArray() {
			return texts(result.Array()), nil
		}
		return []string{result.Text()}, nil
	}
	word, _ := a.GetString("error")
	return nil, answerError{word.Text()}
}

// answerError is an answer of a script that there is no key.
type answerError struct{ word string }

func (e answerError) Error() string {
	if e.word == "" {
		return "dns_function returned neither result nor error"
	}
	return "dns_function: " + e.word
}

// Temporary says whether to try again later.
func (e answerError) Temporary() bool { return e.word == "temperror" }
