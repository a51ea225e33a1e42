package dns

import (
	"errors"
	"fmt"
)

// What a lookup can end in instead of data.
var (
	ErrNXDomain = errors.New("no such domain")
	ErrNoData   = errors.New("no such record")
	ErrTimeout  = errors.New("timeout")
	ErrServer   = errors.New("server failure") // SERVFAIL, REFUSED and the like, from every upstream
	ErrNetwork  = errors.New("no upstream can be reached")
	ErrName     = errors.New("not a domain name")
	ErrAlias    = errors.New("too many aliases")
)

// What Destinations can end in besides.
var (
	ErrNullMX   = errors.New("domain takes no mail (null MX)") // RFC 7505
	ErrFamily   = errors.New("no address of an enabled family")
	ErrExcluded = errors.New("all hosts are excluded")
	ErrLoop     = errors.New("mail loops back to this host")
)

// ErrStopped is returned for queries after Stop.
var ErrStopped = errors.New("resolver is stopped")

// Error is a lookup that gave no data. It unwraps to one of the sentinels above
// and, where there was one, to the cause beneath it.
type Error struct {
	Name   string
	Type   Type
	Reason error // one of the sentinels
	Server string
	Cause  error
}

func (e *Error) Error() string {
	s := "dns: " + e.Name
	if e.Type != 0 {
		s += " " + e.Type.String()
	}
	s += ": " + e.Reason.Error()
	if e.Server != "" {
		s += " (" + e.Server + ")"
	}
	if e.Cause != nil {
		s += fmt.Sprintf(": %v", e.Cause)
	}
	return s
}

// Unwrap makes both the reason and the cause visible to errors.Is.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Cause}
}

// Temporary reports whether asking again later may give another result: true
// for time-outs, failing servers and cancelled queries, false for what a zone
// says of itself.
func Temporary(err error) bool {
	for _, final := range []error{ErrNXDomain, ErrNoData, ErrName, ErrNullMX, ErrFamily, ErrExcluded, ErrLoop} {
		if errors.Is(err, final) {
			return false
		}
	}
	return err != nil
}

func isNoData(err error) bool { return errors.Is(err, ErrNoData) }
