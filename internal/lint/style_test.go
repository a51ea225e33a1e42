package lint

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// vague are words that say nothing about what a thing is for. Names stand for
// what is inside: vfs.WriteAtomic, address.Fold.
var vague = []string{"base", "common", "helper", "helpers", "lib", "manager", "misc", "shared", "task", "util", "utils"}

// vagueType matches type names that end in such a word.
var vagueType = regexp.MustCompile(`(Helper|Manager|Utils?|Task|Job)$`)

// longFiles may have more than maxLines lines, each for the reason given.
var longFiles = map[string]string{}

const maxLines = 700

func TestPackageNames(t *testing.T) {
	for _, p := range mustPackages(t) {
		if slices.Contains(vague, p.Name) {
			t.Errorf("%s: package %s: name it for what is inside", p.rel(), p.Name)
		}
		if p.Name != "main" && p.Name != "" && p.Name != path.Base(p.rel()) {
			t.Errorf("%s holds package %s: folder and package have one name", p.rel(), p.Name)
		}
		if strings.Contains(p.Name, "_") {
			t.Errorf("%s: package %s: no underscore", p.rel(), p.Name)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for _, p := range mustPackages(t) {
		if len(p.GoFiles) == 0 {
			continue
		}
		if want := "Package " + p.Name + " "; p.Name != "main" && !strings.HasPrefix(p.Doc, want) {
			t.Errorf("%s: package comment is %q, want it to begin with %q", p.rel(), p.Doc, want)
		}
		if p.Name == "main" && p.Doc == "" {
			t.Errorf("%s: a program opens with what it is for", p.rel())
		}
	}
}

func TestFileLength(t *testing.T) {
	for _, s := range mustSources(t) {
		reason, listed := longFiles[s.path]
		switch long := s.lines > maxLines && !s.generated; {
		case long && !listed:
			t.Errorf("%s has %d lines, more than %d: split it by noun, or list it with a reason", s.path, s.lines, maxLines)
		case listed && !long:
			t.Errorf("%s is no longer long: take it off the list (%s)", s.path, reason)
		}
	}
}

func TestTypeNames(t *testing.T) {
	for _, s := range mustSources(t) {
		if s.generated || s.isTest() {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && vagueType.MatchString(spec.Name.Name) {
				t.Errorf("%s: type %s: name it for what it is", s.at(spec), spec.Name.Name)
			}
			return true
		})
	}
}

// TestNoSleepInTests: sleeping is no synchronisation. In a synctest bubble time
// is free and a sleep is exact, so files that use synctest may.
func TestNoSleepInTests(t *testing.T) {
	for _, s := range mustSources(t) {
		if name := s.imports("time"); s.isTest() && name != "" && s.imports("testing/synctest") == "" {
			for _, call := range calls(s, name, "Sleep") {
				t.Errorf("%s: time.Sleep in a test: wait for the event, or use testing/synctest", s.at(call))
			}
		}
	}
}

// TestSkipSaysWhy: whoever reads the output must learn what was not tested.
func TestSkipSaysWhy(t *testing.T) {
	for _, s := range mustSources(t) {
		if !s.isTest() {
			continue
		}
		ast.Inspect(s.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && (sel.Sel.Name == "Skip" && len(call.Args) == 0 || sel.Sel.Name == "SkipNow") {
				t.Errorf("%s: a skip without a reason", s.at(call))
			}
			return true
		})
	}
}

// TestNothingUnfinished: what is out of scope is left out, not announced.
func TestNothingUnfinished(t *testing.T) {
	mark := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	for _, s := range mustSources(t) {
		if s.generated {
			continue
		}
		for _, group := range s.syntax.Comments {
			if word := mark.FindString(group.Text()); word != "" {
				t.Errorf("%s: %s in a comment", s.at(group), word)
			}
		}
	}
}

// TestNoC keeps the binary static: no cgo anywhere.
func TestNoC(t *testing.T) {
	for _, s := range mustSources(t) {
		if s.imports("C") != "" {
			t.Errorf("%s imports C: the product is built without cgo", s.path)
		}
	}
}

// calls finds the calls of pkg.name in a file.
func calls(s source, pkg, name string) (found []ast.Node) {
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == name {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == pkg {
				found = append(found, sel)
			}
		}
		return true
	})
	return found
}

func mustSources(t *testing.T) []source {
	t.Helper()
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go file found")
	}
	return all
}
