package acme_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/pki/acme"
	"github.com/posthaste-mta/posthaste/internal/testenv"
	"github.com/posthaste-mta/posthaste/internal/testenv/acmeca"
)

// names lists the files of a folder, hidden ones too.
func names(t testing.TB, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestExports keeps folders for other programs in every form, and takes names
// away that are retired.
func TestExports(t *testing.T) {
	b := newBench(t, acmeca.Options{})
	dir := t.TempDir()
	export := func(id string, kind acme.ExportType, path string, pair bool) acme.Export {
		return acme.Export{ID: id, Type: kind, Path: filepath.Join(dir, path), Pair: pair, UID: -1, GID: os.Getgid(), Mode: 0o640}
	}
	b.options.Exports = []acme.Export{
		export("one", acme.ExportHAProxy, "haproxy", false), export("two", acme.ExportHAProxy, "pairs", true),
		export("ftp", acme.ExportPEM, "ftp/{name}.both", false), export("files", acme.ExportPair, "files/{name}.crt", false),
	}
	b.want("mx.posthaste.net").start()
	b.state("mx.posthaste.net", acme.Valid)
	for folder, want := range map[string][]string{
		"haproxy": {"mx.posthaste.net.pem"}, "pairs": {"mx.posthaste.net.crt", "mx.posthaste.net.crt.key"},
		"ftp": {"mx.posthaste.net.both"}, "files": {"mx.posthaste.net.crt", "mx.posthaste.net.crt.key"},
	} {
		path := filepath.Join(dir, folder)
		if got := names(t, path); !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", folder, got, want)
		}
		chain, key := filepath.Join(path, want[0]), filepath.Join(path, want[len(want)-1])
		if _, err := tls.LoadX509KeyPair(chain, key); err != nil {
			t.Errorf("%s: %v", folder, err)
		}
		if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s: %v, %v", folder, info, err)
		}
	}
	// What somebody has removed is there again after a start.
	must(t, os.Remove(filepath.Join(dir, "haproxy/mx.posthaste.net.pem")))
	b.manager.Stop()
	b.start()
	if got := names(t, filepath.Join(dir, "haproxy")); len(got) != 1 {
		t.Errorf("after a start: %q", got)
	}
}

// TestHAProxy gives certificates to a running HAProxy through its Runtime API: a
// new name and a renewed one serve at once, without a reload, and the folder
// holds what it reads at its next start.
func TestHAProxy(t *testing.T) {
	program := testenv.Program(t, "haproxy")
	b := newBench(t, acmeca.Options{})
	dir := t.TempDir()
	certs, socket := filepath.Join(dir, "certs"), filepath.Join(dir, "admin.sock")
	b.want("first.posthaste.net")
	b.options.Exports = []acme.Export{{ID: "haproxy", Type: acme.ExportHAProxy, Path: certs, UID: -1, GID: -1, Mode: 0o640}}
	b.start()
	b.state("first.posthaste.net", acme.Valid)

	address := filepath.Join(dir, "https.sock") // no port to look for
	configuration := fmt.Sprintf(`
global
    stats socket %s level admin mode 600
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend https
    bind unix@%s ssl crt %s strict-sni
    http-request return status 200
`, socket, address, certs)
	file := filepath.Join(dir, "haproxy.cfg")
	must(t, os.WriteFile(file, []byte(configuration), 0o600))
	out, err := os.Create(filepath.Join(dir, "haproxy.log"))
	must(t, err)
	cmd := exec.Command(program, "-db", "-f", file)
	cmd.Stdout, cmd.Stderr = out, out
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); out.Close() })
	eventually(t, "haproxy to serve", func() bool { return served(address, "first.posthaste.net") != nil })

	b.options.Exports[0].RuntimeAPI = socket
	b.want("first.posthaste.net", "second.posthaste.net")
	b.state("second.posthaste.net", acme.Valid)
	eventually(t, "a new name to serve", func() bool { return served(address, "second.posthaste.net") != nil })
	before := served(address, "first.posthaste.net")
	done, err := b.manager.Retry("first.posthaste.net", true)
	must(t, err)
	if r := <-done; r.Failure != nil {
		t.Fatal(r.Failure)
	}
	if now := served(address, "first.posthaste.net"); now == nil || now.Equal(before) {
		t.Error("the renewed certificate does not serve")
	}
	select {
	case text := <-b.warned:
		t.Error(text)
	default:
	}
	if check, err := exec.Command(program, "-c", "-f", file).CombinedOutput(); err != nil {
		t.Errorf("haproxy would not start again: %v\n%s", err, check)
	}
	cmd.Process.Kill()
	_ = cmd.Wait()
	must(t, os.Remove(socket))
	done, err = b.manager.Retry("second.posthaste.net", true)
	must(t, err)
	if r := <-done; r.Failure != nil {
		t.Errorf("an export that fails made the renewal fail: %+v", r.Failure)
	}
	eventually(t, "a warning about the socket", func() bool {
		select {
		case text := <-b.warned:
			return strings.Contains(text, `export "haproxy": haproxy: `) && strings.Contains(text, "admin.sock")
		default:
			return false
		}
	})
}

// served is what a client gets for a name; nil when it is turned away.
func served(socket, name string) *x509.Certificate {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return nil
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	client := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}) // the certificate itself is compared
	if client.Handshake() != nil {
		return nil
	}
	return client.ConnectionState().PeerCertificates[0]
}
