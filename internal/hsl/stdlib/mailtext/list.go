package mailtext

import (
	"mime"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/codec"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// mailbox is an address with the name that was shown with it.
type mailbox struct{ name, address string }

func extractList(c *value.Call) (value.Value, error) {
	text, o := c.Str(0), c.Options(1)
	if o.Bool("field") {
		_, text, _ = strings.Cut(text, ":")
	}
	if err := c.Step(len(text)); err != nil {
		return value.None, err
	}
	boxes, ok := parseList(text)
	if !ok {
		return value.None, nil
	}
	list := value.NewArray(len(boxes))
	for _, m := range boxes {
		address := value.Part(text, m.address)
		if o.Bool("name") {
			address = value.FromArray(value.Map("name", value.String(codec.DecodeWords(m.name)), "address", address))
		}
		list.Push(address)
	}
	return value.FromArray(list), c.Alloc(list.Size() + 2*len(text))
}

// listParser reads a list of addresses (RFC 5322 §3.4) with what mail has made
// of it: semicolons for commas, empty places, names with dots and any 8-bit
// characters. It unwinds with a panic at the first mistake.
type listParser struct {
	rest    string
	inGroup bool   // groups hold no groups
	comment string // the last one
}

type mistake struct{}

// parseList reads a whole list.
func parseList(s string) (boxes []mailbox, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(mistake); !is {
				panic(r)
			}
			boxes, ok = nil, false
		}
	}()
	p := listParser{rest: s}
	for {
		p.space()
		for p.accept(',') || p.accept(';') {
			p.space()
		}
		if p.rest == "" {
			return boxes, true
		}
		boxes = p.address(boxes)
		p.space()
		if p.rest != "" && p.rest[0] != ',' && p.rest[0] != ';' {
			panic(mistake{})
		}
	}
}

func (p *listParser) accept(c byte) bool {
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// space skips white space and comments.
func (p *listParser) space() {
	for p.rest != "" {
		switch p.rest[0] {
		case ' ', '\t', '\r', '\n':
			p.rest = p.rest[1:]
		case '(':
			p.skipComment()
		default:
			return
		}
	}
}

// skipComment takes a comment, which may hold others.
func (p *listParser) skipComment() {
	depth := 0
	for i := 0; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				p.comment, p.rest = p.rest[1:i], p.rest[i+1:]
				return
			}
		}
	}
	panic(mistake{})
}

// address reads an address of any form and adds what it names: a group names
// several.
func (p *listParser) address(boxes []mailbox) []mailbox {
	words := p.words()
	switch {
	case p.accept('<'):
		return append(boxes, mailbox{phrase(words), p.angle()})
	case len(words) > 0 && p.accept('@'):
		p.comment = "" // an older way to give a name stands behind the address
		address := joined(words) + "@" + p.domain()
		return append(boxes, mailbox{p.comment, address})
	case len(words) > 0 && !p.inGroup && p.accept(':'):
		return p.group(boxes)
	case len(words) == 1:
		return append(boxes, mailbox{"", joined(words)}) // a local name
	}
	panic(mistake{})
}

// group reads the members of a group, to the semicolon.
func (p *listParser) group(boxes []mailbox) []mailbox {
	p.inGroup = true
	defer func() { p.inGroup = false }()
	for {
		p.space()
		switch {
		case p.accept(';') || p.rest == "":
			return boxes
		case !p.accept(','):
			boxes = p.address(boxes)
		}
	}
}

// angle reads what stands in angle brackets, without a route (RFC 5322 §4.4).
func (p *listParser) angle() string {
	p.space()
	if strings.HasPrefix(p.rest, "@") {
		_, rest, found := strings.Cut(p.rest, ":")
		if !found {
			panic(mistake{})
		}
		p.rest = rest
	}
	address := joined(p.words())
	if p.accept('@') {
		if address == "" {
			panic(mistake{})
		}
		address += "@" + p.domain()
	}
	p.space()
	if !p.accept('>') {
		panic(mistake{})
	}
	return address
}

func (p *listParser) domain() string {
	p.space()
	if strings.HasPrefix(p.rest, "[") {
		end := strings.IndexByte(p.rest, ']')
		if end < 0 {
			panic(mistake{})
		}
		literal := p.rest[:end+1]
		p.rest = p.rest[end+1:]
		return literal
	}
	var b strings.Builder
	for {
		b.WriteString(p.atom())
		p.space()
		if !p.accept('.') {
			return b.String()
		}
		b.WriteByte('.')
		p.space()
	}
}

func (p *listParser) atom() string {
	end := 0
	for end < len(p.rest) && isAtext(p.rest[end]) {
		end++
	}
	if end == 0 {
		panic(mistake{})
	}
	atom := p.rest[:end]
	p.rest = p.rest[end:]
	return atom
}

// word is an atom, a quoted string or a dot.
type word struct {
	text   string
	quoted bool
	spaced bool // white space stands before it
}

func (p *listParser) words() (words []word) {
	for {
		before := len(p.rest)
		p.space()
		w := word{spaced: len(p.rest) < before}
		switch {
		case p.rest == "":
			return words
		case p.rest[0] == '"':
			w.text, w.quoted = p.quoted(), true
		case p.rest[0] == '.':
			w.text, p.rest = ".", p.rest[1:]
		case isAtext(p.rest[0]):
			w.text = p.atom()
		default:
			return words
		}
		words = append(words, w)
	}
}

func (p *listParser) quoted() string {
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '"':
			text, ok := unquote(p.rest[:i+1])
			if !ok {
				panic(mistake{})
			}
			p.rest = p.rest[i+1:]
			return text
		}
	}
	panic(mistake{})
}

// phrase joins words to a name.
func phrase(words []word) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 && w.spaced {
			b.WriteByte(' ')
		}
		b.WriteString(w.text)
	}
	return b.String()
}

// joined joins words to a local part, quoted if it has to be.
func joined(words []word) string {
	var b strings.Builder
	quotes := false
	for i, w := range words {
		if i > 0 && w.text != "." && words[i-1].text != "." {
			panic(mistake{}) // two words with nothing between them
		}
		quotes = quotes || w.quoted
		b.WriteString(w.text)
	}
	if quotes && !isDotAtom(b.String()) {
		return quote(b.String())
	}
	return b.String()
}

func compileList(c *value.Call) (value.Value, error) {
	var b []byte
	for v := range c.Array(0).Values() {
		name, address := "", v.Text()
		if a := v.Array(); a != nil {
			n, _ := a.GetString("name")
			d, _ := a.GetString("address")
			name, address = n.Text(), d.Text()
		}
		if strings.ContainsAny(address, "\r\n") {
			return value.None, declare.Unwanted(c, 0, "addresses without line ends")
		}
		if b != nil {
			b = append(b, ", "...)
		}
		if name == "" {
			b = append(b, address...)
			continue
		}
		b = append(append(b, displayName(name)...), " <"+address+">"...)
	}
	return declare.Bytes(c, b)
}

// displayName writes a name as a phrase: atoms, a quoted string or encoded
// words.
func displayName(name string) string {
	plain := strings.TrimSpace(name) == name && !strings.Contains(name, "  ")
	for i := range len(name) {
		c := name[i]
		if c < ' ' || c >= 0x7f {
			return encodePhrase(name)
		}
		plain = plain && (isAtext(c) || c == ' ')
	}
	if plain {
		return name
	}
	return quote(name)
}

// encodePhrase writes encoded words. In a phrase the Q encoding may show letters
// and digits but little else (RFC 2047 §5 (3)), so that others go in base 64.
func encodePhrase(name string) string {
	if strings.ContainsAny(name, "\"#$%&'(),.:;<>@[\\]^`{|}~") {
		return mime.BEncoding.Encode("UTF-8", strings.ToValidUTF8(name, "\uFFFD"))
	}
	return codec.EncodeWords(name)
}
