package message

import (
	"encoding/binary"
)

// Summary is what intake, loop detection and listings want to know of a message.
type Summary struct {
	Header int // length of the header block, without the empty line behind it
	Body   int // offset of the body; equal to Header when there is no empty line

	Received  int    // number of Received fields
	Subject   string // of the first Subject: decoded, at most MaxText bytes
	MessageID string // of the first Message-ID, with its brackets: at most MaxText bytes

	HasFrom      bool
	HasDate      bool
	HasMessageID bool
	// EightBit says that the header holds bytes outside ASCII, so that the
	// message needs SMTPUTF8 (RFC 6532 §3).
	EightBit bool
}

// MaxText is the length in bytes at which Summarize cuts texts. A cut text ends
// with a whole character.
const MaxText = 256

// Summarize reads the header block with which b begins; b may be the whole
// message or any part of it that holds the header. It takes less than 1 µs per KB
// of header and allocates little more than the two strings.
func Summarize(b []byte) Summary {
	var s Summary
	for f := range Fields(b) {
		s.Header = f.End
		switch len(f.Name) { // spares most fields the comparison
		case len("from"), len("subject"), len("received"), len("message-id"):
			s.add(f)
		}
	}
	s.Body = s.Header + emptyLine(b[s.Header:])
	s.EightBit = !IsASCII(b[:s.Header])
	return s
}

func (s *Summary) add(f Field) {
	switch {
	case f.Is("received"):
		s.Received++
	case f.Is("from"):
		s.HasFrom = true
	case f.Is("date"):
		s.HasDate = true
	case f.Is("subject") && s.Subject == "":
		s.Subject = f.Text(MaxText)
	case f.Is("message-id") && !s.HasMessageID:
		s.HasMessageID = true
		s.MessageID = clean(string(f.AppendUnfolded(nil)), MaxText)
	}
}

// IsASCII reports whether no byte of b is above 127.
func IsASCII(b []byte) bool {
	const high = 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		if binary.LittleEndian.Uint64(b)&high != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
