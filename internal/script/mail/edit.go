package mail

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/field"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/message/transfer"
)

var (
	encodeOption = declare.Option("boolean encode = true", "Encode what is not ASCII (RFC 2047) and fold long lines; without it the value is inserted as it is, folds and all.")
	wordOption   = declare.Option(`string encoding = "Q"`, "The form of encoded words: Q, which stays readable, or B, base64.")
)

// setters change headers and bodies. What is done to a part that was removed or
// written over changes nothing.
func setters() []*value.Builtin {
	verbatim := declare.Option("boolean encode = false", "Encode what is not ASCII (RFC 2047) and fold long lines, instead of inserting the value as it is.")
	return []*value.Builtin{
		declare.Method("setHeader(string name, string value, [array options]) number",
			"Replaces all fields of that name by one, or the one of the option index. Adds the field at the end of the header if there is none. Returns how many it replaced or added.", onPart(setHeader),
			indexOption, encodeOption, wordOption),
		declare.Method("addHeader(string name, string value, [array options])", "Adds a field on top of the part.", onPart(addHeader), verbatim, wordOption),
		declare.Method("delHeader(string name, [array options]) number", "Deletes all fields of that name, or the one of the option index, and returns how many.", onPart(delHeader), indexOption),
		declare.Method("renameHeader(string name, string newname) number", "Gives all fields of a name another name and returns how many there were.", onPart(renameHeader)),
		declare.Method("setDateLater() number", "Sets the Date to the time at which the message is queued, sent, signed or written out.", onPart(setDateLater)),
		declare.Method("setBody(string data, [array options]) MIMEPart or none",
			"Gives the part another body, also in place of parts, in the transfer encoding that keeps it readable. Returns the part, or none if it was removed.", onPart(setBody),
			declare.Option("string encoding", "base64 encodes the data so; 7bit, 8bit and quoted-printable say how the data is encoded already.")),
		declare.Method("setPreamble(string data) MIMEPart or none", "Gives a multipart the text in front of its first part. Returns none for anything else.", onPart(setPreamble)),
		declare.Method("setEpilogue(string data) MIMEPart or none", "Gives a multipart the text behind its last part. Returns none for anything else.", onPart(setEpilogue)),
	}
}

// formOf reads how a value is to be written.
func formOf(c *value.Call, o value.Options) (field.Form, error) {
	if !o.Bool("encode") {
		return field.Verbatim, nil
	}
	switch o.Str("encoding") {
	case "Q", "q":
		return field.Q, nil
	case "B", "b", "base64":
		return field.B, nil
	}
	return 0, declare.UnwantedOption(c, "encoding", "Q or B", o.Get("encoding"))
}

// indexOf reads which field is meant.
func indexOf(o value.Options) int {
	if !o.Has("index") {
		return mime.All
	}
	if i := o.Int("index"); i >= 0 {
		return i
	}
	return never
}

// never is the index of a field that no message has.
const never = 1 << 30

func setHeader(c *value.Call, p *part) (value.Value, error) {
	o := c.Options(2)
	form, err := formOf(c, o)
	if err != nil {
		return value.None, err
	}
	if err := p.message.keep(c, c.Args[1]); err != nil {
		return value.None, err
	}
	n, err := p.SetHeader(c.Str(0), c.Str(1), indexOf(o), form)
	return p.counted(c, n, err)
}

// counted returns how many fields an edit of the header changed.
func (p *part) counted(c *value.Call, n int, err error) (value.Value, error) {
	if err != nil && !impossible(err) {
		return value.None, failed(c, err)
	}
	return value.Int(n), p.worked(c)
}

// worked counts the steps of an edit, which grow with the edits before it.
func (p *part) worked(c *value.Call) error { return c.Step(16 + p.message.mime().Edits()) }

func addHeader(c *value.Call, p *part) (value.Value, error) {
	form, err := formOf(c, c.Options(2))
	if err != nil {
		return value.None, err
	}
	if err := p.message.keep(c, c.Args[1]); err != nil {
		return value.None, err
	}
	if err := p.AddHeader(c.Str(0), c.Str(1), form); err != nil && !impossible(err) {
		return value.None, failed(c, err)
	}
	return value.None, p.worked(c)
}

func delHeader(c *value.Call, p *part) (value.Value, error) {
	n := p.DelHeader(c.Str(0), indexOf(c.Options(1)))
	if err := p.message.keep(c); err != nil {
		return value.None, err
	}
	return p.counted(c, n, nil)
}

func renameHeader(c *value.Call, p *part) (value.Value, error) {
	if err := p.message.keep(c); err != nil {
		return value.None, err
	}
	n, err := p.RenameHeader(c.Str(0), c.Str(1))
	return p.counted(c, n, err)
}

func setDateLater(c *value.Call, p *part) (value.Value, error) {
	if err := p.message.keep(c); err != nil {
		return value.None, err
	}
	n, err := p.SetDateLater()
	return p.counted(c, n, err)
}

// done returns the object that was changed, or none if it could not be.
func (p *part) done(c *value.Call, err error) (value.Value, error) {
	switch {
	case err == nil:
		return value.FromObject(c.This), p.worked(c)
	case impossible(err):
		return value.None, nil
	}
	return value.None, failed(c, err)
}

func setBody(c *value.Call, p *part) (value.Value, error) {
	o := c.Options(1)
	encoding := transfer.Encoding("")
	if o.Has("encoding") {
		known, ok := transfer.Parse(o.Str("encoding"))
		if !ok {
			return value.None, declare.UnwantedOption(c, "encoding", "7bit, 8bit, quoted-printable or base64", o.Get("encoding"))
		}
		encoding = known
	}
	if err := p.message.keep(c, c.Args[0]); err != nil {
		return value.None, err
	}
	return p.done(c, p.SetBody(c.Str(0), encoding))
}

func setPreamble(c *value.Call, p *part) (value.Value, error) {
	if err := p.message.keep(c, c.Args[0]); err != nil {
		return value.None, err
	}
	return p.done(c, p.SetPreamble(c.Str(0)))
}

func setEpilogue(c *value.Call, p *part) (value.Value, error) {
	if err := p.message.keep(c, c.Args[0]); err != nil {
		return value.None, err
	}
	return p.done(c, p.SetEpilogue(c.Str(0)))
}
