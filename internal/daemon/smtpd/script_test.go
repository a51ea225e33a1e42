package smtpd

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// TestScriptWorld: what scripts in the MTA find of the world: its resolver, the
// files of the configuration and those below the root path, keys and
// certificates by id, and source addresses by id.
func TestScriptWorld(t *testing.T) {
	srv := dnstest.New(t, "example.com. 300 IN A 192.0.2.1\nexample.com. 300 IN TXT \"v=spf1 a -all\"")
	resolver, err := dns.New(dns.Options{Servers: []netip.AddrPort{srv.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(resolver.Stop)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "from "+r.RemoteAddr) }))
	t.Cleanup(web.Close)
	dir := t.TempDir()
	key, certificate := selfSigned(t, "mx")
	for name, text := range map[string]string{
		"real.txt": "real\n", "lib.hsl": `function lib() { return "lib"; }`, "key.pem": string(key), "cert.pem": string(certificate),
		"smtpd.yaml": fmt.Sprintf("version: \"6.9\"\nservers: [{ id: a, listeners: [{ port: 2525 }] }]\nscripting: { rootpath: %q }\n"+
			"pki: { private: [ { id: alone, privatekey: { path: %q } } ] }\n", dir, filepath.Join(dir, "key.pem")),
		"smtpd-app.yaml": fmt.Sprintf(`version: "6.9"
addresses: [ { id: here, address: 127.0.0.1 } ]
pki: { private: [ { id: pair, privatekey: { path: %q }, certificate: { path: %q } } ] }
servers: [ { id: a, phases: { connect: { hook: world } } } ]
scripting:
  files: [ { id: list.txt, data: "configured\n" } ]
  hooks:
    connect:
      - id: world
        data: |
          import { lib } from "file://lib.hsl";
          echo dns_query("example.com")["result"][0];
          echo spf_query("192.0.2.1", "x", "joe@example.com")["result"];
          echo File("list.txt")->readline() . File("file://real.txt")->readline() . lib();
          echo cms_sign("x", "pair", ["id" => true])["result"];
          echo pcre_match("^from 127.0.0.1", http(%q, ["sourceipid" => "here"]))[0];
`, filepath.Join(dir, "key.pem"), filepath.Join(dir, "cert.pem"), web.URL),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	startup, _, err := LoadStartup(filepath.Join(dir, "smtpd.yaml"), config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	running, _, err := LoadRunning(startup, config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pki.ReadKeys(entries(startup.PKI.Private))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	s, err := compose(startup, running, keys, &scriptHost{
		dns: func() *dns.Resolver { return resolver },
		events: script.Events{
			Echoed: func(_, _, _, text string) { said = append(said, text) },
			Failed: func(_, _, _, detail string) { t.Error(detail) },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := s.sessionHooks(running.serverByID("a"))
	if err != nil {
		t.Fatal(err)
	}
	hooks.Connect(t.Context(), &session.Connection{ServerID: "a"})
	if got, want := strings.Join(said, "\n"), "192.0.2.1\npass\nconfiguredreallib\ntrue\nfrom 127.0.0.1"; got != want {
		t.Errorf("it said\n%s\nwant\n%s", got, want)
	}
	ring := keyring{s.certificates}
	if ring.PrivateKey("alone") == nil || ring.PrivateKey("pair") == nil || ring.PrivateKey("none") != nil {
		t.Error("keys are not found by id")
	}
	if len(ring.Certificates("pair")) != 1 || ring.Certificates("alone") != nil {
		t.Error("certificates are not found by id")
	}
}
