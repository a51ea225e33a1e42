package smtp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrReply says that what a peer sent is no reply.
var ErrReply = errors.New("smtp: malformed reply")

// Reply is one SMTP reply, of either side. The zero Reply means that there was
// none.
type Reply struct {
	Code     int          // three digits
	Enhanced EnhancedCode // RFC 3463; zero when the peer sent none
	Lines    []string     // text of each line, without codes
}

// NewReply returns a reply of the lines given.
func NewReply(code int, enhanced EnhancedCode, lines ...string) Reply {
	return Reply{Code: code, Enhanced: enhanced, Lines: lines}
}

// IsZero reports whether there is no reply.
func (r Reply) IsZero() bool { return r.Code == 0 }

// Positive reports whether the command was carried out: 2xx.
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Intermediate reports whether more is asked for: 3xx.
func (r Reply) Intermediate() bool { return r.Code/100 == 3 }

// Transient reports a failure that may pass: 4xx.
func (r Reply) Transient() bool { return r.Code/100 == 4 }

// Permanent reports a failure that will not pass: 5xx.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// Text returns the lines without codes, joined by newlines.
func (r Reply) Text() string {
	if len(r.Lines) == 1 {
		return r.Lines[0]
	}
	return strings.Join(r.Lines, "\n")
}

// String returns the reply on one line, for logs and reports.
func (r Reply) String() string {
	if r.IsZero() {
		return ""
	}
	b := strconv.AppendInt(nil, int64(r.Code), 10)
	if !r.Enhanced.IsZero() {
		b = r.Enhanced.Append(append(b, ' '))
	}
	for _, line := range r.Lines {
		b = append(append(b, ' '), line...)
	}
	return string(b)
}

// maxReplyText keeps our reply lines within RFC 5321 §4.5.3.1.5: 512 octets
// with codes and line end.
const maxReplyText = 512 - len("250-") - len("5.999.999 ") - len("\r\n")

// Append appends the reply as it goes over the wire. Line ends inside a text
// begin a new line of the reply, other control characters become spaces, and
// lines that are too long are broken.
func (r Reply) Append(b []byte) []byte {
	if len(r.Lines) == 0 {
		return r.appendLine(b, "", true)
	}
	end := len(r.Lines) - 1
	for _, text := range r.Lines[:end] {
		b = r.appendText(b, text, false)
	}
	return r.appendText(b, r.Lines[end], true)
}

// appendText appends one text, of which last says whether it is the last.
func (r Reply) appendText(b []byte, text string, last bool) []byte {
	if isLine(text) { // nearly always
		return r.appendLine(b, text, last)
	}
	rest := strings.TrimSuffix(text, "\n")
	for {
		line, more := cutLine(rest)
		b = r.appendLine(b, clean(line), last && more == "")
		if more == "" {
			return b
		}
		rest = more
	}
}

func (r Reply) appendLine(b []byte, text string, last bool) []byte {
	b = strconv.AppendInt(b, int64(r.Code), 10)
	if last {
		b = append(b, ' ')
	} else {
		b = append(b, '-')
	}
	if !r.Enhanced.IsZero() {
		b = append(r.Enhanced.Append(b), ' ')
	}
	b = append(b, text...)
	return append(b, '\r', '\n')
}

// isLine reports whether s can stand in one line of a reply as it is.
func isLine(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return len(s) <= maxReplyText
}

// cutLine takes one line of at most maxReplyText octets off the start of s, and
// breaks between words and never within a character.
func cutLine(s string) (line, rest string) {
	if i := strings.IndexByte(s, '\n'); i >= 0 && i <= maxReplyText {
		return strings.TrimSuffix(s[:i], "\r"), s[i+1:]
	}
	if len(s) <= maxReplyText {
		return s, ""
	}
	if i := strings.LastIndexByte(s[:maxReplyText], ' '); i > 0 {
		return s[:i], s[i+1:]
	}
	n := maxReplyText
	for n > 1 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n], s[n:]
}

// clean goes byte by byte: text in an old charset stays as it is.
func clean(s string) string {
	if isLine(s) {
		return s
	}
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// ReadReply reads one reply of any number of lines. Its errors are those of the
// Reader, or ErrReply.
func ReadReply(r *Reader) (Reply, error) {
	var reply Reply
	for range maxReplyLines {
		line, err := r.ReadLine(MaxReply)
		if err != nil && !errors.Is(err, ErrBareLF) {
			return Reply{}, err
		}
		more, err := reply.add(line)
		if err != nil {
			return Reply{}, err
		}
		if !more {
			return reply, nil
		}
	}
	return Reply{}, fmt.Errorf("%w: more than %d lines", ErrReply, maxReplyLines)
}

// ParseReply parses a whole reply as Append writes it.
func ParseReply(s string) (Reply, error) {
	var reply Reply
	for {
		line, rest, ok := strings.Cut(s, "\r\n")
		if !ok {
			return Reply{}, ErrReply
		}
		more, err := reply.add([]byte(line))
		switch {
		case err != nil:
			return Reply{}, err
		case more:
			s = rest
		case rest != "":
			return Reply{}, ErrReply
		default:
			return reply, nil
		}
	}
}

// add takes in one line and reports whether more follow.
func (r *Reply) add(line []byte) (more bool, err error) {
	if len(line) < 3 {
		return false, ErrReply
	}
	code, err := strconv.Atoi(string(line[:3]))
	if err != nil || code < 200 || code > 599 || r.Code != 0 && code != r.Code {
		return false, fmt.Errorf("%w: %q", ErrReply, line[:min(len(line), 80)])
	}
	text := ""
	if len(line) > 3 { // RFC 5321 §4.2: the text and its space may be missing
		if line[3] != ' ' && line[3] != '-' {
			return false, fmt.Errorf("%w: %q", ErrReply, line[:min(len(line), 80)])
		}
		more = line[3] == '-'
		text = string(line[4:])
	}
	// RFC 2034 §4: the code stands on every line and its class is that of the
	// reply.
	if e, rest, ok := CutEnhanced(text); ok && int(e[0]) == code/100 && (r.Code == 0 || e == r.Enhanced) {
		r.Enhanced = e
		text = rest
	}
	r.Code = code
	r.Lines = append(r.Lines, text)
	return more, nil
}
