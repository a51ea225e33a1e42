package mime

import (
	"errors"
	"io"

	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

// HasBody reports whether an empty line ends the header, so that there is a body,
// which may be empty.
func (p *Part) HasBody() bool { return p.bodyStart > p.headerEnd }

// HeaderSize returns the bytes of the header as it came, without the empty line
// behind it.
func (p *Part) HeaderSize() int64 { return p.headerEnd - p.start }

// BodySize returns the bytes of the body as it came.
func (p *Part) BodySize() int64 { return max(0, p.end-p.bodyStart) }

// RawBody returns the body as it came, with all that belongs to a multipart.
func (p *Part) RawBody() *io.SectionReader {
	return io.NewSectionReader(p.message.source, p.bodyStart, p.BodySize())
}

// Body returns the body without its transfer encoding; characters are not
// converted. A broken encoding is read as far as it goes, an unknown one as it
// is, and that of a multipart is ignored, as it may have none (RFC 2045 §6.4).
func (p *Part) Body() io.Reader {
	if p.isMultipart() {
		return p.RawBody()
	}
	encoding, _ := p.encoding()
	return transfer.NewReader(p.RawBody(), encoding)
}

// encoding returns the declared transfer encoding. It reports false if there is
// none.
func (p *Part) encoding() (transfer.Encoding, bool) {
	f := p.field("content-transfer-encoding", 0)
	if f == nil {
		return transfer.SevenBit, false // RFC 2045 §6.1
	}
	v := field.ParseValue(f.Value, "")
	e, _ := transfer.Parse(v.Main)
	return e, true
}

// Content returns the body, without its transfer encoding if decode is set, and
// fails with ErrTooLarge if that has more than limit bytes.
func (p *Part) Content(decode bool, limit int64) ([]byte, error) {
	var r io.Reader = p.RawBody()
	if decode {
		r = p.Body()
	}
	b, err := collect(r, p.BodySize(), limit)
	if !errors.Is(err, ErrTooLarge) {
		p.message.fail(err)
	}
	return b, err
}

// Preamble returns the text in front of the first delimiter of a multipart (RFC
// 2046 §5.1.1), without the line end that belongs to the delimiter. It reports
// false for anything else.
func (p *Part) Preamble() (string, bool) {
	p.message.scan()
	if p.boundary == "" {
		return "", false
	}
	end := p.firstDash()
	if end < 0 {
		end = p.end
	}
	return p.text(p.bodyStart, end, true), true
}

// Epilogue returns the text behind the last delimiter of a multipart. It reports
// false for anything else.
func (p *Part) Epilogue() (string, bool) {
	p.message.scan()
	switch {
	case p.boundary == "":
		return "", false
	case p.closeAt < 0:
		return "", true
	}
	return p.text(p.closeEnd, p.end, false), true
}

// firstDash returns the offset of the first delimiter, or -1.
func (p *Part) firstDash() int64 {
	if len(p.children) > 0 {
		return p.children[0].dash
	}
	return p.closeAt
}

// longestText bounds preambles and epilogues.
const longestText = 1 << 20

// text returns a stretch of the original.
func (p *Part) text(from, to int64, cutEnd bool) string {
	if to <= from {
		return ""
	}
	b, err := collect(io.NewSectionReader(p.message.source, from, min(to-from, longestText)), to-from, longestText)
	if err != nil {
		p.message.fail(err)
	}
	if cutEnd {
		b = trimLineEnd(b)
	}
	return string(b)
}

func trimLineEnd(b []byte) []byte {
	for _, c := range []byte("\n\r") {
		if n := len(b); n > 0 && b[n-1] == c {
			b = b[:n-1]
		}
	}
	return b
}
