// Package mtasts finds out which hosts of a domain mail may go to, and that only by
// TLS with a certificate that proves the name: MTA-STS, RFC 8461.
//
// A domain announces a policy by a record in the DNS and has it at an address of the
// web. ParseRecord and ParsePolicy read the two, and a Cache keeps policies for as
// long as they say.
package mtasts

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Mode says what a policy asks for.
type Mode string

// The modes (RFC 8461 §5).
const (
	Enforce Mode = "enforce" // no mail by other ways
	Testing Mode = "testing" // only report what would not have gone
	None    Mode = "none"    // there is no policy any more
)

// Policy is what a domain asks of those who send to it.
type Policy struct {
	Version string
	Mode    Mode
	MX      []string // names of hosts; a first label of "*" stands for any one
	MaxAge  time.Duration
}

const version = "STSv1"

// longestAge is the greatest max_age, about a year (RFC 8461 §3.2).
const longestAge = 31557600 * time.Second

// ParseRecord returns the id of the policy that a domain announces in the TXT
// records of _mta-sts below it; ok is false when it announces none. Records of
// other kinds are passed over, and two of ours are as good as none (§3.1).
func ParseRecord(records []string) (id string, ok bool) {
	for _, r := range records {
		if r != "v="+version && !strings.HasPrefix(r, "v="+version+";") && !strings.HasPrefix(r, "v="+version+" ") {
			continue
		}
		if ok {
			return "", false
		}
		id, ok = recordID(r), true
	}
	return id, ok && id != ""
}

func recordID(record string) string {
	for field := range strings.SplitSeq(record, ";") {
		name, value, _ := strings.Cut(field, "=")
		if strings.TrimSpace(name) == "id" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// ParsePolicy reads a policy. Keys that nobody knows are passed over, and of those
// that stand twice the first counts, but for mx (§3.2).
func ParsePolicy(text string) (*Policy, error) {
	p := &Policy{MaxAge: -1}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok {
			continue
		}
		if err := p.set(key, value); err != nil {
			return nil, err
		}
	}
	switch {
	case p.Version != version:
		return nil, fmt.Errorf("mtasts: version is %q, want %s", p.Version, version)
	case p.Mode == "":
		return nil, errors.New("mtasts: there is no mode")
	case p.MaxAge < 0:
		return nil, errors.New("mtasts: there is no max_age")
	case p.Mode != None && len(p.MX) == 0:
		return nil, errors.New("mtasts: there is no mx")
	}
	return p, nil
}

func (p *Policy) set(key, value string) error {
	switch {
	case key == "version" && p.Version == "":
		p.Version = value
	case key == "mode" && p.Mode == "":
		p.Mode = Mode(value)
		if p.Mode != Enforce && p.Mode != Testing && p.Mode != None {
			return fmt.Errorf("mtasts: unknown mode %q", value)
		}
	case key == "max_age" && p.MaxAge < 0:
		seconds, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return fmt.Errorf("mtasts: max_age is %q, want seconds", value)
		}
		p.MaxAge = min(time.Duration(seconds)*time.Second, longestAge)
	case key == "mx":
		p.MX = append(p.MX, value)
	}
	return nil
}

// Allows reports whether mail may go to a host of that name (§4.1).
func (p *Policy) Allows(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, mx := range p.MX {
		mx = strings.ToLower(strings.TrimSuffix(mx, "."))
		if rest, ok := strings.CutPrefix(mx, "*."); ok {
			if _, domain, _ := strings.Cut(host, "."); domain == rest && rest != "" {
				return true
			}
		} else if mx == host && host != "" {
			return true
		}
	}
	return false
}
