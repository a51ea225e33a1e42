package mail

import (
	"errors"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

// part is the state of a MIMEPart.
type part struct {
	*mime.Part
	message *Message
}

// PrivateToThread implements value.Private.
func (p *part) PrivateToThread() {}

// EachValue implements value.Holder.
func (p *part) EachValue(f func(value.Value) error) error { return p.message.EachValue(f) }

// onPart makes a builtin of what is done with a part, which the whole message is
// too.
func onPart(f func(*value.Call, *part) (value.Value, error)) declare.Func {
	return func(c *value.Call) (value.Value, error) {
		var p part
		switch n := c.This.Native.(type) {
		case *part:
			p = *n
		case *Message:
			p.message = n
		}
		if err := p.message.check(c); err != nil {
			return value.None, err
		}
		if p.Part == nil {
			p.Part = p.message.mime().Root()
		}
		v, err := f(c, &p)
		if err == nil {
			err = p.message.check(c)
		}
		return v, err
	}
}

// partClass is the class MIMEPart.
var partClass = &value.Class{Name: "MIMEPart", Doc: "A part of a message. What the getters tell is the original, whatever was edited."}

// The methods make objects of the class, so they cannot stand in its declaration.
func init() {
	partClass.Methods = partMethods()
	declare.Examples(partClass, partExamples)
}

// partMethods are those of parts.
func partMethods() []*value.Builtin { return append(getters(), append(setters(), inserters()...)...) }

var (
	fieldOption  = declare.Option("boolean field = false", "Return the whole field with its name, as it came, with its line end.")
	decodeOption = declare.Option("boolean decode = true", "Unfold, decode encoded words and convert to UTF-8; without it the value is only unfolded.")
	indexOption  = declare.Option("number index", "Which of the fields of that name in the original, counted from 0 at the top.")
)

// getters tell what the part is.
func getters() []*value.Builtin {
	return []*value.Builtin{
		declare.Method("getID() string", `Returns what names the part within the message: "0" the whole, "1" and "2" its parts, "1.2" a part of a part.`, onPart(getID)),
		declare.Method("getSize() number", "Returns how many bytes the part has, with its header.", onPart(getSize)),
		declare.Method("getFileName() string or none", "Returns the name that the sender gave to the part as a file, or none.", onPart(getFileName)),
		declare.Method("getType() string or none", "Returns the type and subtype in lower case, or none without a Content-Type.", onPart(getType)),
		declare.Method("getTypeParameter(string name) string or none", "Returns a parameter of the Content-Type, or none.", onPart(getTypeParameter)),
		declare.Method("getHeader(string name, [array options]) string or none", "Returns the topmost field of that name as UTF-8, or none.", onPart(getHeader),
			indexOption, fieldOption, decodeOption),
		declare.Method("getHeaders(string name, [array options]) array", "Returns all fields of that name, from top to bottom.", onPart(getHeaders), fieldOption, decodeOption),
		declare.Method("getHeaderNames() array", "Returns the names of all fields in lower case, from top to bottom, as often as they occur.", onPart(getHeaderNames)),
		declare.Method("getBody([array options]) string or none", "Returns the body without its transfer encoding; characters are not converted.", onPart(getBody),
			declare.Option("boolean decode = true", "False returns the bytes as they came.")),
		declare.Method("getPreamble() string or none", "Returns the text in front of the first part of a multipart; none for anything else.", onPart(getPreamble)),
		declare.Method("getEpilogue() string or none", "Returns the text behind the last part of a multipart; none for anything else.", onPart(getEpilogue)),
		declare.Method("findByType(Regex or string type) array", "Returns the parts below this one, at any depth, whose type matches a pattern. A string is a pattern in any case.", onPart(findByType)),
		declare.Method("findByFileName(Regex or string filename) array", "Returns the parts below this one, at any depth, whose file name matches a pattern. A string is a pattern in any case.", onPart(findByFileName)),
		declare.Method("getByID(string id) MIMEPart or none", "Returns the part of that id if it is this one or below it, or none.", onPart(getByID)),
		declare.Method("getParts() array", "Returns the parts of a multipart.", onPart(getParts)),
		declare.Method("getErrors() array", "Returns what is wrong with the part itself: bad_header, unclosed_boundary.", onPart(getErrors)),
	}
}

// orNone returns a text if there is one.
func orNone(c *value.Call, s string, ok bool) (value.Value, error) {
	if !ok {
		return value.None, nil
	}
	return declare.Text(c, s)
}

func getID(c *value.Call, p *part) (value.Value, error) { return declare.Text(c, p.ID()) }

func getSize(_ *value.Call, p *part) (value.Value, error) {
	return value.Number(float64(p.Size())), nil
}

func getFileName(c *value.Call, p *part) (value.Value, error) {
	name, ok := p.FileName()
	return orNone(c, name, ok)
}

func getType(c *value.Call, p *part) (value.Value, error) {
	kind, ok := p.Type()
	return orNone(c, kind, ok)
}

func getTypeParameter(c *value.Call, p *part) (value.Value, error) {
	text, ok := p.TypeParameter(c.Str(0))
	return orNone(c, text, ok)
}

// reading is the form that the options ask for.
func reading(o value.Options) mime.Reading {
	switch {
	case o.Bool("field"):
		return mime.Whole
	case o.Bool("decode"):
		return mime.Text
	}
	return mime.Unfolded
}

func getHeader(c *value.Call, p *part) (value.Value, error) {
	o := c.Options(1)
	text, ok := p.Header(c.Str(0), o.Int("index"), reading(o))
	return orNone(c, text, ok)
}

func getHeaders(c *value.Call, p *part) (value.Value, error) {
	return listOf(c, p.Headers(c.Str(0), reading(c.Options(1))))
}

func getHeaderNames(c *value.Call, p *part) (value.Value, error) {
	return listOf(c, p.HeaderNames())
}

// listOf returns a list of texts, charged to the script.
func listOf(c *value.Call, texts []string) (value.Value, error) {
	size := 0
	for _, s := range texts {
		size += len(s)
	}
	if err := c.Alloc(size); err != nil {
		return value.None, err
	}
	return declare.Array(c, value.Strings(texts))
}

func getBody(c *value.Call, p *part) (value.Value, error) {
	if err := c.AllocFloat(float64(p.BodySize())); err != nil {
		return value.None, err
	}
	b, err := p.Content(c.Options(0).Bool("decode"), bodyLimit)
	if err != nil {
		return value.None, failed(c, err)
	}
	return declare.Bytes(c, b)
}

func getPreamble(c *value.Call, p *part) (value.Value, error) {
	text, ok := p.Preamble()
	return orNone(c, text, ok)
}

func getEpilogue(c *value.Call, p *part) (value.Value, error) {
	text, ok := p.Epilogue()
	return orNone(c, text, ok)
}

func findByType(c *value.Call, p *part) (value.Value, error) { return find(c, p, (*mime.Part).Type) }

func findByFileName(c *value.Call, p *part) (value.Value, error) {
	return find(c, p, (*mime.Part).FileName)
}

// find returns the parts below p of which a text matches the pattern of the
// script.
func find(c *value.Call, p *part, of func(*mime.Part) (string, bool)) (value.Value, error) {
	pattern, err := c.Pattern(caseless(c.Args[0]))
	if err != nil {
		return value.None, failed(c, err)
	}
	found := p.Find(func(q *mime.Part) bool {
		text, ok := of(q)
		if !ok || err != nil {
			return false
		}
		var match bool
		match, err = pattern.Match(c.Thread, text)
		return match
	})
	if err != nil {
		return value.None, err
	}
	return parts(c, p, found)
}

// caseless returns a pattern that is given as a text with the modifier for any
// case.
func caseless(v value.Value) value.Value {
	if !v.IsString() {
		return v
	}
	pattern, modifiers := value.SplitPattern(v.Str())
	if !strings.Contains(modifiers, "i") {
		modifiers += "i"
	}
	return value.String("/" + pattern + "/" + modifiers)
}

// object returns a part as scripts have it.
func (p *part) object(q *mime.Part) value.Value {
	return value.FromObject(partClass.New(&part{q, p.message}))
}

// partCost is about what the object of a part takes.
const partCost = 160

func parts(c *value.Call, p *part, found []*mime.Part) (value.Value, error) {
	if err := c.Alloc(partCost * len(found)); err != nil {
		return value.None, err
	}
	list := value.NewArray(len(found))
	for _, q := range found {
		list.Push(p.object(q))
	}
	return declare.Array(c, list)
}

func getByID(c *value.Call, p *part) (value.Value, error) {
	q := p.ByID(c.Str(0))
	if q == nil {
		return value.None, nil
	}
	return p.object(q), c.Alloc(partCost)
}

func getParts(c *value.Call, p *part) (value.Value, error) { return parts(c, p, p.Parts()) }

func getErrors(c *value.Call, p *part) (value.Value, error) {
	var names []string
	for _, e := range p.Errors() {
		names = append(names, string(e))
	}
	return listOf(c, names)
}

// impossible reports whether an error of an edit says that the part has no place
// for it, as opposed to one of reading.
func impossible(err error) bool {
	return errors.Is(err, mime.ErrGone) || errors.Is(err, mime.ErrType) || errors.Is(err, mime.ErrBoundary)
}
