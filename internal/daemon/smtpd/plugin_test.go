package smtpd

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// TestPlugins: settings of plug-ins are checked with the rest of the
// configuration, and what this program does not have is named.
func TestPlugins(t *testing.T) {
	for _, c := range []struct {
		name             string
		startup, running string
		script           string
		warning, fails   string
	}{
		{name: "known", startup: "plugins: [{ id: ulid, path: /opt/x.so }]", script: `import { ulid } from "extras://ulid";`},
		{name: "not listed", script: `import { ulid } from "extras://ulid";`},
		{name: "unknown", startup: "plugins: [{ id: cloud, config: { a: 1 } }]", warning: `plugins[0].id: there is no plug-in "cloud" in this program`},
		{name: "unknown module", script: `import { x } from "extras://cloud";`, fails: `"extras://cloud": there is no such module; there are `},
		{name: "startup settings", startup: "plugins: [{ id: ulid, config: { a: 1 } }]", fails: "plug-in ulid: has no settings"},
		{name: "running settings", running: "plugins: [{ id: ulid, config: { a: 1 } }]", fails: "plug-in ulid: takes its settings from the startup configuration only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "smtpd.yaml"), "version: \"6.9\"\n"+c.startup+"\n")
			write(t, filepath.Join(dir, "smtpd-app.yaml"), "version: \"6.9\"\n"+c.running+
				"\nscripting: { hooks: { eod: [{ id: a, data: '"+c.script+"' }] } }\n")
			warnings, err := Check(filepath.Join(dir, "smtpd.yaml"), config.LoadOptions{Layout: config.OwnLayout})
			if text := strings.Join(warnings, "\n"); !strings.Contains(text, c.warning) || c.warning == "" && strings.Contains(text, "plug-in") {
				t.Errorf("warnings are %s", text)
			}
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("check ends with %v", err)
			}
		})
	}
}

// TestPluginCommands: operators reach plug-ins by their ids.
func TestPluginCommands(t *testing.T) {
	plugins, _, err := new(Startup).newPlugins(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := commands{plugins}
	if ids := strings.Join(c.IDs(), " "); !strings.Contains(ids, "ulid") {
		t.Errorf("ids are %s", ids)
	}
	if _, err := c.Command(context.Background(), "ulid", []string{"x"}); err == nil || err.Error() != "plug-in ulid: this plug-in has no commands" {
		t.Errorf("command ends with %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
