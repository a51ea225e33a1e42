package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// LoadOptions say how files are read. The zero value reads them from disk,
// refuses !Env, and takes defaults from our own layout.
type LoadOptions struct {
	// EnvSubstitution allows the tag !Env.
	EnvSubstitution bool
	// DeferEnv accepts !Env without looking at the environment, for programs
	// that check files for another to load. A file that has some cannot be decoded.
	DeferEnv bool
	// Getenv looks up environment variables; nil means os.LookupEnv.
	Getenv func(name string) (string, bool)
	// ReadFile reads a configuration file; nil means os.ReadFile. Files that
	// the configuration only refers to, such as keys, are not read with it.
	ReadFile func(path string) ([]byte, error)
	// Layout says where defaults of paths lead; zero means OwnLayout.
	Layout Layout
}

func (o LoadOptions) lookupEnv() func(string) (string, bool) {
	if o.Getenv != nil {
		return o.Getenv
	}
	return os.LookupEnv
}

// Read reads a file as the options say.
func (o LoadOptions) Read(path string) ([]byte, error) {
	if o.ReadFile != nil {
		return o.ReadFile(path)
	}
	return os.ReadFile(path)
}

// Exists reports whether Read would find a file.
func (o LoadOptions) Exists(path string) bool {
	if o.ReadFile == nil {
		return fileExists(path)
	}
	_, err := o.ReadFile(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func (o LoadOptions) layout() Layout {
	if o.Layout == (Layout{}) {
		return OwnLayout
	}
	return o.Layout
}

// Document is a file that agrees with its schema. It keeps the places of all
// keys, so that whoever checks more can say where a mistake stands.
type Document struct {
	File    string
	Kind    Kind
	Version Version
	Root    *Node

	// Variables says that there are values which only the running program
	// knows; see LoadOptions.DeferEnv.
	Variables bool

	raw     *yaml.Node // with comments and tags, for Edit
	schema  *Schema
	options LoadOptions
}

// Load reads the file at path, checks it and fills the struct that into points
// to. The error is an Errors unless the file cannot be read.
func Load(path string, kind Kind, into any, options LoadOptions) (Warnings, error) {
	doc, warnings, err := Open(path, kind, options)
	if err != nil {
		return warnings, err
	}
	return warnings, doc.Decode(into)
}

// Open reads and checks the file at path.
func Open(path string, kind Kind, options LoadOptions) (*Document, Warnings, error) {
	data, err := options.Read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("config: %w", err)
	}
	return Parse(path, data, kind, options)
}

// Parse checks data as if it had been read from file.
func Parse(file string, data []byte, kind Kind, options LoadOptions) (*Document, Warnings, error) {
	schema, err := SchemaOf(kind)
	if err != nil {
		return nil, nil, err
	}
	status, err := statusOf(kind)
	if err != nil {
		return nil, nil, err
	}
	p := parser{file: file, options: options}
	raw, root := p.parse(data)
	if root == nil {
		if len(p.errors) == 0 {
			p.fail(0, 0, nil, ErrMissingVersion) // an empty file
		}
		return nil, nil, p.errors.Err()
	}
	doc := &Document{File: file, Kind: kind, Root: root, Variables: p.waiting, raw: raw, schema: schema, options: options}
	c := checker{file: file, status: status, errors: p.errors}
	warnings := doc.checkVersion(&c)
	c.check(root, schema, nil, "")
	if len(c.errors) == 0 {
		doc.move(&c, root, schema, nil)
	}
	if err := c.errors.Err(); err != nil {
		return nil, nil, err
	}
	return doc, append(warnings, c.set...), nil
}

// versionKey is the key that every file must have.
const versionKey = "version"

// checkVersion reads the mandatory version, which selects the schema. We know
// one schema per kind that takes in all of them.
func (d *Document) checkVersion(c *checker) Warnings {
	at := (*place)(nil).child(versionKey)
	n := d.Root.Get(versionKey)
	switch {
	case d.Root.Kind != Map || n != nil && n.Kind == Deferred:
		return nil // the schema says the rest
	case n == nil:
		c.failAt(0, 0, nil, "%w", ErrMissingVersion)
		return nil
	case n.fromEnv:
		n.Kind = String
	case n.Kind == Int || n.Kind == Float:
		c.fail(n, at, "must be a string; write version: %q", n.Text)
		return nil
	case n.Kind != String:
		c.fail(n, at, "must be a string, got %s", n.got())
		return nil
	}
	oldest, newest := d.Kind.Versions()
	v, err := ParseVersion(n.Text)
	if err != nil || v.Before(oldest) || v.Major > newest.Major {
		c.fail(n, at, "%w", ErrUnknownVersion)
		return nil
	}
	d.Version = v
	if !newest.Before(v) {
		return nil
	}
	text := fmt.Sprintf("%s is newer than %s, the newest that is known; read as %s", v, newest, newest)
	return Warnings{{Position: Position{d.File, n.Line, n.Column}, Concern: NewerVersion, Path: versionKey, Text: text}}
}

// Decode fills the struct that into points to. It may be called several times.
func (d *Document) Decode(into any) error {
	if d.Variables {
		return errors.New("config: a document with deferred variables cannot be decoded")
	}
	dec := decoder{file: d.File, layout: d.options.layout()}
	if err := dec.decode(reflect.ValueOf(into).Elem(), d.Root, d.schema); err != nil {
		return fmt.Errorf("config: %s: %w", d.File, err)
	}
	return nil
}

// Inherit lays the keys of each item of a list under those of its children,
// leaf by leaf; a list of the child replaces that of the parent. The keys in
// except are not inherited.
func (d *Document) Inherit(list, children string, except ...string) {
	parents := d.Root.Get(list)
	if parents == nil {
		return
	}
	except = append(except, children)
	for _, parent := range parents.Items {
		kids := parent.Get(children)
		if kids == nil {
			continue
		}
		for _, kid := range kids.Items {
			underlay(kid, parent, except)
		}
	}
}

// underlay adds to n what only below has. It shares nodes of below and never
// changes one that is shared.
func underlay(n, below *Node, except []string) {
	for _, e := range below.Entries {
		if slices.Contains(except, e.Key) {
			continue
		}
		own := n.entry(e.Key)
		switch {
		case own == nil:
			n.Entries = append(n.Entries, e)
		case own.Value.Kind == Map && e.Value.Kind == Map:
			underlay(own.Value, e.Value, nil)
		}
	}
}

// Errorf makes an error about the value at a path such as
// "servers[0].transport". When the path does not exist, the error stands where
// its nearest ancestor does.
func (d *Document) Errorf(path, format string, args ...any) *Error {
	return &Error{d.position(path), path, fmt.Errorf(format, args...)}
}

// Warnf is Errorf for what may be meant.
func (d *Document) Warnf(path, format string, args ...any) Warning {
	return Warning{Position: d.position(path), Concern: Dangling, Path: path, Text: fmt.Sprintf(format, args...)}
}

func (d *Document) position(path string) Position {
	at := d.Root
	for rest := path; rest != ""; {
		var next *Node
		next, rest = at.step(rest)
		if next == nil {
			break
		}
		at = next
	}
	return Position{d.File, at.Line, at.Column}
}

// step follows the first element of a path: a key, ["key"] or [index].
func (n *Node) step(path string) (*Node, string) {
	if quoted, err := strconv.QuotedPrefix(strings.TrimPrefix(path, "[")); err == nil {
		key, _ := strconv.Unquote(quoted)
		_, rest, _ := strings.Cut(path[len("[")+len(quoted):], "]")
		return n.Get(key), strings.TrimPrefix(rest, ".")
	}
	if inner, ok := strings.CutPrefix(path, "["); ok {
		digits, rest, _ := strings.Cut(inner, "]")
		i, err := strconv.Atoi(digits)
		if err != nil || i < 0 || i >= len(n.Items) {
			return nil, ""
		}
		return n.Items[i], strings.TrimPrefix(rest, ".")
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		return n.Get(path), ""
	}
	return n.Get(path[:end]), strings.TrimPrefix(path[end:], ".")
}
