package e2e

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"testing"
)

// TestHSHPrivileges: with -P a script runs as the user of the configuration, which
// it need not be able to read.
func TestHSHPrivileges(t *testing.T) {
	who, err := user.Current()
	must(t, err)
	name, uid := who.Username, who.Uid
	if os.Getuid() == 0 {
		other, err := user.Lookup("nobody")
		must(t, err)
		name, uid = "nobody", other.Uid
	}
	dir := t.TempDir()
	// The user has to reach the script, and not the configuration.
	for folder := dir; folder != filepath.Dir(folder) && folder != os.TempDir(); folder = filepath.Dir(folder) {
		must(t, os.Chmod(folder, 0o755))
	}
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), mode))
		return path
	}
	startup := write("smtpd.yaml", fmt.Sprintf("version: \"6.0\"\nenvironment:\n  privdrop:\n    user: %s\n", name), 0o600)
	write("smtpd-app.yaml", "version: \"6.0\"\n", 0o600)
	script := write("who.hsl", "echo pcre_match(#/^Uid:\\t(\\d+)\\t(\\d+)/m, File(\"file://self/status\")->read())[1:];", 0o644)
	p := run(t, "hsh", "-c", startup, "-R", "/proc", "-P", script).expectCode(0)
	expectContains(t, p.out.String(), fmt.Sprintf("[0=>%q,1=>%q]\n", uid, uid))
	nobody := write("none.yaml", "version: \"6.0\"\n", 0o600)
	p = run(t, "hsh", "-c", nobody, "-P", script).expectCode(2)
	expectContains(t, p.err.String(), "names no user in environment.privdrop")
}
