package project

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"
)

const ignoreFile = ".halonignore"

// rule excludes files by a glob, as in the simple cases of gitignore: one
// without a slash is about base names at any depth, one with a slash about
// paths from its folder, one with a slash at its end about folders.
type rule struct {
	folder  string // slash-separated, from src/files; empty for src/files itself
	pattern string
	rooted  bool
	folders bool
}

func newRule(folder, line string) (rule, error) {
	r := rule{folder: folder, pattern: strings.TrimSpace(line)}
	r.pattern, r.folders = strings.CutSuffix(r.pattern, "/")
	r.rooted = strings.Contains(r.pattern, "/")
	r.pattern = strings.TrimPrefix(r.pattern, "/")
	_, err := path.Match(r.pattern, "")
	return r, err
}

// excludes judges a path from src/files.
func (r rule) excludes(id string, folder bool) bool {
	if r.folders && !folder {
		return false
	}
	inside := id
	if r.folder != "" {
		var ok bool
		if inside, ok = strings.CutPrefix(id, r.folder+"/"); !ok {
			return false
		}
	}
	if !r.rooted {
		inside = path.Base(inside)
	}
	matched, _ := path.Match(r.pattern, inside) // newRule has tried the pattern
	return matched
}

// walkFiles reads the files beneath src/files, sorted by id. Names that begin
// with a dot are left out, and what the rules exclude.
func walkFiles(options Options) ([]file, error) {
	root := options.source("files")
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	rules, err := projectRules(options)
	if err != nil {
		return nil, err
	}
	var files []file
	err = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		id, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		id = filepath.ToSlash(id)
		if id != "." && excluded(rules, id, entry) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			more, err := folderRules(name, id)
			rules = append(rules, more...)
			return err
		}
		content, err := os.ReadFile(name)
		files = append(files, newFile(id, content))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return files, nil
}

func excluded(rules []rule, id string, entry fs.DirEntry) bool {
	if strings.HasPrefix(entry.Name(), ".") {
		return true
	}
	for _, r := range rules {
		if r.excludes(id, entry.IsDir()) {
			return true
		}
	}
	return false
}

// folderRules reads the ignore file of a folder.
func folderRules(folder, id string) ([]rule, error) {
	data, err := os.ReadFile(filepath.Join(folder, ignoreFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if id == "." {
		id = ""
	}
	var rules []rule
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := newRule(id, line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %q: %w", filepath.Join(folder, ignoreFile), number, line, err)
		}
		rules = append(rules, r)
	}
	return rules, lines.Err()
}

// projectRules reads the patterns of settings.yaml or settings.json, of which
// other keys belong to other tools.
func projectRules(options Options) ([]rule, error) {
	var settings struct {
		SMTPD struct {
			Build struct {
				Exclude []string `yaml:"exclude"`
			} `yaml:"build"`
		} `yaml:"smtpd"`
	}
	for _, name := range []string{"settings.yaml", "settings.json"} {
		name = filepath.Join(options.Dir, name)
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
		if err := yaml.Unmarshal(data, &settings); err != nil {
			return nil, fmt.Errorf("config: %s: %w", name, err)
		}
	}
	var rules []rule
	for _, pattern := range settings.SMTPD.Build.Exclude {
		r, err := newRule("", pattern)
		if err != nil {
			return nil, fmt.Errorf("config: smtpd.build.exclude: %q: %w", pattern, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}
