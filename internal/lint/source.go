package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
)

// source is one Go file of the tree.
type source struct {
	path      string // relative to the top of the repository, with slashes
	lines     int
	generated bool
	syntax    *ast.File
	positions *token.FileSet
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// at says where a node stands, as an editor understands it.
func (s source) at(n ast.Node) string {
	p := s.positions.Position(n.Pos())
	p.Filename = s.path
	return p.String()
}

// imports returns the name under which the file knows a package, or "".
func (s source) imports(path string) string {
	for _, spec := range s.syntax.Imports {
		if strings.Trim(spec.Path.Value, `"`) != path {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path[strings.LastIndex(path, "/")+1:]
	}
	return ""
}

// sources parses every Go file of the tree once. A file that does not parse is
// left out: saying so is the compiler's business.
var sources = sync.OnceValues(func() ([]source, error) {
	var all []source
	err := walk(func(path string) error {
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, filepath.Join(root, path), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil //nolint:nilerr // reported by the compiler with a better text
		}
		all = append(all, source{
			path:      path,
			lines:     fset.File(file.FileStart).LineCount(),
			generated: ast.IsGenerated(file),
			syntax:    file,
			positions: fset,
		})
		return nil
	})
	return all, err
})

// walk calls visit with every file of the tree that could be committed.
func walk(visit func(path string) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == ".git" || name == ".cache" || name == "bin" || name == "node_modules" || name == "posthaste-data"):
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		return visit(filepath.ToSlash(rel))
	})
}
