package smtpd

import (
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/server"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// startupArrival is a setting of the startup file and where it must be found.
type startupArrival struct {
	path string
	text string // of the file
	got  func(*Startup) any
	want any
}

func listener(get func(server.Socket) any) func(*Startup) any {
	return func(s *Startup) any {
		socket, err := s.Servers[0].Listeners[0].socket()
		if err != nil {
			return err
		}
		return get(socket)
	}
}

func spooling(get func(spool.Options) any) func(*Startup) any {
	return func(s *Startup) any { return get(s.spoolOptions(&Daemon{startup: s})) }
}

// TestStartupSettingsArrive sets each setting of listeners, spool and ids alone and
// finds it in the options of the part that obeys it.
func TestStartupSettingsArrive(t *testing.T) {
	root, err := user.Lookup("root")
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.Atoi(root.Gid)
	if err != nil {
		t.Fatal(err)
	}
	const file = "servers: [{ id: a, listeners: [{ port: 2525 }] }]"
	on := func(l string) string { return strings.Replace(file, "port: 2525", l, 1) }
	for _, a := range []startupArrival{
		{"servers[].listeners[].port", on("port: 7"), listener(func(s server.Socket) any { return s.Port }), uint16(7)},
		{"servers[].listeners[].address", on("port: 7, address: 192.0.2.7"), listener(func(s server.Socket) any { return s.Address }), netip.MustParseAddr("192.0.2.7")},
		{"servers[].listeners[].path", on("path: /s"), listener(func(s server.Socket) any { return s.Path }), "/s"},
		{"servers[].listeners[].owner", on("path: /s, owner: root"), listener(func(s server.Socket) any { return s.Owner }), 0},
		{"servers[].listeners[].group", on("path: /s, group: root"), listener(func(s server.Socket) any { return s.Group }), gid},
		{"servers[].listeners[].chmod", on("path: /s, chmod: \"0660\""), listener(func(s server.Socket) any { return s.Mode }), os.FileMode(0o660)},
		{"servers[].listeners[].backlog", on("port: 7, backlog: 70"), listener(func(s server.Socket) any { return s.Backlog }), 70},
		{"servers[].listeners[].nonlocal", on("port: 7, nonlocal: true"), listener(func(s server.Socket) any { return s.NonLocal }), true},
		{"spool.path", file + "\nspool: { path: /q }", spooling(func(o spool.Options) any { return o.Path }), "/q"},
		{"spool.fsync", file + "\nspool: { fsync: false }", spooling(func(o spool.Options) any { return o.NoSync }), true},
		{"spool.corrupt", file + "\nspool: { corrupt: rename }", spooling(func(o spool.Options) any { return o.Corrupt }), spool.CorruptRename},
		{"spool.loader.threads", file + "\nspool: { loader: { threads: 7 } }", spooling(func(o spool.Options) any { return o.LoaderThreads }), 7},
		{"spool.minfree.bytes", file + "\nspool: { minfree: { bytes: 7MiB } }", spooling(func(o spool.Options) any { return o.MinFreeBytes }), int64(7 << 20)},
		{"spool.minfree.inodes", file + "\nspool: { minfree: { inodes: 7 } }", spooling(func(o spool.Options) any { return o.MinFreeInodes }), int64(7)},
		{"environment.tmpdir", file + "\nenvironment: { tmpdir: /t }", spooling(func(o spool.Options) any { return o.TempDir }), "/t"},
		{"environment.uuid.version", file + "\nenvironment: { uuid: { version: 4 } }", func(s *Startup) any {
			id := (&Daemon{startup: s}).newID()()
			return id.String()[14:15] // RFC 9562 §4.2: the version
		}, "4"},
	} {
		t.Run(a.path, func(t *testing.T) {
			if got := a.got(startupOf(t, file)); cmp.Equal(a.want, got, sameAddress) {
				t.Errorf("%v is there without the setting: choose another value", a.want)
			}
			if diff := cmp.Diff(a.want, a.got(startupOf(t, a.text)), sameAddress); diff != "" {
				t.Errorf("%s (-want +got):\n%s", a.text, diff)
			}
		})
	}
}

func startupOf(t *testing.T, text string) *Startup {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smtpd.yaml")
	if err := os.WriteFile(path, []byte("version: \"6.9\"\n"+text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := LoadStartup(path, config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
