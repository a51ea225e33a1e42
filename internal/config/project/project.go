// Package project packs a folder of configuration sources into the files that
// programs load, and takes such files apart again.
//
// A project has the folders src/config with a file per kind, src/hooks with the
// scripts by phase, and src/files with whatever scripts import. Packing checks
// the configuration, puts the scripts that servers refer to and all files into
// smtpd-app.yaml, checks the result once more and writes it to dist (spec
// operations.md 8.1). Either everything is written or nothing is.
package project

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"unicode/utf8"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// Options say where a project lies and who looks at it.
type Options struct {
	Dir    string // of the project, where settings.yaml may be; empty: the working folder
	Source string // folder of sources; relative to Dir; empty: "src"
	Dist   string // folder of packed files; relative to Dir; empty: "dist"

	// CheckScript, unless nil, judges the source text of each script. phase is
	// the folder that a hook lies in, or "files".
	CheckScript func(phase, path, source string) error
	// Check, unless nil, judges the packed files together before they are
	// written to dist. It is not asked when a file has variables, whose values
	// only the running program knows.
	Check func(dist string, files map[config.Kind][]byte) error
}

func (o Options) source(elements ...string) string {
	return o.under(o.Source, "src", elements)
}

func (o Options) dist(elements ...string) string {
	return o.under(o.Dist, "dist", elements)
}

func (o Options) under(folder, fallback string, elements []string) string {
	if folder == "" {
		folder = fallback
	}
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(o.Dir, folder)
	}
	return filepath.Join(append([]string{folder}, elements...)...)
}

// The phases whose hooks a server may name, which are also the folders of
// their scripts.
var phases = []string{"connect", "disconnect", "proxy", "helo", "auth", "mailfrom", "rcptto", "eod"}

// The scripts of the queue, of which there is one each.
var queueHooks = []string{"predelivery", "postdelivery"}

const (
	queueFolder = "queue"
	scriptExt   = ".hsl"
)

// script is a hook as it stands in a packed file.
type script struct {
	ID   string `yaml:"id"`
	Data string `yaml:"data"`
}

// file is an importable file as it stands in a packed one.
type file struct {
	ID     string  `yaml:"id"`
	Data   *string `yaml:"data,omitempty"`
	Binary bool    `yaml:"binary,omitempty"` // Data is base64
	Path   string  `yaml:"path,omitempty"`   // read by the program in place of Data
}

// newFile encodes content that is not text.
func newFile(id string, content []byte) file {
	text, binary := string(content), !utf8.Valid(content)
	if binary {
		text = base64.StdEncoding.EncodeToString(content)
	}
	return file{ID: id, Data: &text, Binary: binary}
}

// content is the inverse of newFile.
func (f file) content() ([]byte, error) {
	if !f.Binary {
		return []byte(*f.Data), nil
	}
	return base64.StdEncoding.DecodeString(*f.Data)
}

// Build packs the project and returns the files that were written, in the order
// of config.Kinds. On any error the folder of packed files is as it was; the
// error holds all mistakes that were found.
func Build(options Options) ([]string, error) {
	packed, docs, err := pack(options)
	if err != nil {
		return nil, err
	}
	if len(packed) == 0 {
		return nil, fmt.Errorf("config: no configuration in %s", options.source("config"))
	}
	if options.Check != nil && !haveVariables(docs) {
		if err := options.Check(options.dist(), packed); err != nil {
			relocate(err, docs)
			return nil, err
		}
	}
	files := map[string][]byte{}
	for kind, data := range packed {
		files[options.dist(string(kind)+".yaml")] = data
	}
	if err := writeAll(options.dist(), files); err != nil {
		return nil, err
	}
	var written []string
	for _, kind := range config.Kinds() {
		if packed[kind] != nil {
			written = append(written, options.dist(string(kind)+".yaml"))
		}
	}
	return written, nil
}

// pack returns the packed text of every kind that the project has, and the
// documents that they were made from, by the path that the packed file gets.
func pack(options Options) (map[config.Kind][]byte, map[string]*config.Document, error) {
	packed, docs := map[config.Kind][]byte{}, map[string]*config.Document{}
	var mistakes []error
	for _, kind := range config.Kinds() {
		path := options.source("config", string(kind)+".yaml")
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("config: %w", err)
		}
		doc, _, err := config.Parse(path, data, kind, config.LoadOptions{DeferEnv: true})
		if err == nil && kind == config.SMTPDApp {
			data, err = packApp(options, doc)
		}
		if err != nil {
			mistakes = append(mistakes, err)
			continue
		}
		packed[kind], docs[options.dist(string(kind)+".yaml")] = data, doc
	}
	return packed, docs, errors.Join(mistakes...)
}

func haveVariables(docs map[string]*config.Document) bool {
	for _, doc := range docs {
		if doc.Variables {
			return true
		}
	}
	return false
}

// relocate makes mistakes in packed files point to the sources, which are what
// somebody will mend.
func relocate(err error, docs map[string]*config.Document) {
	switch e := err.(type) { //nolint:errorlint // the tree is walked by hand
	case *config.Error:
		if doc := docs[e.File]; doc != nil {
			e.Position = doc.Errorf(e.Path, "").Position
		}
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			relocate(one, docs)
		}
	case interface{ Unwrap() error }:
		relocate(e.Unwrap(), docs)
	}
}

// packApp puts scripts and files into the running configuration.
func packApp(options Options, doc *config.Document) ([]byte, error) {
	p := packer{options: options, doc: doc}
	for _, phase := range phases {
		p.packPhase(phase)
	}
	for _, name := range queueHooks {
		p.packQueueHook(name)
	}
	p.packFiles()
	if err := errors.Join(p.mistakes...); err != nil {
		return nil, err
	}
	out, err := doc.YAML()
	if err != nil {
		return nil, err
	}
	packed := options.dist(string(doc.Kind) + ".yaml")
	if _, _, err := config.Parse(packed, out, doc.Kind, config.LoadOptions{DeferEnv: true}); err != nil {
		return nil, fmt.Errorf("config: the packed file is wrong: %w", err)
	}
	return out, nil
}

// packer gathers what goes into one running configuration.
type packer struct {
	options  Options
	doc      *config.Document
	mistakes []error
}

func (p *packer) fail(err error) {
	if err != nil {
		p.mistakes = append(p.mistakes, err)
	}
}

// packPhase adds the scripts of a phase that servers refer to. A script of the
// same id that stands in the configuration is replaced, and is enough where
// there is no file.
func (p *packer) packPhase(phase string) {
	scripts := scriptsOf(p.doc, phase)
	for _, use := range p.hooksOf(phase) {
		i := slices.IndexFunc(scripts, func(s script) bool { return s.ID == use.id })
		source, err := p.readScript(phase, use.id)
		switch {
		case errors.Is(err, fs.ErrNotExist) && i >= 0:
		case errors.Is(err, fs.ErrNotExist):
			p.fail(p.doc.Errorf(use.path, "no file %s", p.scriptPath(phase, use.id)))
		case err != nil:
			p.fail(err)
		case i >= 0:
			scripts[i].Data = source
		default:
			scripts = append(scripts, script{use.id, source})
		}
	}
	if len(scripts) > 0 {
		p.fail(p.doc.Set("scripting.hooks."+phase, scripts))
	}
}

func (p *packer) scriptPath(phase, id string) string {
	return p.options.source("hooks", phase, filepath.FromSlash(id)+scriptExt)
}

func (p *packer) readScript(phase, id string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(id)) {
		return "", fmt.Errorf("config: hook %q of phase %s: the id leads out of the folder", id, phase)
	}
	path := p.scriptPath(phase, id)
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("config: %w", err)
	}
	if !utf8.Valid(data) {
		return "", fmt.Errorf("config: %s: not valid UTF-8", path)
	}
	return string(data), p.checkScript(phase, path, string(data))
}

func (p *packer) checkScript(phase, path, source string) error {
	if p.options.CheckScript == nil {
		return nil
	}
	return p.options.CheckScript(phase, path, source)
}

// hookUse is a place that names a hook.
type hookUse struct{ id, path string }

// hooksOf collects the hooks that servers name for a phase, each once, in the
// order of the file.
func (p *packer) hooksOf(phase string) []hookUse {
	var uses []hookUse
	add := func(n *config.Node, path string) {
		if n == nil || slices.ContainsFunc(uses, func(u hookUse) bool { return u.id == n.Text }) {
			return
		}
		uses = append(uses, hookUse{n.Text, path})
	}
	servers := p.doc.Root.Get("servers")
	if servers == nil {
		return nil
	}
	for i, server := range servers.Items {
		path := fmt.Sprintf("servers[%d].phases.%s.hook", i, phase)
		hook := server.Get("phases").Get(phase).Get("hook")
		if hook == nil || hook.Kind != config.Map {
			add(hook, path)
			continue
		}
		add(hook.Get("id"), path+".id")
		if domains := hook.Get("recipientdomains"); domains != nil {
			for _, e := range domains.Entries {
				add(e.Value, fmt.Sprintf("%s.recipientdomains[%q]", path, e.Key))
			}
		}
	}
	return uses
}

func (p *packer) packQueueHook(name string) {
	source, err := p.readScript(queueFolder, name)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		p.fail(err)
		return
	}
	p.fail(p.doc.Set("scripting.hooks."+name, source))
}

// packFiles adds every file beneath src/files that is not excluded, in place of
// one with the same id.
func (p *packer) packFiles() {
	found, err := walkFiles(p.options)
	if err != nil {
		p.fail(err)
		return
	}
	files := filesOf(p.doc)
	for _, f := range found {
		if filepath.Ext(f.ID) == scriptExt && !f.Binary {
			p.fail(p.checkScript("files", p.options.source("files", filepath.FromSlash(f.ID)), *f.Data))
		}
		if i := slices.IndexFunc(files, func(o file) bool { return o.ID == f.ID }); i >= 0 {
			files[i] = f
			continue
		}
		files = append(files, f)
	}
	if len(files) > 0 {
		p.fail(p.doc.Set("scripting.files", files))
	}
}

// scriptsOf returns the scripts of a phase that a document holds.
func scriptsOf(doc *config.Document, phase string) []script {
	var all []script
	if list := doc.Root.Get("scripting").Get("hooks").Get(phase); list != nil {
		for _, item := range list.Items {
			all = append(all, script{item.Get("id").Text, item.Get("data").Text})
		}
	}
	return all
}

// filesOf returns the importable files that a document holds.
func filesOf(doc *config.Document) []file {
	var all []file
	list := doc.Root.Get("scripting").Get("files")
	if list == nil {
		return nil
	}
	for _, item := range list.Items {
		f := file{ID: item.Get("id").Text}
		if data := item.Get("data"); data != nil {
			f.Data = &data.Text
		}
		if path := item.Get("path"); path != nil {
			f.Path = path.Text
		}
		if binary := item.Get("binary"); binary != nil {
			f.Binary = binary.Value() == true
		}
		all = append(all, f)
	}
	return all
}
