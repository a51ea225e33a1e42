package web

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// body is what is posted.
type body struct {
	reader io.Reader // nil posts nothing
	kind   string    // Content-Type
	pieces *pieces   // where the reader is a function of the script
}

const formType = "application/x-www-form-urlencoded"

func bodyOf(c *value.Call) (*body, error) {
	switch post := c.Args[3]; post.Kind() {
	case value.KindString:
		return &body{reader: strings.NewReader(post.Str()), kind: formType}, nil
	case value.KindArray:
		return form(c, post.Array())
	case value.KindFunction:
		p := &pieces{call: c, wanted: make(chan int), given: make(chan piece), done: make(chan struct{})}
		return &body{reader: p, kind: formType, pieces: p}, nil
	}
	return &body{}, nil
}

// form writes the fields of a form, as parts if one of them is an array.
func form(c *value.Call, fields *value.Array) (*body, error) {
	for v := range fields.Values() {
		if v.IsArray() {
			return parts(c, fields)
		}
	}
	var b strings.Builder
	for name, v := range fields.All() {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escape(name.Text()) + "=" + escape(v.Text()))
	}
	return &body{reader: strings.NewReader(b.String()), kind: formType}, c.Alloc(b.Len())
}

// parts writes the fields as multipart/form-data (RFC 7578).
func parts(c *value.Call, fields *value.Array) (*body, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, v := range fields.All() {
		data, disposition, kind := v, `form-data; name="`+quoted(name.Text())+`"`, ""
		if a := v.Array(); a != nil {
			data, _ = a.GetString("data")
			if file, ok := a.GetString("filename"); ok {
				disposition += `; filename="` + quoted(file.Text()) + `"`
			}
			given, _ := a.GetString("type")
			kind = given.Text()
		}
		header := textproto.MIMEHeader{"Content-Disposition": {disposition}}
		if kind != "" {
			header.Set("Content-Type", quoted(kind))
		}
		part, err := w.CreatePart(header)
		if err != nil {
			return nil, err
		}
		io.WriteString(part, data.Text()) //nolint:errcheck // into memory
		if err := c.Alloc(data.StrLen()); err != nil {
			return nil, err
		}
	}
	return &body{reader: &b, kind: w.FormDataContentType()}, w.Close()
}

// quoted keeps a name within its quotes and its line.
func quoted(s string) string {
	return strings.NewReplacer("\r", "%0D", "\n", "%0A", `"`, "%22").Replace(s)
}

// pieces is a body that a function of the script makes. The transport reads it
// in a goroutine of its own, but script code runs only on that of the script:
// each Read asks there, in serve, and waits.
type pieces struct {
	call   *value.Call
	wanted chan int      // how much the transport can take
	given  chan piece    // one for each that is wanted
	done   chan struct{} // closed by serve: there will be no more
	rest   string        // of the last piece
}

type piece struct {
	text string
	err  error
}

// callbackError is what the function of the script threw.
type callbackError struct{ err error }

func (e *callbackError) Error() string { return e.err.Error() }

// Read implements io.Reader.
func (p *pieces) Read(b []byte) (int, error) {
	if p.rest == "" {
		select {
		case p.wanted <- len(b):
		case <-p.done:
			return 0, io.ErrUnexpectedEOF
		}
		next := <-p.given
		if next.err != nil {
			return 0, next.err
		}
		if next.text == "" {
			return 0, io.EOF
		}
		p.rest = next.text
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// ask calls the function of the script.
func (p *pieces) ask(size int) piece {
	v, err := p.call.Call(p.call.Args[3], value.Int(size))
	if err != nil {
		return piece{err: &callbackError{err}}
	}
	return piece{text: v.Text()}
}

// serve does the request, and calls the function of the script meanwhile.
func (b *body) serve(do func() (*http.Response, error)) (*http.Response, error) {
	p := b.pieces
	if p == nil {
		return do()
	}
	type answer struct {
		response *http.Response
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		response, err := do() //nolint:bodyclose // whoever gets the answer closes it
		answers <- answer{response, err}
	}()
	defer close(p.done)
	var thrown error
	for {
		select {
		case size := <-p.wanted:
			next := p.ask(size)
			if next.err != nil {
				thrown = next.err
			}
			p.given <- next
		case a := <-answers:
			if thrown != nil {
				if a.response != nil {
					a.response.Body.Close()
				}
				return nil, thrown
			}
			return a.response, a.err
		}
	}
}
