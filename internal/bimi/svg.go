package bimi

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Bounds of a logo.
const (
	MaxSVG    = 32 << 10 // bytes that a logo should have at most (draft-svg-tiny-ps §2)
	maxSVG    = 1 << 20  // that are looked at
	maxDepth  = 64
	maxTitle  = 65 // characters
	maxFaults = 20
)

const svgSpace = "http://www.w3.org/2000/svg"

// drawn are the elements that a logo may have: those of SVG Tiny 1.2 that neither
// move, nor act, nor bring in what is not in the file
// (draft-svg-tiny-ps-abrotman).
var drawn = []string{
	"circle", "defs", "desc", "ellipse", "g", "line", "linearGradient", "metadata", "path", "polygon", "polyline",
	"radialGradient", "rect", "solidColor", "stop", "svg", "switch", "tbreak", "text", "textArea", "title", "tspan", "use",
}

// CheckSVG returns what is wrong with a logo, nothing if it keeps to the profile
// SVG Tiny Portable/Secure. At most the first twenty faults are told.
func CheckSVG(text []byte) []string {
	if len(text) > maxSVG {
		return []string{fmt.Sprintf("has %d bytes, more than %d", len(text), maxSVG)}
	}
	c := &svgChecker{}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict = true
	for len(c.faults) < maxFaults {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.fault("is not well-formed: %v", err)
			return c.faults
		}
		c.token(token)
	}
	c.end(len(text))
	return c.faults
}

// svgChecker is a look at one logo.
type svgChecker struct {
	faults []string
	path   []string // of open elements
	begun  bool
	title  string // of the logo
	titles int
}

func (c *svgChecker) fault(format string, args ...any) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

func (c *svgChecker) token(t xml.Token) {
	switch t := t.(type) {
	case xml.StartElement:
		c.open(t)
	case xml.EndElement:
		c.path = c.path[:len(c.path)-1]
	case xml.CharData:
		if slices.Equal(c.path, []string{"svg", "title"}) {
			c.title += string(t)
		}
	case xml.Directive:
		c.fault("has a document type declaration")
	case xml.ProcInst:
		if t.Target != "xml" {
			c.fault("has a processing instruction %.20q", t.Target)
		}
	}
}

func (c *svgChecker) open(e xml.StartElement) {
	name := e.Name.Local
	switch {
	case len(c.path) == 0 && c.begun:
		c.fault("has a second root element")
	case len(c.path) == 0:
		c.root(e)
	case e.Name.Space != svgSpace && !slices.Contains(c.path, "metadata"):
		c.fault("has an element %.30q of another kind of document", name)
	case name == "svg", e.Name.Space == svgSpace && !slices.Contains(drawn, name):
		c.fault("has an element %.30q", name)
	case name == "title" && len(c.path) == 1:
		c.titles++
	}
	for _, a := range e.Attr {
		c.attribute(a)
	}
	if c.path = append(c.path, name); len(c.path) == maxDepth {
		c.fault("has more than %d elements within each other", maxDepth)
	}
	c.begun = true
}

func (c *svgChecker) root(e xml.StartElement) {
	if e.Name.Local != "svg" || e.Name.Space != svgSpace {
		c.fault("the root element is %.30q, not svg", e.Name.Local)
		return
	}
	given := map[string]string{}
	for _, a := range e.Attr {
		given[a.Name.Local] = a.Value
	}
	for name, want := range map[string]string{"version": "1.2", "baseProfile": "tiny-ps"} {
		if given[name] != want {
			c.fault("the root element has %s=%.20q, not %q", name, given[name], want)
		}
	}
	for _, name := range []string{"x", "y"} {
		if _, ok := given[name]; ok {
			c.fault("the root element has the attribute %s", name)
		}
	}
	slices.Sort(c.faults)
}

func (c *svgChecker) attribute(a xml.Attr) {
	name, v := a.Name.Local, strings.TrimSpace(a.Value)
	low := strings.ToLower(strings.ReplaceAll(v, " ", ""))
	switch {
	case a.Name.Space == "xmlns", name == "xmlns":
	case strings.HasPrefix(strings.ToLower(name), "on"), name == "event", name == "handler":
		c.fault("has the attribute %.20q, which acts", name)
	case name == "style", name == "class":
		c.fault("has the attribute %.20q", name)
	case (name == "href" || name == "base") && !strings.HasPrefix(v, "#"):
		c.fault("refers to %.40q, which is not in the file", v)
	case strings.Contains(low, "url(") && !strings.Contains(low, "url(#"), strings.Contains(low, "javascript:"):
		c.fault("refers to %.40q, which is not in the file", v)
	}
}

func (c *svgChecker) end(size int) {
	if size > MaxSVG {
		c.fault("has %d bytes, more than %d", size, MaxSVG)
	}
	switch title := strings.TrimSpace(c.title); {
	case !c.begun:
		c.fault("has no element")
	case c.titles != 1:
		c.fault("has %d titles, not one", c.titles)
	case title == "" || len([]rune(title)) > maxTitle:
		c.fault("the title has %d characters, not 1 to %d", len([]rune(title)), maxTitle)
	}
}
