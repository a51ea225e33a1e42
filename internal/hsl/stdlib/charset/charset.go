// Package charset holds the class Iconv, which converts text between character
// sets.
package charset

import (
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Classes returns Iconv.
func Classes() []*value.Class { return []*value.Class{iconvClass} }

var iconvClass = &value.Class{
	Name: "Iconv",
	Doc: "Converts text from one character set to another. A target that ends in //TRANSLIT takes what it can show in place of characters that it lacks; " +
		"one that ends in //IGNORE leaves them out, as well as what is malformed.",
}

func init() {
	c := iconvClass
	c.Constructor = declare.Function("Iconv(string fromcharset, string tocharset) Iconv",
		"Makes a converter. A character set that is not known throws.",
		`echo Iconv("ISO-8859-1", "UTF-8")->convert("gr\xfc\xdf"); // grüß`, open)
	c.Methods = []*value.Builtin{
		declare.Method("convert(string text) string or none", "Returns the text in the other character set, or none if it is malformed or cannot be said there.", convert),
		declare.Method("errno() number", "Returns why the last conversion failed: 0 (it did not), 84 (EILSEQ) for a malformed or missing character, 9 (EBADF) after close.", errno),
		declare.Method("close()", "Ends the use of the converter.", shut),
	}
	declare.Examples(c, iconvExamples)
}

// The numbers of errors that scripts compare with.
const (
	badFile         = 9
	illegalSequence = 84
)

// converter is the state of an Iconv.
type converter struct {
	from, to  encoding.Encoding
	translate bool // //TRANSLIT
	ignore    bool // //IGNORE

	mu     sync.Mutex // scripts may share it
	errno  int
	closed bool
}

func open(c *value.Call) (value.Value, error) {
	k := &converter{}
	from, _, _ := strings.Cut(c.Str(0), "//")
	to, suffixes, _ := strings.Cut(c.Str(1), "//")
	k.translate = strings.Contains(strings.ToUpper(suffixes), "TRANSLIT")
	k.ignore = strings.Contains(strings.ToUpper(suffixes), "IGNORE")
	if k.from = find(from); k.from == nil {
		return value.None, declare.Unwanted(c, 0, "a character set")
	}
	if k.to = find(to); k.to == nil {
		return value.None, declare.Unwanted(c, 1, "a character set")
	}
	return value.FromObject(iconvClass.New(k)), nil
}

// find returns the character set of a name. Names of IANA come first: those of
// the WHATWG mean supersets, Windows-1252 for ASCII, and are for what is left.
func find(name string) encoding.Encoding {
	if name == "" {
		return nil
	}
	if e, err := ianaindex.IANA.Encoding(name); err == nil && e != nil {
		return e
	}
	if e, err := htmlindex.Get(name); err == nil {
		return e
	}
	return nil
}

func convert(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*converter)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		k.errno = badFile
		return value.None, nil
	}
	text := c.Str(0)
	if err := c.Alloc(4 * len(text)); err != nil {
		return value.None, err
	}
	if err := c.Step(len(text) / 8); err != nil {
		return value.None, err
	}
	k.errno = 0
	out, ok := k.convert(text)
	if !ok {
		k.errno = illegalSequence
		return value.None, nil
	}
	return value.String(out), nil
}

func (k *converter) convert(text string) (string, bool) {
	plain, err := k.from.NewDecoder().String(text)
	if err != nil {
		return "", false
	}
	// Decoders write U+FFFD for what is malformed.
	if strings.ContainsRune(plain, utf8.RuneError) {
		if !k.ignore {
			return "", false
		}
		plain = strings.ReplaceAll(plain, string(utf8.RuneError), "")
	}
	out, err := k.to.NewEncoder().String(plain)
	if err == nil {
		return out, true
	}
	if !k.translate && !k.ignore {
		return "", false
	}
	return k.approximate(plain), true
}

// approximate encodes one character after the other, which goes slowly and is
// for texts that do not go at once.
func (k *converter) approximate(plain string) string {
	var possible strings.Builder
	encoder := k.to.NewEncoder()
	for _, r := range plain {
		if _, err := encoder.String(string(r)); err == nil {
			possible.WriteRune(r)
			continue
		}
		encoder.Reset()
		if k.translate {
			possible.WriteString(k.similar(r))
		}
	}
	out, _ := k.to.NewEncoder().String(possible.String())
	return out
}

func errno(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*converter)
	k.mu.Lock()
	defer k.mu.Unlock()
	return value.Int(k.errno), nil
}

func shut(c *value.Call) (value.Value, error) {
	k := c.This.Native.(*converter)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	return value.None, nil
}
