package config

import "strings"

// Concern says what a warning is about.
type Concern uint8

const (
	// NewerVersion: the file asks for a schema that is newer than ours.
	NewerVersion Concern = iota
	// NotObeyed: the key is known, but nothing acts on it yet.
	NotObeyed
	// Meaningless: the key is accepted for compatibility and has no effect here.
	Meaningless
	// Dangling: something that is referred to does not exist, which may be meant.
	Dangling
)

// Warning is something that an operator should know about a file that loads.
type Warning struct {
	Position
	Concern Concern
	Path    string // of the key; a pattern with empty brackets for NotObeyed and Meaningless
	Text    string // empty where Concern says it all
}

// Warnings are those of one or several files.
type Warnings []Warning

// Lines returns the warnings as text for a log: all keys that nothing obeys in
// one line per file, those without meaning in another, the rest one by one.
func (w Warnings) Lines() []string {
	var lines []string
	for _, one := range w {
		if one.Concern == NewerVersion || one.Concern == Dangling {
			lines = append(lines, one.String()+": "+prefixed(one.Path, one.Text))
		}
	}
	lines = append(lines, w.keyLines(NotObeyed, "settings without effect yet: ")...)
	return append(lines, w.keyLines(Meaningless, "settings without meaning here: ")...)
}

func prefixed(path, text string) string {
	if path == "" {
		return text
	}
	return path + ": " + text
}

// keyLines joins the keys of one concern, each file a line of its own.
func (w Warnings) keyLines(concern Concern, intro string) []string {
	var files []string
	keys := map[string][]string{}
	for _, one := range w {
		if one.Concern != concern {
			continue
		}
		if keys[one.File] == nil {
			files = append(files, one.File)
		}
		keys[one.File] = append(keys[one.File], one.Path)
	}
	var lines []string
	for _, file := range files {
		lines = append(lines, file+": "+intro+strings.Join(keys[file], ", "))
	}
	return lines
}
