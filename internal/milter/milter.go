// Package milter asks mail filters that speak the protocol of Sendmail (milter,
// version 6, libmilter/mfdef.h) about a message that was received whole.
//
// Run plays the part of a mail server over a connection: it negotiates, tells of the
// client, the envelope, the header and the body, as far as the filter wants to hear,
// and gathers what the filter wants changed. A filter may decide at any step. The
// recipients and the sender cannot be changed: that is not offered.
package milter

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Transaction is what the filter is told.
type Transaction struct {
	Hostname   string // of the client by its address; may be empty
	Client     netip.AddrPort
	Helo       string
	Sender     string // without angle brackets
	Recipients []string
	ID         string
	Fields     []Field
	Body       io.Reader // CRLF line ends
}

// Field is a header field. The value has its folds, and no line end behind it.
type Field struct{ Name, Value string }

// Action is what the filter decides.
type Action string

// The actions.
const (
	Accept     Action = "none"
	Discard    Action = "discard"
	Reject     Action = "reject"
	TempFail   Action = "tempfail"
	SetReply   Action = "setreply" // Verdict has the reply
	Quarantine Action = "quarantine"
)

// Verdict is what the filter has decided and wants changed.
type Verdict struct {
	Action   Action
	Code     int    // of SetReply
	Enhanced string // of SetReply, such as 5.7.1; may be empty
	Reason   string // of SetReply and Quarantine
	Edits    []Edit // in order
	NewBody  bool   // the body is Body from here on
	Body     []byte
}

// EditKind says how a field is to be changed.
type EditKind byte

// The kinds of edits.
const (
	Add    EditKind = 'h' // at the end of the header
	Insert EditKind = 'i' // before the field at Index, 0 is the first
	Change EditKind = 'm' // the field at Index among its namesakes, from 1; an empty value removes it
)

// Edit is a change of one field.
type Edit struct {
	Kind  EditKind
	Index int
	Field
}

// Commands of the server and answers of the filter.
const (
	cmdNegotiate = 'O'
	cmdMacros    = 'D'
	cmdConnect   = 'C'
	cmdHelo      = 'H'
	cmdMail      = 'M'
	cmdRcpt      = 'R'
	cmdData      = 'T'
	cmdHeader    = 'L'
	cmdEndHeader = 'N'
	cmdBody      = 'B'
	cmdEnd       = 'E'
	cmdQuit      = 'Q'

	sayAccept     = 'a'
	sayContinue   = 'c'
	sayDiscard    = 'd'
	sayReject     = 'r'
	sayTempFail   = 't'
	sayReply      = 'y'
	saySkip       = 's'
	sayProgress   = 'p'
	sayConnFail   = 'f'
	sayBody       = 'b'
	sayQuarantine = 'q'
)

const (
	version = 6
	// offered are the actions: add and change fields, replace the body, quarantine.
	offered = 0x01 | 0x02 | 0x10 | 0x20
	// steps are all that a filter can decline, and that it may not answer to.
	steps       = 0x1fffff
	largestBody = 64 << 20 // of a new body
	largest     = 1 << 20  // of one packet
	chunk       = 65535
)

// Options bound a conversation. Zero has no end.
type Options struct {
	Timeout    time.Duration // for each answer
	EndTimeout time.Duration // for each answer to the end of the message
}

// session is a conversation.
type session struct {
	conn    net.Conn
	r       *bufio.Reader
	w       *bufio.Writer
	o       Options
	steps   uint32
	verdict Verdict
	decided bool
}

// Run has the conversation and closes nothing. The error says that the filter
// cannot be asked; the verdict is empty then.
func Run(conn net.Conn, o Options, t Transaction) (Verdict, error) {
	s := &session{conn: conn, r: bufio.NewReader(conn), w: bufio.NewWriter(conn), o: o, verdict: Verdict{Action: Accept}}
	if err := s.run(t); err != nil {
		return Verdict{}, fmt.Errorf("milter: %w", err)
	}
	return s.verdict, nil
}

func (s *session) run(t Transaction) error {
	if err := s.negotiate(); err != nil {
		return err
	}
	for _, f := range []func(Transaction) error{s.client, s.envelope, s.header, s.body, s.end} {
		if err := f(t); err != nil {
			return err
		}
		if s.decided {
			break
		}
	}
	_ = s.send(cmdQuit, "") // the verdict is there
	_ = s.w.Flush()
	return nil
}

func (s *session) negotiate() error {
	var b []byte
	for _, n := range []uint32{version, offered, steps} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	if err := s.send(cmdNegotiate, string(b)); err != nil {
		return err
	}
	say, data, err := s.receive(s.o.Timeout)
	switch {
	case err != nil:
		return err
	case say != cmdNegotiate || len(data) < 12:
		return fmt.Errorf("the filter does not negotiate: it says %q", say)
	}
	if v := binary.BigEndian.Uint32(data); v < 2 || v > version {
		return fmt.Errorf("the filter speaks version %d", v)
	}
	if wants := binary.BigEndian.Uint32(data[4:]); wants&^uint32(offered) != 0 {
		return fmt.Errorf("the filter wants to do more than is offered: %#x", wants&^uint32(offered))
	}
	s.steps = binary.BigEndian.Uint32(data[8:])
	return nil
}

// Bits of the steps that the filter declines, and of those that it does not answer.
const (
	noConnect, noHelo, noMail, noRcpt, noBody, noHeader, noEndHeader, noData = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x200

	quietHeader, quietConnect, quietHelo, quietMail, quietRcpt, quietData, quietEndHeader, quietBody = 0x80, 0x1000, 0x2000, 0x4000,
		0x8000, 0x10000, 0x40000, 0x80000
)

func (s *session) client(t Transaction) error {
	address, family := t.Client.Addr().Unmap(), "4"
	text := address.String()
	if address.Is6() {
		family, text = "6", "IPv6:"+text
	}
	host := t.Hostname
	if host == "" {
		host = "[" + address.String() + "]"
	}
	connect := clean(host) + "\x00" + family + string(binary.BigEndian.AppendUint16(nil, t.Client.Port())) + text + "\x00"
	if !t.Client.IsValid() {
		connect = clean(t.Hostname) + "\x00U"
	}
	if err := s.step(cmdConnect, connect, noConnect, quietConnect); err != nil || s.decided {
		return err
	}
	return s.step(cmdHelo, clean(t.Helo)+"\x00", noHelo, quietHelo)
}

func (s *session) envelope(t Transaction) error {
	if err := s.send(cmdMacros, string(cmdMail)+"i\x00"+clean(t.ID)+"\x00{mail_addr}\x00"+clean(t.Sender)+"\x00"); err != nil {
		return err
	}
	if err := s.step(cmdMail, "<"+clean(t.Sender)+">\x00", noMail, quietMail); err != nil || s.decided {
		return err
	}
	refused, last := 0, s.verdict
	for _, r := range t.Recipients {
		if err := s.send(cmdMacros, string(cmdRcpt)+"{rcpt_addr}\x00"+clean(r)+"\x00"); err != nil {
			return err
		}
		if err := s.step(cmdRcpt, "<"+clean(r)+">\x00", noRcpt, quietRcpt); err != nil {
			return err
		}
		if !s.decided {
			continue
		}
		if s.verdict.Action == Accept || s.verdict.Action == Discard {
			return nil
		}
		// A refusal is of that recipient alone, and of the message if there is no other.
		refused, last = refused+1, s.verdict
		s.decided, s.verdict = false, Verdict{Action: Accept}
	}
	if refused > 0 && refused == len(t.Recipients) {
		s.decided, s.verdict = true, last
		return nil
	}
	return s.step(cmdData, "", noData, quietData)
}

func (s *session) header(t Transaction) error {
	for _, f := range t.Fields {
		value := strings.ReplaceAll(f.Value, "\r\n", "\n")
		if err := s.step(cmdHeader, clean(f.Name)+"\x00"+clean(value)+"\x00", noHeader, quietHeader); err != nil || s.decided {
			return err
		}
	}
	return s.step(cmdEndHeader, "", noEndHeader, quietEndHeader)
}

func (s *session) body(t Transaction) error {
	if s.steps&noBody != 0 {
		return nil
	}
	b := make([]byte, chunk)
	for {
		n, err := io.ReadFull(t.Body, b)
		if n > 0 {
			skip, failed := s.piece(string(b[:n]))
			if failed != nil || skip || s.decided {
				return failed
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// piece sends a part of the body; skip says that the filter wants no more.
func (s *session) piece(text string) (skip bool, err error) {
	if err := s.send(cmdBody, text); err != nil || s.steps&quietBody != 0 {
		return false, err
	}
	say, data, err := s.receive(s.o.Timeout)
	if err != nil || say == saySkip {
		return say == saySkip, err
	}
	return false, s.decide(say, data)
}

// end ends the message and takes what is to be changed, until the filter decides.
func (s *session) end(Transaction) error {
	if err := s.send(cmdEnd, ""); err != nil {
		return err
	}
	for {
		say, data, err := s.receive(s.o.EndTimeout)
		if err != nil {
			return err
		}
		switch say {
		case sayProgress:
			continue
		case byte(Add), byte(Insert), byte(Change):
			if err := s.edit(EditKind(say), data); err != nil {
				return err
			}
			continue
		case sayBody:
			if len(s.verdict.Body)+len(data) > largestBody {
				return errors.New("the new body is too large")
			}
			s.verdict.NewBody, s.verdict.Body = true, append(s.verdict.Body, data...)
			continue
		case sayQuarantine:
			s.verdict.Action, s.verdict.Reason = Quarantine, first(data)
			continue
		case sayContinue:
			return nil
		}
		quarantined := s.verdict.Action == Quarantine
		err = s.decide(say, data)
		if quarantined && s.verdict.Action == Accept {
			s.verdict.Action = Quarantine
		}
		return err
	}
}

// mostEdits bounds what a filter can want.
const mostEdits = 10000

func (s *session) edit(kind EditKind, data []byte) error {
	e := Edit{Kind: kind}
	if kind != Add {
		if len(data) < 4 {
			return errors.New("an edit is too short")
		}
		e.Index = int(binary.BigEndian.Uint32(data))
		data = data[4:]
	}
	parts := strings.SplitN(string(data), "\x00", 3)
	if len(parts) < 3 || parts[0] == "" || len(s.verdict.Edits) >= mostEdits {
		return errors.New("an edit is malformed, or there are too many")
	}
	e.Field = Field{parts[0], parts[1]}
	s.verdict.Edits = append(s.verdict.Edits, e)
	return nil
}

// step sends a command that the filter has not declined and heeds its answer.
func (s *session) step(cmd byte, data string, declined, quiet uint32) error {
	if s.steps&declined != 0 {
		return nil
	}
	if err := s.send(cmd, data); err != nil || s.steps&quiet != 0 {
		return err
	}
	say, answer, err := s.receive(s.o.Timeout)
	if err != nil {
		return err
	}
	return s.decide(say, answer)
}

func (s *session) decide(say byte, data []byte) error {
	switch say {
	case sayContinue, saySkip:
		return nil
	case sayAccept:
		s.verdict.Action = Accept
	case sayDiscard:
		s.verdict.Action = Discard
	case sayReject:
		s.verdict.Action = Reject
	case sayTempFail, sayConnFail:
		s.verdict.Action = TempFail
	case sayReply:
		return s.reply(first(data))
	default:
		return fmt.Errorf("unexpected answer %q", say)
	}
	s.decided = true
	return nil
}

// reply reads "550 5.7.1 text"; the enhanced code may be missing. Of several lines
// the texts are joined.
func (s *session) reply(text string) error {
	s.decided, s.verdict.Action = true, SetReply
	var reasons []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 {
			return fmt.Errorf("a malformed reply %q", text)
		}
		code, err := strconv.Atoi(line[:3])
		if err != nil || code < 400 || code > 599 {
			return fmt.Errorf("a malformed reply %q", text)
		}
		rest := strings.TrimLeft(line[3:], " -")
		if word, after, _ := strings.Cut(rest, " "); isEnhanced(word) {
			s.verdict.Enhanced, rest = word, after
		}
		s.verdict.Code = code
		reasons = append(reasons, rest)
	}
	s.verdict.Reason = strings.Join(reasons, "\n")
	return nil
}

func isEnhanced(word string) bool {
	parts := strings.Split(word, ".")
	for _, p := range parts {
		if n, err := strconv.Atoi(p); err != nil || n < 0 || n > 999 {
			return false
		}
	}
	return len(parts) == 3
}

func (s *session) send(cmd byte, data string) error {
	if err := s.conn.SetWriteDeadline(deadline(s.o.Timeout)); err != nil {
		return err
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))
	if _, err := s.w.Write(append(head, cmd)); err != nil {
		return err
	}
	_, err := s.w.WriteString(data)
	return err
}

// receive reads an answer, once all that was sent is on its way.
func (s *session) receive(limit time.Duration) (say byte, data []byte, err error) {
	if err := s.conn.SetReadDeadline(deadline(limit)); err != nil {
		return 0, nil, err
	}
	if err := s.w.Flush(); err != nil {
		return 0, nil, err
	}
	var head [5]byte
	if _, err := io.ReadFull(s.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > largest {
		return 0, nil, fmt.Errorf("a packet of %d bytes", n)
	}
	data = make([]byte, n-1)
	_, err = io.ReadFull(s.r, data)
	return head[4], data, err
}

// deadline is when a limit ends that begins now; zero for none.
func deadline(limit time.Duration) time.Time {
	if limit <= 0 {
		return time.Time{}
	}
	return time.Now().Add(limit)
}

// first is the text before a NUL.
func first(data []byte) string {
	text, _, _ := strings.Cut(string(data), "\x00")
	return text
}

// clean takes NULs out, which end texts.
func clean(text string) string { return strings.ReplaceAll(text, "\x00", "") }
