package lint

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link matches the target of an inline Markdown link.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks: every relative link of the documentation leads somewhere.
func TestLinks(t *testing.T) {
	err := walk(func(file string) error {
		if !strings.HasSuffix(file, ".md") {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, path.Join(path.Dir(file), target))); err != nil {
				t.Errorf("%s links to %s, which is not there", file, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
