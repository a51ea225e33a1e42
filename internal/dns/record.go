package dns

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	wire "github.com/miekg/dns"
)

// Type is the type of a resource record.
type Type uint16

const (
	TypeA     = Type(wire.TypeA)
	TypeNS    = Type(wire.TypeNS)
	TypeCNAME = Type(wire.TypeCNAME)
	TypeSOA   = Type(wire.TypeSOA)
	TypePTR   = Type(wire.TypePTR)
	TypeMX    = Type(wire.TypeMX)
	TypeTXT   = Type(wire.TypeTXT)
	TypeAAAA  = Type(wire.TypeAAAA)
	TypeSRV   = Type(wire.TypeSRV)
	TypeTLSA  = Type(wire.TypeTLSA)
	TypeANY   = Type(wire.TypeANY)
	TypeCAA   = Type(wire.TypeCAA)
)

// ParseType reads a type by its name, such as "mx", in any case, or in the form
// "TYPE65280" (RFC 3597 §5).
func ParseType(s string) (Type, error) {
	upper := strings.ToUpper(s)
	if t, ok := wire.StringToType[upper]; ok {
		return Type(t), nil
	}
	if digits, ok := strings.CutPrefix(upper, "TYPE"); ok {
		if n, err := strconv.ParseUint(digits, 10, 16); err == nil {
			return Type(n), nil
		}
	}
	return 0, fmt.Errorf("dns: unknown record type %q", s)
}

func (t Type) String() string { return wire.Type(t).String() }

// RCode is the response code of an answer.
type RCode uint16

const (
	NoError  = RCode(wire.RcodeSuccess)
	FormErr  = RCode(wire.RcodeFormatError)
	ServFail = RCode(wire.RcodeServerFailure)
	NXDomain = RCode(wire.RcodeNameError)
	NotImp   = RCode(wire.RcodeNotImplemented)
	Refused  = RCode(wire.RcodeRefused)
)

func (c RCode) String() string {
	if s, ok := wire.RcodeToString[int(c)]; ok {
		return s
	}
	return "RCODE" + strconv.Itoa(int(c))
}

// Record is one resource record.
type Record struct {
	Name string // owner
	Type Type
	TTL  time.Duration // as the upstream gave it
	Data Data
}

// Data is what a record says. Its dynamic type follows the record's type:
// netip.Addr for A and AAAA, Name for NS, CNAME and PTR, and MX, Text, SOA, SRV,
// TLSA and CAA for the types of these names; any other is Unknown. String gives
// the usual text form.
type Data interface{ String() string }

// Name is the data of NS, CNAME and PTR records.
type Name string

func (n Name) String() string { return string(n) }

// MX is one mail exchange (RFC 1035 §3.3.9). Host is "." in a null MX.
type MX struct {
	Preference uint16
	Host       string
}

func (m MX) String() string { return fmt.Sprintf("%d %s", m.Preference, m.Host) }

// Text is the character strings of a TXT record.
type Text []string

// String joins the strings without anything between them, as SPF, DKIM and
// their relatives read them (RFC 7208 §3.3).
func (t Text) String() string { return strings.Join(t, "") }

// SOA is the start of a zone of authority.
type SOA struct {
	MName, RName                            string
	Serial, Refresh, Retry, Expire, Minimum uint32
}

func (s SOA) String() string {
	return fmt.Sprintf("%s %s %d %d %d %d %d", s.MName, s.RName, s.Serial, s.Refresh, s.Retry, s.Expire, s.Minimum)
}

// SRV is a service location (RFC 2782).
type SRV struct {
	Priority, Weight, Port uint16
	Target                 string
}

func (s SRV) String() string {
	return fmt.Sprintf("%d %d %d %s", s.Priority, s.Weight, s.Port, s.Target)
}

// TLSA is a certificate association (RFC 6698 §2.1).
type TLSA struct {
	Usage, Selector, MatchingType uint8
	Data                          []byte
}

func (t TLSA) String() string {
	return fmt.Sprintf("%d %d %d %s", t.Usage, t.Selector, t.MatchingType, hex.EncodeToString(t.Data))
}

// CAA names an authority that may issue certificates (RFC 8659 §4.1).
type CAA struct {
	Flags      uint8
	Tag, Value string
}

func (c CAA) String() string { return fmt.Sprintf("%d %s %q", c.Flags, c.Tag, c.Value) }

// Unknown is the zone file form of data that this package has no type for.
type Unknown string

func (u Unknown) String() string { return string(u) }

// records converts a section of a message. The pseudo records of EDNS are left
// out.
func records(section []wire.RR) []Record {
	if len(section) == 0 {
		return nil
	}
	out := make([]Record, 0, len(section))
	for _, rr := range section {
		h := rr.Header()
		if h.Rrtype == wire.TypeOPT {
			continue
		}
		out = append(out, Record{
			Name: plain(h.Name),
			Type: Type(h.Rrtype),
			TTL:  time.Duration(h.Ttl) * time.Second,
			Data: data(rr),
		})
	}
	return out
}

// data converts what one record says.
func data(rr wire.RR) Data {
	switch rr := rr.(type) {
	case *wire.A:
		if a, ok := netip.AddrFromSlice(rr.A.To4()); ok {
			return a
		}
	case *wire.AAAA:
		if a, ok := netip.AddrFromSlice(rr.AAAA.To16()); ok {
			return a
		}
	case *wire.NS:
		return Name(plain(rr.Ns))
	case *wire.CNAME:
		return Name(plain(rr.Target))
	case *wire.PTR:
		return Name(plain(rr.Ptr))
	case *wire.MX:
		return MX{rr.Preference, plain(rr.Mx)}
	case *wire.TXT:
		return text(rr.Txt)
	case *wire.SOA:
		return SOA{plain(rr.Ns), plain(rr.Mbox), rr.Serial, rr.Refresh, rr.Retry, rr.Expire, rr.Minttl}
	case *wire.SRV:
		return SRV{rr.Priority, rr.Weight, rr.Port, plain(rr.Target)}
	case *wire.TLSA:
		b, err := hex.DecodeString(rr.Certificate)
		if err == nil {
			return TLSA{rr.Usage, rr.Selector, rr.MatchingType, b}
		}
	case *wire.CAA:
		return CAA{rr.Flag, rr.Tag, rr.Value}
	}
	return Unknown(strings.TrimPrefix(rr.String(), rr.Header().String()))
}

// text undoes the zone file escapes that the codec leaves in character strings.
func text(in []string) Text {
	out := Text(slices.Clone(in))
	for i, s := range out {
		if strings.IndexByte(s, '\\') >= 0 {
			out[i] = unescape(s)
		}
	}
	return out
}

// unescape undoes \DDD and \X (RFC 1035 §5.1).
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b = append(b, s[i])
			continue
		}
		if i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 10, 8); err == nil {
				b = append(b, byte(n))
				i += 3
				continue
			}
		}
		i++
		b = append(b, s[i])
	}
	return string(b)
}

// plain gives a name its form outside this package: lower case, no final dot.
// The root stays ".".
func plain(name string) string {
	name = strings.ToLower(name)
	if len(name) > 1 {
		name = strings.TrimSuffix(name, ".")
	}
	return name
}
