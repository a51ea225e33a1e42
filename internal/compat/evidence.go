package compat

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// Evidence finds the tests that facts name in the tree under a root. It is for
// one goroutine.
type Evidence struct {
	root     string
	packages map[string]testPackage
}

// testPackage is what the test files of one folder hold.
type testPackage struct {
	funcs map[string]bool
	text  string // of all test files, for the names of subtests
}

// NewEvidence looks in the repository whose top is root.
func NewEvidence(root string) *Evidence {
	return &Evidence{root: root, packages: map[string]testPackage{}}
}

// Find reports why the reference leads nowhere, or nil. References are described
// at Fact.Test.
func (e *Evidence) Find(ref string) error {
	if strings.Contains(ref, "/testdata/") {
		if _, err := os.Stat(filepath.Join(e.root, ref)); err != nil {
			return fmt.Errorf("compat: %s is not there", ref)
		}
		return nil
	}
	dir, name, ok := cutTest(ref)
	if !ok {
		return fmt.Errorf("compat: %s names no test: want FOLDER.TestName or a file in testdata", ref)
	}
	name, sub, _ := strings.Cut(name, "/")
	p, err := e.load(dir)
	if err != nil {
		return err
	}
	if !p.funcs[name] {
		return fmt.Errorf("compat: %s: no such test in %s", ref, dir)
	}
	if sub != "" && !strings.Contains(p.text, sub) && !strings.Contains(p.text, strings.ReplaceAll(sub, "_", " ")) && !e.isTestdata(dir, sub) {
		return fmt.Errorf("compat: %s: nothing called %q in the tests of %s", ref, sub, dir)
	}
	return nil
}

// cutTest parts "internal/queue.TestX/sub" into folder and test.
func cutTest(ref string) (dir, name string, ok bool) {
	for _, kind := range []string{".Test", ".Fuzz", ".Example"} {
		if i := strings.Index(ref, kind); i > 0 {
			return ref[:i], ref[i+1:], true
		}
	}
	return "", "", false
}

// isTestdata: subtests are often named for the file that they play.
func (e *Evidence) isTestdata(dir, sub string) bool {
	found, _ := filepath.Glob(filepath.Join(e.root, dir, "testdata", sub+"*"))
	return len(found) > 0
}

func (e *Evidence) load(dir string) (testPackage, error) {
	if p, ok := e.packages[dir]; ok {
		return p, nil
	}
	p := testPackage{funcs: map[string]bool{}}
	files, err := filepath.Glob(filepath.Join(e.root, dir, "*_test.go"))
	if err != nil {
		return p, fmt.Errorf("compat: %w", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return p, fmt.Errorf("compat: %w", err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			return p, fmt.Errorf("compat: %w", err)
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				p.funcs[f.Name.Name] = true
			}
		}
		p.text += string(text)
	}
	e.packages[dir] = p
	return p, nil
}
