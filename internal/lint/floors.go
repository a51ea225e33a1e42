package lint

import (
	"fmt"
	"slices"
	"strings"
)

// floor is one storey of the house. Imports run down or stay on the floor.
type floor struct {
	name string
	// rooms are folders of the repository; a room holds its sub-folders too,
	// unless a longer path of the table says otherwise.
	rooms []string
}

// floors stand from the roof to the cellar.
var floors = []floor{
	{"cmd", []string{"cmd", "bench"}},
	{"daemon", []string{"internal/daemon"}},
	{"script", []string{"internal/script", "internal/telemetry"}},
	{"server", []string{"internal/server", "internal/control", "internal/cluster", "internal/sink", "internal/source"}},
	{"session", []string{"internal/session", "internal/autosign", "internal/queue", "internal/backoff", "internal/api", "internal/web"}},
	{"delivery", []string{"internal/delivery", "internal/spool", "internal/track"}},
	{"standard", []string{
		"internal/envelope", "internal/dlp", "internal/spf", "internal/bimi", "internal/dkim", "internal/dmarc", "internal/arc",
		"internal/authres", "internal/plugin", "internal/milter", "internal/mtasts", "internal/dane", "internal/tlsrpt", "internal/sasl", "internal/proxyproto", "internal/pki",
	}},
	{"wire", []string{"internal/smtp", "internal/message", "internal/bounce", "internal/dns", "internal/policy", "internal/stage"}},
	{"cellar", []string{"internal/address", "internal/vfs", "internal/rate", "internal/metric", "internal/config"}},
}

// apart are packages outside the floors: the language, which knows nothing of
// mail, and what only tests import.
const (
	language = "internal/hsl"
	testenv  = "internal/testenv"
)

// patterns is a room of the language that anybody may use: it matches PCRE and
// knows nothing of scripts.
const patterns = "internal/hsl/regex"

// languageMay lists what the language may import of ours besides itself.
var languageMay = []string{"internal/metric"}

// checkers examine the tree or the binary and are imported by nobody.
var checkers = []string{"internal/lint", "internal/compat", "internal/e2e"}

// inRoom says whether the folder dir is the room or lies in it.
func inRoom(dir, room string) bool {
	return dir == room || strings.HasPrefix(dir, room+"/")
}

// floorOf returns the height of the folder, 0 for the cellar, or false when the
// table does not know it.
func floorOf(dir string) (height int, ok bool) {
	longest := ""
	for i, f := range floors {
		for _, room := range f.rooms {
			if inRoom(dir, room) && len(room) > len(longest) {
				longest, height, ok = room, len(floors)-1-i, true
			}
		}
	}
	return height, ok
}

// mayImport says why the package in folder from must not import the one in
// folder to, or "".
func mayImport(from, to string) string {
	switch {
	case slices.Contains(checkers, from):
		return ""
	case slices.Contains(checkers, to):
		return "nobody imports a package that only checks"
	case inRoom(to, testenv):
		return "only tests import " + testenv
	case inRoom(from, language):
		if inRoom(to, language) || slices.Contains(languageMay, to) {
			return ""
		}
		return "the language knows nothing of mail"
	case to == patterns:
		return ""
	case inRoom(to, language):
		return mayImportLanguage(from)
	}
	below, known := floorOf(to)
	height, placed := floorOf(from)
	if known && placed && below > height {
		return fmt.Sprintf("imports run down: floor %s must not know floor %s", floorName(height), floorName(below))
	}
	return ""
}

// mayImportLanguage: only those who join the language with mail know both.
func mayImportLanguage(from string) string {
	if height, ok := floorOf(from); ok && floors[len(floors)-1-height].name != "cmd" &&
		!inRoom(from, "internal/daemon") && !inRoom(from, "internal/script") {
		return "only script, daemon and cmd know the language"
	}
	return ""
}

func floorName(height int) string { return floors[len(floors)-1-height].name }

// depguard writes the floors as rules for golangci-lint.
func depguard() string {
	var b strings.Builder
	rule := func(name string, rooms, deny []string, why string) {
		fmt.Fprintf(&b, "        %s:\n          files:\n", name)
		for _, room := range rooms {
			fmt.Fprintf(&b, "            - \"**/%s/**\"\n", room)
		}
		b.WriteString("            - \"!$test\"\n          deny:\n")
		for _, room := range deny {
			fmt.Fprintf(&b, "            - pkg: %s/%s\n              desc: %s\n", module, room, why)
		}
	}
	var above []string
	for i, f := range floors {
		if i > 0 {
			rule(f.name, f.rooms, above, "imports run down")
		}
		above = append(above, f.rooms...)
	}
	above = slices.DeleteFunc(above, func(room string) bool { return slices.Contains(languageMay, room) })
	rule("language", []string{language}, above, "the language knows nothing of mail")
	return b.String()
}
