package policy

import (
	"fmt"
	"iter"
	"net/netip"
	"strings"
)

// Field is one of the eight queue fields (spec config.md 1.5).
type Field uint8

const (
	TenantID Field = iota
	JobID
	TransportID
	LocalIP
	Grouping
	RemoteIP
	RemoteMX
	RecipientDomain

	fieldCount = iota
)

var fieldNames = [fieldCount]string{
	"tenantid", "jobid", "transportid", "localip", "grouping", "remoteip", "remotemx", "recipientdomain",
}

func (f Field) String() string { return fieldNames[f] }

// ParseField reads a field as String writes it, in any case.
func ParseField(s string) (Field, error) {
	for f, name := range fieldNames {
		if strings.EqualFold(s, name) {
			return Field(f), nil
		}
	}
	return 0, fmt.Errorf("policy: no queue field %q, want one of %s", s, strings.Join(fieldNames[:], ", "))
}

// isIP reports whether the values of f are addresses.
func (f Field) isIP() bool { return f == LocalIP || f == RemoteIP }

// isDomain reports whether the values of f are domain names, which are equal in
// any case.
func (f Field) isDomain() bool { return f == RemoteMX || f == RecipientDomain }

// Fields is a set of fields.
type Fields uint8

// Of returns the set of fs.
func Of(fs ...Field) (set Fields) {
	for _, f := range fs {
		set |= 1 << f
	}
	return set
}

// Has reports whether f is in the set.
func (s Fields) Has(f Field) bool { return s&(1<<f) != 0 }

// All yields the fields of the set in order.
func (s Fields) All() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for f := range Field(fieldCount) {
			if s.Has(f) && !yield(f) {
				return
			}
		}
	}
}

// Names are the names of the fields of the set, in order.
func (s Fields) Names() (names []string) {
	for f := range s.All() {
		names = append(names, f.String())
	}
	return names
}

// Values holds a text for each field; empty where there is none. It can be
// compared and be the key of a map.
type Values [fieldCount]string

// only returns the values of the fields of a set.
func (v *Values) only(s Fields) (out Values) {
	for f := range Field(fieldCount) {
		if s.Has(f) {
			out[f] = v[f]
		}
	}
	return out
}

// String lists the values that are not empty as field=value.
func (v *Values) String() string {
	var parts []string
	for f, text := range v {
		if text != "" {
			parts = append(parts, Field(f).String()+"="+text)
		}
	}
	return strings.Join(parts, " ")
}

// Tuple is what policies know of a delivery. Domains are in lower case.
type Tuple struct {
	Values
	Local, Remote netip.Addr // the two addresses again, as such
}

// NewTuple returns a tuple without source address.
func NewTuple(tenant, job, transport, grouping, mx, domain string, remote netip.Addr) Tuple {
	t := Tuple{Remote: remote}
	t.Values = Values{
		TenantID: tenant, JobID: job, TransportID: transport, Grouping: grouping,
		RemoteMX: strings.ToLower(mx), RecipientDomain: strings.ToLower(domain),
	}
	if remote.IsValid() {
		t.Values[RemoteIP] = remote.String()
	}
	return t
}

// From returns t with a source address.
func (t *Tuple) From(s Source) Tuple {
	out := *t
	out.Local, out.Values[LocalIP] = s.Addr, s.text
	return out
}

// only returns t with the fields of a set.
func (t *Tuple) only(s Fields) Tuple {
	out := Tuple{Values: t.Values.only(s)}
	if s.Has(LocalIP) {
		out.Local = t.Local
	}
	if s.Has(RemoteIP) {
		out.Remote = t.Remote
	}
	return out
}

func (t *Tuple) addr(f Field) netip.Addr {
	if f == LocalIP {
		return t.Local
	}
	return t.Remote
}
