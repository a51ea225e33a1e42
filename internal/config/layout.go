package config

import (
	"os"
	"strings"
)

// Layout says where files lie when nothing else was said, and who owns them.
type Layout struct {
	ConfigDir string // configuration
	SpoolDir  string // parent of queue and tmp
	RunDir    string // sockets
	StateDir  string // databases of the smaller programs
	User      string // the user that sample files and documentation name
	Group     string
}

// OwnLayout is that of a fresh installation.
var OwnLayout = Layout{
	ConfigDir: "/etc/posthaste",
	SpoolDir:  "/var/spool/posthaste",
	RunDir:    "/run/posthaste",
	StateDir:  "/var/lib/posthaste",
	User:      "posthaste",
	Group:     "posthaste",
}

// HalonLayout is that of a host that was set up for Halon (spec config.md 1.6).
var HalonLayout = Layout{
	ConfigDir: "/etc/halon",
	SpoolDir:  "/var/spool/halon",
	RunDir:    "/var/run/halon",
	StateDir:  "/var/lib/halon",
	User:      "halon",
	Group:     "halon",
}

// FindLayout chooses the layout for the program whose startup file has the
// given kind: Halon's where its startup file exists and ours does not, else
// ours. A nil exists asks the file system.
func FindLayout(startup Kind, exists func(path string) bool) Layout {
	if exists == nil {
		exists = fileExists
	}
	if !exists(OwnLayout.File(startup)) && exists(HalonLayout.File(startup)) {
		return HalonLayout
	}
	return OwnLayout
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// File returns where the configuration of a kind lies.
func (l Layout) File(kind Kind) string { return l.ConfigDir + "/" + string(kind) + ".yaml" }

// Path turns a path of our own layout, as schemas give it for a default, into
// the same place of l. Other paths are returned as they are.
func (l Layout) Path(path string) string {
	for _, dir := range [...][2]string{
		{OwnLayout.ConfigDir, l.ConfigDir},
		{OwnLayout.SpoolDir, l.SpoolDir},
		{OwnLayout.RunDir, l.RunDir},
		{OwnLayout.StateDir, l.StateDir},
	} {
		if rest, ok := strings.CutPrefix(path, dir[0]+"/"); ok {
			return dir[1] + "/" + rest
		}
	}
	return path
}
