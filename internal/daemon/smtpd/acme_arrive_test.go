package smtpd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/pki/acme"
)

// composeApp composes a running file, or says why not.
func composeApp(t *testing.T, dir, app string) (*snapshot, error) {
	t.Helper()
	for name, text := range map[string]string{
		"smtpd.yaml": "version: \"6.9\"\nservers: [{ id: a, listeners: [{ port: 2525 }] }]\n", "smtpd-app.yaml": "version: \"6.9\"\nservers: [{ id: a }]\n" + app + "\n",
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
		return nil, err
	}
	return compose(startup, running, nil, new(scriptHost))
}

// TestCertificateSettingsArrive finds each setting of pki.acme, pki.hooks and
// pki.exports in the options of the keeper.
func TestCertificateSettingsArrive(t *testing.T) {
	dir := t.TempDir()
	_, roots := selfSigned(t, "ca")
	if err := os.WriteFile(filepath.Join(dir, "roots.pem"), roots, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, text string
		got        func(*acme.Options) any
		want       any
	}{
		{"agreetos", "acme: { agreetos: true, email: none }", func(o *acme.Options) any { return []any{o.Agreed, o.Email, o.Off()} }, []any{true, "none", ""}},
		{"directory", "acme: { directory: staging }", func(o *acme.Options) any { return o.Authorities[0].Directory }, acme.Staging},
		{"directory, production", "acme: { directory: production }", func(o *acme.Options) any { return o.Authorities[0].Directory }, acme.Production},
		{"roots", "acme: { roots: roots.pem }", func(o *acme.Options) any { return o.Authorities[0].Roots != nil }, true},
		{"eab", "acme: { eab: { kid: k, hmackey: h } }", func(o *acme.Options) any { return *o.Authorities[0].Binding }, acme.Binding{KeyID: "k", HMACKey: "h"}},
		{"fallback", "acme: { fallback: [ { directory: \"https://ca.example/d\", roots: roots.pem, eab: { kid: k, hmackey: h } } ] }",
			func(o *acme.Options) any {
				a := o.Authorities[1]
				return []any{a.Directory, a.Roots != nil, *a.Binding}
			}, []any{"https://ca.example/d", true, acme.Binding{KeyID: "k", HMACKey: "h"}}},
		{"profile", "acme: { profile: shortlived }", func(o *acme.Options) any { return o.Profile }, "shortlived"},
		{"challenges", "acme: { challenges: [dns-01, http-01] }", func(o *acme.Options) any { return o.Challenges }, []string{"dns-01", "http-01"}},
		{"keytype", "acme: { keytype: rsa3072 }", func(o *acme.Options) any { return o.KeyType }, acme.RSA3072},
		{"reusekey", "acme: { reusekey: true }", func(o *acme.Options) any { return o.ReuseKey("www.example.com") }, true},
		{"reusekey, unset", "default: { hostname: MX.example.com }", func(o *acme.Options) any { return []bool{o.ReuseKey("mx.example.com"), o.ReuseKey("www.example.com")} }, []bool{true, false}},
		{"renewbefore", "acme: { renewbefore: 20d }", func(o *acme.Options) any { return o.RenewBefore }, 480 * time.Hour},
		{"ari", "acme: { ari: false }", func(o *acme.Options) any { return o.ARI }, false},
		{"retry.intervals", "acme: { retry: { intervals: [2m, 1h] } }", func(o *acme.Options) any { return o.Intervals }, []time.Duration{2 * time.Minute, time.Hour}},
		{"concurrency", "acme: { concurrency: 7 }", func(o *acme.Options) any { return o.Concurrency }, 7},
		{"selfcheck", "acme: { selfcheck: { mode: warn, connect: \"192.0.2.1:80\", timeout: 3, allowprivate: true } }",
			func(o *acme.Options) any { return o.Check }, acme.Check{Mode: acme.CheckWarn, Connect: "192.0.2.1:80", Timeout: 3 * time.Second, AllowPrivate: true}},
		{"selfcheck.mode, true", "acme: { selfcheck: { mode: true } }", func(o *acme.Options) any { return o.Check.Mode }, acme.CheckRequire},
		{"selfcheck.mode, false", "acme: { selfcheck: { mode: false } }", func(o *acme.Options) any { return o.Check.Mode }, acme.CheckOff},
		{"names", "default: { hostname: mx.example.com, acme: [Gen.example.com] }, acme: { names: [b.example.com, mx.example.com.] }",
			func(o *acme.Options) any { return o.Wants }, []acme.Want{
				{Name: "mx.example.com", UsedBy: []string{"pki.default.hostname", "pki.acme.names"}},
				{Name: "gen.example.com", UsedBy: []string{"pki.default.acme"}}, {Name: "b.example.com", UsedBy: []string{"pki.acme.names"}},
			}},
		{"hooks", "hooks: { deploy: [ { path: /d, timeout: 5, coalesce: 1 } ], failure: [ { path: /f } ], expiry: [ { path: /e } ] }",
			func(o *acme.Options) any { return o.Hooks }, acme.Hooks{
				Deploy:  []acme.Hook{{Path: "/d", Timeout: 5 * time.Second, Coalesce: time.Second}},
				Failure: []acme.Hook{{Path: "/f", Timeout: time.Minute, Coalesce: 30 * time.Second}}, Expiry: []acme.Hook{{Path: "/e", Timeout: time.Minute, Coalesce: 30 * time.Second}},
			}},
		{"exports", "exports: [ { id: h, path: /certs, runtimeapi: /sock, mode: \"0600\", group: root, owner: root }, { id: p, type: pair, path: \"/x/{name}.crt\" } ]",
			func(o *acme.Options) any { return o.Exports }, []acme.Export{
				{ID: "h", Type: acme.ExportHAProxy, Path: "/certs", RuntimeAPI: "/sock", Mode: 0o600},
				{ID: "p", Type: acme.ExportPair, Path: "/x/{name}.crt", UID: -1, GID: -1, Mode: 0o640},
			}},
		{"exports, pair", "exports: [ { id: h, path: /certs, format: pair } ]", func(o *acme.Options) any { return o.Exports[0].Pair }, true},
	} {
		t.Run(c.path, func(t *testing.T) {
			s, err := composeApp(t, dir, "pki: { "+c.text+" }")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, c.got(s.acme)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

// TestPublisher composes what publishes records.
func TestPublisher(t *testing.T) {
	dir := t.TempDir()
	s, err := composeApp(t, dir, "pki: { acme: { dns: { update: { server: 192.0.2.53, zone: z.example, keyname: k, algorithm: hmac-sha512, secret: c2VjcmV0 }, wait: 5 } } }")
	if err != nil {
		t.Fatal(err)
	}
	u, ok := s.running.PKI.ACME.DNS.publisher(nil).(*acme.Updated)
	if !ok || u.Wait != 5*time.Second || u.Updater.Server.String() != "192.0.2.53:53" || u.Updater.Zone != "z.example" || u.Updater.KeyName != "k" ||
		u.Updater.Algorithm != "hmac-sha512" || u.Updater.Secret != "c2VjcmV0" {
		t.Errorf("%+v", u)
	}
	if s, err = composeApp(t, dir, "pki: { acme: { dns: { program: /bin/publish } } }"); err != nil {
		t.Fatal(err)
	}
	if p, ok := s.running.PKI.ACME.DNS.publisher(nil).(*acme.Program); !ok || p.Path != "/bin/publish" || p.Wait != 2*time.Minute {
		t.Errorf("%+v", p)
	}
	if s, err = composeApp(t, dir, ""); err != nil || s.running.PKI.ACME.DNS.publisher(nil) != nil {
		t.Errorf("without a setting: %v", err)
	}
}

// TestCertificateMistakes are refused with a word on what is wrong.
func TestCertificateMistakes(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"acme: { agreetos: true }":                                       "needs pki.acme.email",
		"acme: { names: [\"a b\"] }":                                     `"a b" is no host name`,
		"acme: { names: [192.0.2.1] }":                                   "is an address",
		"acme: { directory: \"http://ca.example\" }":                     "no https URL",
		"acme: { roots: missing.pem }":                                   "missing.pem",
		"exports: [ { id: h, path: /c, format: pair, runtimeapi: /s } ]": "format pem",
		"exports: [ { id: h, path: /c, type: pem } ]":                    "{name}",
		"exports: [ { id: h, path: /c, owner: nobody-of-that-name } ]":   "nobody-of-that-name",
		"default: { certificate: { data: x } }":                          "needs pki.default.privatekey",
		"acme: { dns: { program: /p, update: { server: 192.0.2.53 } } }": "program",
		"acme: { challenges: [ftp-01] }":                                 "ftp-01",
	} {
		if _, err := composeApp(t, dir, "pki: { "+text+" }"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
