package dns

import "time"

// Answer is the reply to one question. It is shared by all who asked and must
// not be changed.
type Answer struct {
	Name      string
	Type      Type
	RCode     RCode
	Records   []Record // answer section, aliases included
	Authority []Record
	// AuthenticData is the AD bit as it came.
	AuthenticData bool
	// Secure is AuthenticData from an upstream that may be believed: one on
	// loopback or, with Options.TrustAD, any.
	Secure  bool
	Server  string    // upstream that answered; empty for "localhost"
	Expires time.Time // until when the answer may be used, settings applied
	Stale   bool      // served after its time because the upstreams fail (RFC 8767)
}

// Err returns nil when the answer has a record of the type asked for at the end
// of its alias chain, and otherwise an *Error that says what it lacks. For
// TypeANY any record will do.
func (a *Answer) Err() error {
	reason := ErrNoData
	switch a.RCode {
	case NoError:
		if _, found := a.chain(); found || a.Type == TypeANY && len(a.Records) > 0 {
			return nil
		}
	case NXDomain:
		reason = ErrNXDomain
	default:
		return &Error{Name: a.Name, Type: a.Type, Reason: ErrServer, Server: a.Server, Cause: rcodeError(a.RCode)}
	}
	return &Error{Name: a.Name, Type: a.Type, Reason: reason, Server: a.Server}
}

// rcodeError lets the code of a failed answer appear as the cause.
type rcodeError RCode

func (e rcodeError) Error() string { return RCode(e).String() }

// chain follows the aliases within the answer. It returns the name at their end
// and whether records of the wanted type stand there.
func (a *Answer) chain() (end string, found bool) {
	end = a.Name
	for range len(a.Records) + 1 {
		next := ""
		for _, r := range a.Records {
			if r.Name != end {
				continue
			}
			if r.Type == a.Type {
				return end, true
			}
			if target, ok := r.Data.(Name); ok && r.Type == TypeCNAME {
				next = string(target)
			}
		}
		if next == "" {
			return end, false
		}
		end = next
	}
	return end, false // the aliases run in a circle
}

// lifetime returns how long the zone lets the answer be kept: the least TTL of
// its records, or for a negative answer the SOA rule of RFC 2308 §5.
func (a *Answer) lifetime() (ttl time.Duration, negative bool) {
	if a.RCode != NoError || len(a.Records) == 0 {
		return a.negativeLifetime(), true
	}
	ttl = a.Records[0].TTL
	for _, r := range a.Records[1:] {
		ttl = min(ttl, r.TTL)
	}
	if _, found := a.chain(); !found && a.Type != TypeANY {
		return min(ttl, a.negativeLifetime()), true // an alias that leads to nothing
	}
	return ttl, false
}

// negativeLifetime is zero without an SOA record: such an answer may not be
// kept.
func (a *Answer) negativeLifetime() time.Duration {
	for _, r := range a.Authority {
		if soa, ok := r.Data.(SOA); ok {
			return min(r.TTL, time.Duration(soa.Minimum)*time.Second)
		}
	}
	return 0
}
