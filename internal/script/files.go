package script

import (
	"fmt"
	"path"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
)

// Files are what scripts of a configuration include and import, by their path
// relative to src/files.
type Files map[string][]byte

var _ resolve.Loader = Files(nil)

// Load implements resolve.Loader: a path without an extension may be a folder
// with a main.hsl, and stands for a file with the extension .hsl otherwise.
func (f Files) Load(name, _ string) (*resolve.File, error) {
	clean := strings.TrimPrefix(path.Clean("/"+strings.TrimPrefix(name, "file://")), "/")
	for _, candidate := range []string{clean, clean + ".hsl", clean + "/main.hsl"} {
		if data, ok := f[candidate]; ok {
			return &resolve.File{ID: candidate, Text: string(data)}, nil
		}
	}
	return nil, fmt.Errorf("no such file in scripting.files")
}
