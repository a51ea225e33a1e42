// Package sequence numbers test messages, so that whoever receives them can
// tell what was lost and what came twice.
//
// The sender puts a Mark into each message: the name of its run, the number of
// the message in that run, and how many recipients it has. Each recipient of a
// message is an entry with a number of its own, message number times recipients
// plus position, because a mail server between the two may split a message and
// deliver its recipients one by one.
//
// The receiver keeps a Ledger, one bit per entry. The sender may write down each
// entry that was acknowledged to it (Log); an entry in the log that is not in
// the ledger was lost, however brutally the server between was treated.
package sequence

import (
	"bytes"
	"fmt"
	"strconv"
)

// Header is the name of the header field that carries a Mark.
const Header = "X-Posthaste-Seq"

// maxRun bounds the length of a run's name, which the receiver keeps.
const maxRun = 32

// Mark identifies one message.
type Mark struct {
	Run        string // 1 to 32 letters, digits, '.', '_' or '-'
	Number     uint64 // from 0
	Recipients uint32 // of the message as sent; at least 1
}

// AppendMark appends the text of the mark, "run/number" with "/recipients"
// behind it when there are several.
func AppendMark(b []byte, m Mark) []byte {
	b = append(append(b, m.Run...), '/')
	b = strconv.AppendUint(b, m.Number, 10)
	if m.Recipients != 1 {
		b = strconv.AppendUint(append(b, '/'), uint64(m.Recipients), 10)
	}
	return b
}

// String returns the text of the mark.
func (m Mark) String() string { return string(AppendMark(nil, m)) }

// Entry returns the number of the entry for the recipient at position i.
func (m Mark) Entry(i int) uint64 { return m.Number*uint64(m.Recipients) + uint64(i) }

// Owns reports whether entry belongs to this message.
func (m Mark) Owns(entry uint64) bool { return entry/uint64(m.Recipients) == m.Number }

// ParseMark reads the text of a mark. Space around it is ignored.
func ParseMark(text []byte) (Mark, error) {
	name, rest, _ := bytes.Cut(bytes.TrimSpace(text), []byte("/"))
	number, recipients, several := bytes.Cut(rest, []byte("/"))
	m := Mark{Run: string(name), Recipients: 1}
	var err error
	if m.Number, err = parseNumber(number, 64); err != nil || !ValidRun(m.Run) {
		return Mark{}, fmt.Errorf("sequence: bad mark %.60q", text)
	}
	if several {
		n, err := parseNumber(recipients, 32)
		if err != nil || n == 0 {
			return Mark{}, fmt.Errorf("sequence: bad number of recipients in mark %.60q", text)
		}
		m.Recipients = uint32(n)
	}
	return m, nil
}

// parseNumber reads digits only, where strconv would also take a sign.
func parseNumber(b []byte, bits int) (uint64, error) {
	if len(b) == 0 || b[0] < '0' || b[0] > '9' {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseUint(string(b), 10, bits)
}

// ValidRun reports whether name can name a run.
func ValidRun(name string) bool {
	if name == "" || len(name) > maxRun {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
