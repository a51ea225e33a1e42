package hsl_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// TestChunks runs the scripts of testdata. A file has chunks, separated by lines
// of three dashes. What a chunk echoes stands in its comments, a line for each
// echo, in order:
//
//	echo 1 + 1; //> 2
//
// A mistake, warning or uncaught exception stands on the line where it is
// reported, as a part of its message:
//
//	$x = 1 + ; //! "want operand"
//
// A line such as === name === begins a file that the chunk can include or
// import.
func TestChunks(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.hsl")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no chunks: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			line := 1
			for text := range strings.SplitSeq(string(text), "\n---\n") {
				parseChunk(path, text, line).run(t)
				line += strings.Count(text, "\n") + 2
			}
		})
	}
}

var (
	echoMark = regexp.MustCompile(`//> ?(.*?)(?: //!.*)?$`)
	fileMark = regexp.MustCompile(`^=== (\S+) ===$`)
)

// chunk is one script with what it should do. It is the Loader of its files.
type chunk struct {
	name   string // of the main file
	first  int    // line where it begins
	files  map[string]string
	echoes []string
	errors []reported
}

// reported is an error with its place.
type reported struct{ at, message string }

// parseChunk keeps the numbers of lines: the main file begins with empty ones.
func parseChunk(path, text string, first int) *chunk {
	c := &chunk{name: path, first: first, files: map[string]string{path: strings.Repeat("\n", first-1)}}
	name, line := path, first
	for l := range strings.SplitSeq(text, "\n") {
		if m := fileMark.FindStringSubmatch(l); m != nil {
			name, line = m[1], 1
			c.files[name] = ""
			continue
		}
		c.files[name] += l + "\n"
		if m := echoMark.FindStringSubmatch(l); m != nil {
			c.echoes = append(c.echoes, m[1])
		}
		for _, mark := range strings.SplitAfter(l, "//!")[1:] {
			message := strings.Trim(strings.TrimSpace(strings.TrimSuffix(mark, "//!")), `"`)
			c.errors = append(c.errors, reported{fmt.Sprintf("%s:%d", name, line), message})
		}
		line++
	}
	return c
}

func (c *chunk) Load(path, from string) (*resolve.File, error) {
	path = strings.TrimPrefix(path, "./")
	text, ok := c.files[path]
	if !ok {
		return nil, errors.New("no such file")
	}
	return &resolve.File{ID: path, Text: text}, nil
}

func (c *chunk) run(t *testing.T) {
	t.Helper()
	var echoes []string
	var found []reported
	prog, err := hsl.Compile(c.name, c.files[c.name], hsl.Options{Library: testLibrary, Loader: c})
	var list hsl.Errors
	if !errors.As(err, &list) {
		list = prog.Warnings()
	}
	for _, e := range list {
		found = append(found, reported{fmt.Sprintf("%s:%d", e.File, e.Line), e.Message})
	}
	if err == nil {
		_, err = prog.Run(t.Context(), hsl.Execution{Variables: testVariables(), Setup: value.Setup{
			Limits: value.Limits{Instructions: 1e7, Time: 10 * time.Second, Memory: 64 << 20},
			Echo:   func(text string) { echoes = append(echoes, strings.Split(text, "\n")...) },
		}})
		if e := new(hsl.Error); errors.As(err, &e) {
			at := ""
			if len(e.Stack) > 0 {
				at = fmt.Sprintf("%s:%d", e.Stack[0].File, e.Stack[0].Line)
			}
			found = append(found, reported{at, e.Message})
		}
	}
	c.compareEchoes(t, echoes)
	c.compareErrors(t, found)
}

func (c *chunk) compareEchoes(t *testing.T, echoes []string) {
	t.Helper()
	for i := range max(len(echoes), len(c.echoes)) {
		switch {
		case i >= len(echoes):
			t.Errorf("%s:%d: %q is not echoed", c.name, c.first, c.echoes[i])
		case i >= len(c.echoes):
			t.Errorf("%s:%d: echoes %q too", c.name, c.first, echoes[i])
		case echoes[i] != c.echoes[i]:
			t.Errorf("%s:%d: echoes %q, want %q", c.name, c.first, echoes[i], c.echoes[i])
		}
	}
}

func (c *chunk) compareErrors(t *testing.T, found []reported) {
	t.Helper()
	for _, want := range c.errors {
		met := false
		for i, e := range found {
			if e.at == want.at && strings.Contains(e.message, want.message) {
				found[i].at, met = "", true
				break
			}
		}
		if !met {
			t.Errorf("%s: no error %q", want.at, want.message)
		}
	}
	for _, e := range found {
		if e.at != "" {
			t.Errorf("%s: %s", e.at, e.message)
		}
	}
}
