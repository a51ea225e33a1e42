package envelope

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// Decoder reads what Append wrote. The zero Decoder is ready; one may be used
// by several goroutines at once if its Intern may.
//
// Decoded recipients may share maps and slices with one another, so none of
// them may be changed in place. Strings share memory within one recipient.
type Decoder struct {
	// Intern, when set, makes the strings that many messages have in common:
	// domains, transports, jobs, tenants, quotas, virtual servers and TLS
	// parameters. The bytes are only valid during the call.
	Intern func([]byte) string
}

// Decode replaces *m by the message in b. The result does not refer to b.
func Decode(b []byte, m *Message) error { return Decoder{}.Decode(b, m) }

// DecodeState replaces *s by the state in b. The result does not refer to b.
func DecodeState(b []byte, s *State) error { return Decoder{}.DecodeState(b, s) }

// Decode replaces *m by the message in b. The result does not refer to b.
func (d Decoder) Decode(b []byte, m *Message) error {
	var recipients []Recipient
	err := d.Each(b, m, func(r *Recipient) error {
		recipients = append(recipients, *r)
		return nil
	})
	m.Recipients = recipients
	return err
}

// DecodeRecipient replaces *m by the message in b with no recipient but that of
// the given number. Its cost hardly grows with the number of recipients: those
// between the first and the wanted one are passed over at some 9 ns each.
func (d Decoder) DecodeRecipient(b []byte, number uint32, m *Message) error {
	in, count, err := d.head(b, m)
	if err != nil {
		return err
	}
	var first Recipient
	for i := range count {
		section := reader{b: in.section(), intern: d.Intern}
		if in.bad {
			return ErrFormat
		}
		if i > 0 && section.number(i) != number {
			continue
		}
		r := first
		section.recipient(&r, i)
		if section.bad {
			return ErrFormat
		}
		if r.Number == number {
			m.Recipients = []Recipient{r}
			return nil
		}
		first = r
	}
	return ErrNoRecipient
}

// Each replaces *m by the message in b without its recipients and calls f with
// each of them in turn, so that a message with very many need not be in memory
// at once. The Recipient is overwritten after f has returned; its fields may be
// kept. An error of f ends the walk and is returned as it is.
func (d Decoder) Each(b []byte, m *Message, f func(*Recipient) error) error {
	in, count, err := d.head(b, m)
	if err != nil {
		return err
	}
	var first, r Recipient
	for i := range count {
		section := reader{b: in.section(), intern: d.Intern}
		r = first
		section.recipient(&r, i)
		if in.bad || section.bad {
			return ErrFormat
		}
		if i == 0 {
			first = r
		}
		if err := f(&r); err != nil {
			return err
		}
	}
	return nil
}

// head reads what comes before the recipients and returns a reader that stands
// at the first of them.
func (d Decoder) head(b []byte, m *Message) (in reader, count uint64, err error) {
	*m = Message{}
	if len(b) == 0 {
		return in, 0, ErrFormat
	}
	if b[0] != version {
		return in, 0, ErrVersion
	}
	in = reader{b: b, i: 1}
	section := reader{b: in.section(), intern: d.Intern}
	section.head(m)
	whole := in.i < len(b)
	count = in.uvarint()
	if !whole || in.bad || section.bad {
		return in, 0, ErrFormat
	}
	return in, count, nil
}

// DecodeState replaces *s by the state in b. The result does not refer to b.
func (d Decoder) DecodeState(b []byte, s *State) error {
	*s = State{}
	if len(b) == 0 {
		return ErrFormat
	}
	if b[0] != version {
		return ErrVersion
	}
	r := reader{b: b, i: 1, intern: d.Intern}
	flags := r.byte()
	s.Hold = flags&stateHold != 0
	s.Notified = flags&stateNotified != 0
	s.MetadataSet = flags&stateMetadataSet != 0
	s.Retry = uint32(r.upTo(math.MaxUint32))
	s.Due = r.time()
	s.Reason = r.string()
	s.Transport = r.shared()
	s.Metadata = r.metadata()
	if r.bad {
		return ErrFormat
	}
	return nil
}

func (r *reader) head(m *Message) {
	if len(r.b) < len(m.ID) {
		r.bad = true
		return
	}
	r.i = copy(m.ID[:], r.b)
	m.Received = r.time()
	flags := r.byte()
	m.SMTPUTF8 = flags&headSMTPUTF8 != 0
	m.RequireTLS = flags&headRequireTLS != 0
	m.Priority = r.byte()
	m.Body = Body(r.upTo(uint64(BodyBinaryMIME)))
	m.Ret = Ret(r.upTo(uint64(RetHeaders)))
	m.Size = r.varint()
	r.client(&m.Client)
	if flags&headHeloIsPTR != 0 {
		m.Client.Helo = m.Client.PTR
	}
	m.ServerID = r.shared()
	m.Subject = r.string()
	m.EnvID = r.string()
	m.Stage = r.shared()
}

func (r *reader) client(c *Client) {
	if c.IP.UnmarshalBinary(r.bytes()) != nil {
		r.bad = true
	}
	c.Port = uint16(r.upTo(math.MaxUint16))
	c.PTR = r.string()
	c.Helo = r.string()
	c.TLS = r.shared()
	c.Cipher = r.shared()
	c.Username = r.string()
}

// number returns the number of the recipient in this section, which is the i-th
// from 0, without moving on.
func (r reader) number(i uint64) uint32 {
	if r.uvarint()&hasNumber != 0 {
		return uint32(r.upTo(math.MaxUint32))
	}
	return uint32(i + 1)
}

// recipient reads the i-th recipient from 0; *v holds the first one.
func (r *reader) recipient(v *Recipient, i uint64) {
	v.Number = r.number(i)
	flags := r.uvarint()
	if flags&hasNumber != 0 {
		r.upTo(math.MaxUint32)
	}
	v.Address = r.address()
	if flags&hasSender != 0 {
		v.Sender = r.address()
	}
	if flags&hasTransport != 0 {
		v.Transport = r.shared()
	}
	if flags&hasJob != 0 {
		v.Job = r.shared()
	}
	if flags&hasTenant != 0 {
		v.Tenant = r.shared()
	}
	if flags&hasORcpt != 0 {
		v.ORcpt = r.string()
	}
	v.Hold = flags&isHeld != 0
	r.rare(v, flags)
}

// rare reads the fields that few recipients have.
func (r *reader) rare(v *Recipient, flags uint64) {
	if flags&hasNotify != 0 {
		v.Notify = Notify(r.upTo(uint64(notifyAll)))
	}
	if flags&hasNotBefore != 0 {
		v.NotBefore = r.time()
	}
	if flags&hasQuotas != 0 {
		v.Quotas = nil
		for range r.count(1) {
			v.Quotas = append(v.Quotas, r.shared())
		}
	}
	if flags&hasMetadata != 0 {
		v.Metadata = r.metadata()
	}
	if flags&hasPatch != 0 {
		v.Patch = append([]byte(nil), r.bytes()...)
	}
	if flags&hasPriority != 0 {
		v.Priority = r.byte()
	}
	if flags&hasReturn != 0 {
		v.Ret = Ret(r.upTo(uint64(RetHeaders)))
		v.EnvID = r.string()
	}
}

// reader takes fields off a section. A field that is damaged sets bad and reads
// as zero, as do those after the end of the section: a section may end early
// because the field is newer than its writer.
type reader struct {
	b      []byte
	i      int // next byte
	s      string
	intern func([]byte) string
	bad    bool
}

func (r *reader) byte() byte {
	if r.i >= len(r.b) {
		return 0
	}
	r.i++
	return r.b[r.i-1]
}

func (r *reader) uvarint() uint64 {
	if r.i >= len(r.b) {
		return 0
	}
	v, n := binary.Uvarint(r.b[r.i:])
	return r.advance(v, n)
}

func (r *reader) varint() int64 {
	if r.i >= len(r.b) {
		return 0
	}
	v, n := binary.Varint(r.b[r.i:])
	return int64(r.advance(uint64(v), n))
}

func (r *reader) advance(v uint64, n int) uint64 {
	if n <= 0 {
		r.bad = true
		r.i = len(r.b)
		return 0
	}
	r.i += n
	return v
}

func (r *reader) upTo(limit uint64) uint64 {
	v := r.uvarint()
	if v > limit {
		r.bad = true
		return 0
	}
	return v
}

// count reads a number of elements of at least size bytes each.
func (r *reader) count(size int) uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)-r.i)/uint64(size) {
		r.bad = true
		return 0
	}
	return n
}

// bytes returns the next string as a part of the section.
func (r *reader) bytes() []byte {
	n := int(r.count(1))
	r.i += n
	return r.b[r.i-n : r.i]
}

// section returns the next section, which unlike a field must be there.
func (r *reader) section() []byte {
	if r.i >= len(r.b) {
		r.bad = true
	}
	return r.bytes()
}

// string returns the next string as a part of one copy of the section.
func (r *reader) string() string {
	n := len(r.bytes())
	if n == 0 {
		return ""
	}
	if r.s == "" {
		r.s = string(r.b)
	}
	return r.s[r.i-n : r.i]
}

// shared returns a string that other messages are likely to have too.
func (r *reader) shared() string {
	if r.intern == nil {
		return r.string()
	}
	if b := r.bytes(); len(b) > 0 {
		return r.intern(b)
	}
	return ""
}

func (r *reader) address() address.Address {
	return address.Address{Local: r.string(), Domain: r.shared()}
}

func (r *reader) time() time.Time {
	if ms := r.varint(); ms != 0 {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}

func (r *reader) metadata() map[string]string {
	n := r.count(2)
	if n == 0 {
		return nil
	}
	m := make(map[string]string, min(n, 64))
	for range n {
		k := r.string()
		m[k] = r.string()
	}
	return m
}
