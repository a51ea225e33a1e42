// Package lint holds the rules of the house that a compiler does not know, as
// tests: on which floor a package stands and what it may therefore import, what
// it must say about itself, how long a file may be, what a test may not do, and
// which modules the binary links.
//
// The floors are written down once, in floors.go. The depguard rules in
// .golangci.yml are generated from them, so that an editor says the same as the
// test. `make docs` rewrites what is generated here.
package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

const module = "github.com/posthaste-mta/posthaste"

// root is the top of the repository, seen from this package's folder.
var root = filepath.Join("..", "..")

// listed is what `go list` knows about one package.
type listed struct {
	ImportPath, Name, Dir, Doc string
	GoFiles, CgoFiles          []string
	TestGoFiles, XTestGoFiles  []string
	Imports                    []string
	TestImports, XTestImports  []string
}

// rel is the folder of the package inside the repository, "." for the top.
func (p listed) rel() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// packages lists the tree once for all tests. A package that does not compile is
// listed as far as it goes: saying so is the compiler's business.
var packages = sync.OnceValues(func() ([]listed, error) {
	out, err := goList("-e", "-json=ImportPath,Name,Dir,Doc,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	if err != nil {
		return nil, err
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("lint: go list: %w", err)
		}
		all = append(all, p)
	}
})

func goList(args ...string) ([]byte, error) {
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = root
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("lint: go list: %w: %s", err, stderr.Bytes())
	}
	return out, nil
}
