package dmarc

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tag is one element of a record.
type Tag struct{ Name, Value string }

// Record is a policy record (RFC 7489 §6.3, RFC 9989 §4.7). What a record does not
// say, or not properly, has its default.
type Record struct {
	Tags []Tag // that could be told apart, each name once, v= first

	Policy      Policy // p; "" if it is missing or not valid
	Subdomains  Policy // sp; "" if it is missing
	Nonexistent Policy // np (RFC 9091 §3.2); "" if it is missing
	StrictDKIM  bool   // adkim=s
	StrictSPF   bool   // aspf=s
	Percent     int    // pct, 100 (RFC 7489 only)
	Testing     bool   // t=y (RFC 9989 only)
	PSD         string // psd: "y", "n" or "u" (RFC 9989)

	Aggregate []URI         // rua: where aggregate reports go
	Failure   []URI         // ruf: where failure reports go
	Options   []string      // fo: "0", "1", "d", "s"; what failure reports are for
	Formats   []string      // rf
	Interval  time.Duration // ri, 24 h

	invalid bool // p, sp or np is there and not valid
}

// URI is where reports go.
type URI struct {
	URI string
	// Limit is the size in bytes above which the report is not wanted, 0 for any
	// (RFC 7489 §6.2; RFC 9989 does not know it).
	Limit int64
}

// isRecord reports whether a text is a policy record: v= comes first, and its value
// is case-sensitive.
func isRecord(text string) bool {
	first, _, _ := strings.Cut(text, ";")
	name, value, ok := strings.Cut(first, "=")
	return ok && strings.Trim(name, " \t") == "v" && strings.Trim(value, " \t") == "DMARC1"
}

// ParseRecord parses a record. ok is false if the text is not one.
func ParseRecord(text string) (r *Record, ok bool) {
	if !isRecord(text) {
		return nil, false
	}
	r = &Record{Percent: 100, PSD: "u", Options: []string{"0"}, Formats: []string{"afrf"}, Interval: 24 * time.Hour}
	for spec := range strings.SplitSeq(text, ";") {
		name, value, ok := strings.Cut(spec, "=")
		t := Tag{strings.Trim(name, " \t"), strings.Trim(value, " \t")}
		if !ok || t.Name == "" || slices.ContainsFunc(r.Tags, func(o Tag) bool { return o.Name == t.Name }) {
			continue
		}
		r.Tags = append(r.Tags, t)
		r.set(t.Name, t.Value)
	}
	return r, true
}

func (r *Record) set(name, value string) {
	low := strings.ToLower(value)
	switch name {
	case "p":
		r.Policy = r.policy(low)
	case "sp":
		r.Subdomains = r.policy(low)
	case "np":
		r.Nonexistent = r.policy(low)
	case "adkim":
		r.StrictDKIM = low == "s"
	case "aspf":
		r.StrictSPF = low == "s"
	case "pct":
		if n, err := strconv.Atoi(low); err == nil && n >= 0 && n <= 100 {
			r.Percent = n
		}
	case "t":
		r.Testing = low == "y"
	case "psd":
		if low == "y" || low == "n" {
			r.PSD = low
		}
	default:
		r.setReports(name, value)
	}
}

func (r *Record) setReports(name, value string) {
	switch name {
	case "rua":
		r.Aggregate = parseURIs(value)
	case "ruf":
		r.Failure = parseURIs(value)
	case "fo":
		r.Options = choices(value, r.Options, "0", "1", "d", "s")
	case "rf":
		r.Formats = choices(value, r.Formats, "afrf")
	case "ri":
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			r.Interval = time.Duration(n) * time.Second
		}
	}
}

func (r *Record) policy(s string) Policy {
	switch p := Policy(s); p {
	case Accept, Quarantine, Reject:
		return p
	}
	r.invalid = true
	return ""
}

// choices returns the elements of a list that are among the known ones, or the
// default if there are none.
func choices(value string, fallback []string, known ...string) []string {
	var out []string
	for s := range strings.SplitSeq(value, ":") {
		if s = strings.ToLower(strings.Trim(s, " \t")); slices.Contains(known, s) {
			out = append(out, s)
		}
	}
	if out == nil {
		return fallback
	}
	return out
}

// parseURIs returns the addresses of a list that can be read.
func parseURIs(value string) []URI {
	var out []URI
	for s := range strings.SplitSeq(value, ",") {
		uri, size, _ := strings.Cut(strings.Trim(s, " \t"), "!")
		if u, err := url.Parse(uri); err == nil && u.Scheme != "" && (u.Opaque != "" || u.Host != "") {
			out = append(out, URI{uri, parseSize(size)})
		}
	}
	return out
}

// parseSize reads a number with a unit (RFC 7489 §6.4, dmarc-uri). 0 is no limit.
func parseSize(s string) int64 {
	if s == "" {
		return 0
	}
	shift := 10 * (strings.IndexByte("kmgt", s[len(s)-1]|0x20) + 1)
	n, err := strconv.ParseInt(strings.TrimRight(s, "kmgtKMGT"), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return n << shift
}

// usable says whether the record can be applied, after supplying a missing policy
// (RFC 7489 §6.6.3 step 6, RFC 9989 §4.10.1).
func (r *Record) usable(walk bool) bool {
	if !r.invalid && (r.Policy != "" || walk) { // RFC 9989 §4.7: p may be left out
		if r.Policy == "" {
			r.Policy = Accept
		}
		return true
	}
	r.Policy, r.Subdomains, r.Nonexistent = Accept, "", ""
	return len(r.Aggregate) > 0
}

// Get returns the value of a tag and whether it is there.
func (r *Record) Get(name string) (value string, ok bool) {
	for _, t := range r.Tags {
		if t.Name == name {
			return t.Value, true
		}
	}
	return "", false
}

// String returns the record in the usual form.
func (r *Record) String() string {
	var b strings.Builder
	for i, t := range r.Tags {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(t.Name + "=" + t.Value)
	}
	return b.String()
}
