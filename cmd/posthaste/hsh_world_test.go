package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
)

// TestHSHWorld: what a script outside the MTA finds of the world: the resolver
// and the files of a configuration, and files on disk.
func TestHSHWorld(t *testing.T) {
	folder(t, map[string]string{
		"names.hsl": `echo dns_query("example.com")["result"][0]; echo spf_query("192.0.2.1", "x", "a@example.com")["result"];`,
		"files.hsl": `echo File("list.txt")->readline(); echo File("file:list.txt")->readline(); echo File("disk.txt")->readline(); ` +
			`echo File("file://real.txt")->readline(); echo File("none.txt") ?? "nothing"; echo File("folder") ?? "nothing"; echo File("file://../disk.txt") ?? "nothing";`,
		"disk.txt": "on disk\n", "root/real.txt": "below the root\n", "folder/x": "",
	})
	srv := dnstest.New(t, "example.com. 300 IN A 192.0.2.1\nexample.com. 300 IN TXT \"v=spf1 a -all\"")
	app := fmt.Sprintf("version: \"6.0\"\nresolver: { servers: [ %q ] }\nscripting: { files: [ { id: list.txt, data: \"configured\\n\" } ] }\n", srv.Addr())
	code, stdout, message := hsh(app, "-A", "-", "names.hsl")
	if code != 0 || stdout != "192.0.2.1\npass\n" {
		t.Errorf("the DNS: ends with %d, prints %q and says %q", code, stdout, message)
	}
	root, err := filepath.Abs("root")
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, message = hsh(app, "-A", "-", "-R", root, "files.hsl")
	if want := "configured\nconfigured\non disk\nbelow the root\nnothing\nnothing\nnothing\n"; code != 0 || stdout != want {
		t.Errorf("files: ends with %d, prints %q and says %q", code, stdout, message)
	}
}
