package queue

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// text matches the whole value, or a part of it where * stands.
func text(get func(*View) string) filterField {
	return filterField{compile: func(want string) (test, error) {
		return func(v *View, _ time.Time) bool { return wild(want, get(v)) }, nil
	}}
}

// domain matches without regard to case; * stands for any part.
func domain(get func(*View) string) filterField {
	return filterField{compile: func(want string) (test, error) {
		want = strings.ToLower(want)
		return func(v *View, _ time.Time) bool { return wild(want, strings.ToLower(get(v))) }, nil
	}}
}

// mailbox matches an address: the domain without regard to case, the local part
// as well unless a capital in it asks otherwise. "<>" is the null sender, "@d"
// any local part, "l@" any domain; * stands for any part.
func mailbox(get func(*View) address.Address) filterField {
	return filterField{compile: func(want string) (test, error) {
		if want == "<>" || want == "" {
			return func(v *View, _ time.Time) bool { return get(v).IsNull() }, nil
		}
		local, dom, ok := cutLast(want, '@')
		if !ok {
			return nil, errors.New("want an address, @domain or local@")
		}
		dom, fold := strings.ToLower(dom), local == strings.ToLower(local)
		return func(v *View, _ time.Time) bool {
			a := get(v)
			have := a.Local
			if fold {
				have = strings.ToLower(have)
			}
			return !a.IsNull() && (local == "" || wild(local, have)) &&
				(dom == "" || wild(dom, strings.ToLower(a.Domain)))
		}, nil
	}}
}

// network matches an address or a network.
func network(get func(*View) netip.Addr) filterField {
	return filterField{compile: func(want string) (test, error) {
		if ip, err := netip.ParseAddr(want); err == nil {
			return func(v *View, _ time.Time) bool { return get(v).Unmap() == ip.Unmap() }, nil
		}
		p, err := netip.ParsePrefix(want)
		if err != nil {
			return nil, errors.New("want an IP address or a network such as 192.0.2.0/24")
		}
		return func(v *View, _ time.Time) bool { return p.Contains(get(v).Unmap()) }, nil
	}}
}

// number compares with an operator or a range.
func number(get func(*View, time.Time) int64, parse func(string) (int64, error)) filterField {
	return filterField{compile: func(want string) (test, error) {
		ok, err := comparison(want, parse)
		if err != nil {
			return nil, err
		}
		return func(v *View, now time.Time) bool { return ok(get(v, now)) }, nil
	}}
}

var operators = []struct {
	sign string
	ok   func(have, want int64) bool
}{
	{">=", func(a, b int64) bool { return a >= b }},
	{"<=", func(a, b int64) bool { return a <= b }},
	{"!=", func(a, b int64) bool { return a != b }},
	{">", func(a, b int64) bool { return a > b }},
	{"<", func(a, b int64) bool { return a < b }},
	{"=", func(a, b int64) bool { return a == b }},
	{"", func(a, b int64) bool { return a == b }},
}

func comparison(want string, parse func(string) (int64, error)) (func(int64) bool, error) {
	if low, high, ok := strings.Cut(want, ".."); ok {
		a, err := parse(low)
		if err != nil {
			return nil, err
		}
		b, err := parse(high)
		if err != nil {
			return nil, err
		}
		return func(have int64) bool { return a <= have && have <= b }, nil
	}
	for _, op := range operators {
		if rest, found := strings.CutPrefix(want, op.sign); found {
			n, err := parse(strings.TrimSpace(rest))
			if err != nil {
				return nil, err
			}
			return func(have int64) bool { return op.ok(have, n) }, nil
		}
	}
	panic("unreachable: the last operator is empty")
}

func parseCount(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return n, nil
}

func parseSize(s string) (int64, error) {
	n, err := config.ParseBytes(s)
	return int64(n), err
}

func parseSpan(s string) (int64, error) {
	d, err := config.ParseDuration(s)
	return int64(d), err
}

func matchID(want string) (test, error) {
	id, number, some := strings.Cut(want, ":")
	parsed, err := envelope.ParseID(id)
	if err != nil {
		return nil, err
	}
	if !some {
		return func(v *View, _ time.Time) bool { return v.ID == parsed }, nil
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return nil, errors.New("want TRANSACTION or TRANSACTION:QUEUEID")
	}
	return func(v *View, _ time.Time) bool { return v.ID == parsed && v.Number == uint32(n) }, nil
}

func matchState(want string) (test, error) {
	for s := range states {
		if strings.EqualFold(s.String(), want) {
			return func(v *View, _ time.Time) bool { return v.State == s }, nil
		}
	}
	return nil, errors.New("want ACTIVE, DEFER, SENDING, HOLD or UNKNOWN")
}

func matchReason(want string) (test, error) {
	want = strings.ToLower(want)
	return func(v *View, _ time.Time) bool { return strings.Contains(strings.ToLower(v.Reason), want) }, nil
}

func matchQuota(want string) (test, error) {
	return func(v *View, _ time.Time) bool { return slices.Contains(v.Quotas, want) }, nil
}

func matchSubject(want string) (test, error) {
	want = strings.ToLower(want)
	return func(v *View, _ time.Time) bool { return strings.Contains(strings.ToLower(v.Subject()), want) }, nil
}

// matchMetadata takes K=V for equality, or K and a comparison such as K>=3.
func matchMetadata(want string) (test, error) {
	i := strings.IndexAny(want, "=<>!")
	if i <= 0 {
		return nil, errors.New("want NAME=VALUE, or NAME and a comparison such as NAME>=3")
	}
	key, rest := want[:i], want[i:]
	if value, equal := strings.CutPrefix(rest, "="); equal {
		return func(v *View, _ time.Time) bool {
			have, ok := v.Metadata()[key]
			return ok && have == value
		}, nil
	}
	ok, err := comparison(rest, parseCount)
	if err != nil {
		return nil, err
	}
	return func(v *View, _ time.Time) bool {
		n, err := parseCount(v.Metadata()[key])
		return err == nil && ok(n)
	}, nil
}

// wild reports whether s matches pattern, in which * stands for any text.
func wild(pattern, s string) bool {
	head, rest, some := strings.Cut(pattern, "*")
	if !some {
		return pattern == s
	}
	if s, some = strings.CutPrefix(s, head); !some {
		return false
	}
	for {
		part, more, some := strings.Cut(rest, "*")
		if !some {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], more
	}
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}
