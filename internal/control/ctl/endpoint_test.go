package ctl

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// usageOf is what the program makes of unknown flags.
func usageOf(c *cobra.Command, err error) error {
	return coded{fmt.Errorf("%w\nTry '%s --help'", err, c.CommandPath()), exitUsage}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	client := write(t, dir, "halonctl.yaml", "version: \"6.9\"\nenvironment: { controlsocket: { path: /run/x.ctl } }\n")
	tcp := write(t, dir, "phctl.yaml", "version: \"6.9\"\nenvironment: { controlsocket: { port: 8081, address: mx.test } }\n")
	secure := write(t, dir, "tls/phctl.yaml", "version: \"6.9\"\nenvironment: { controlsocket: { port: 8081, address: mx.test, tls: { verifyname: name.test } } }\n")
	server := write(t, dir, "smtpd.yaml", "version: \"6.9\"\nservers: []\nenvironment: { controlsocket: { path: run/smtpd.ctl } }\n")
	serverTCP := write(t, dir, "tcp/smtpd.yaml", "version: \"6.9\"\nservers: []\nenvironment: { controlsocket: { port: 8082, address: \"::\" } }\n")
	for name, tt := range map[string]struct {
		place place
		want  string
		tls   string
	}{
		"path":          {place{socket: "/a/b.ctl"}, "unix /a/b.ctl", ""},
		"prefixed path": {place{socket: "unix:/a/b.ctl"}, "unix /a/b.ctl", ""},
		"port":          {place{socket: "localhost:99"}, "tcp localhost:99", ""},
		"IPv6":          {place{socket: "[::1]:99"}, "tcp [::1]:99", ""},
		"odd path":      {place{socket: "./a:99/x"}, "unix ./a:99/x", ""},
		"up":            {place{dir: "data"}, "unix data/run/smtpd.ctl", ""},
		"client file":   {place{config: client}, "unix /run/x.ctl", ""},
		"client TCP":    {place{config: tcp}, "tcp mx.test:8081", ""},
		"client TLS":    {place{config: secure}, "tcp mx.test:8081", "name.test"},
		"server file":   {place{config: server}, "unix " + dir + "/run/smtpd.ctl", ""},
		"server TCP":    {place{config: serverTCP}, "tcp localhost:8082", ""},
	} {
		e, err := tt.place.find()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := e.network + " " + e.address; got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
		if (e.tls != nil) != (tt.tls != "") || e.tls != nil && (e.tls.ServerName != tt.tls || e.tls.InsecureSkipVerify) {
			t.Errorf("%s: TLS %+v, want %q", name, e.tls, tt.tls)
		}
	}
	if _, err := (place{config: filepath.Join(dir, "none.yaml")}).find(); err == nil {
		t.Error("a file that is not there was read")
	}
}

// TestBesideUp: without any flag the socket of a data folder beside us is found.
func TestBesideUp(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, ".", "posthaste-data/run/smtpd.ctl", "")
	e, err := place{}.find()
	if err != nil {
		t.Fatal(err)
	}
	if e.address != "posthaste-data/run/smtpd.ctl" && !strings.HasPrefix(e.address, "/") {
		t.Errorf("found %s", e.address)
	}
}

// TestUnreachable: exit code 3, and a text that says what to do.
func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.ctl")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for name, tt := range map[string]struct {
		args []string
		want []string
	}{
		"missing": {[]string{"--socket", dir + "/none.ctl"}, []string{"is posthaste running?", dir + "/none.ctl", "--socket"}},
		"folder":  {[]string{"--dir", dir}, []string{"is posthaste running?", dir + "/run/smtpd.ctl"}},
		"dead":    {[]string{"--socket", dead}, []string{"is posthaste running?", "Nobody answers", dead}},
	} {
		for _, command := range []string{"queue list", "queue count --json", "config reload", "resolver clear", "process stats", "queue show 00000000-0000-4000-8000-000000000000", "queue delete --all"} {
			r := run(t, append(tt.args, strings.Fields(command)...)...)
			if r.code != exitUnreachable || r.out != "" {
				t.Errorf("%s, %s: %+v", name, command, r)
			}
			for _, part := range tt.want {
				if !strings.Contains(r.err, part) {
					t.Errorf("%s, %s: %q does not say %q", name, command, r.err, part)
				}
			}
		}
	}
}

func TestGroupHint(t *testing.T) {
	path := write(t, t.TempDir(), "s", "")
	if got := groupHint(path); !strings.Contains(got, "owner") {
		t.Errorf("0600: %s", got)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	if got := groupHint(path); !strings.Contains(got, "Members of the group") {
		t.Errorf("0660: %s", got)
	}
}
