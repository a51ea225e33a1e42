package ctl

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// at is a time in 2026 as the API has it.
func at(text string) int64 {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UnixMicro()
}

// certificates of every state that looks different.
var certificates = []*pb.Certificate{
	{
		Domain: "ok.example.net", HasCert: true, NotAfter: at("2027-02-18T10:20:30Z"), State: "valid", Issuer: "R12", Serial: "3a",
		RenewAt: at("2027-01-19T10:20:30Z"), Source: "acme", UsedBy: []string{"pki.default.hostname", "pki.acme.names"}, Profile: "classic",
		AriStart: at("2027-01-18T00:00:00Z"), AriEnd: at("2027-01-20T00:00:00Z"), AriUrl: "https://ca.example/why",
	},
	{
		Domain: "bad.example.net", State: "failed", Failures: 7, ErrorCode: "selfcheck:dns", Wrong: true, Source: "acme",
		LastFailureMessage: `Registration failed: Self-check failed: DNS lookup failed. Check DNS and verify that "bad.example.net" resolves to an IP address on this host.`,
		LastFailureTime:    at("2026-11-21T06:48:04.123456Z"), NextRetryTime: at("2026-11-21T07:48:04.123456Z"), UsedBy: []string{"pki.acme.names"},
	},
	{
		Domain: "late.example.net", HasCert: true, NotAfter: at("2026-12-01T00:00:00Z"), State: "renew-failed", Failures: 1, ErrorCode: "acme:rateLimited", Wrong: true,
		LastFailureMessage: "Renewal failed: too many\x1b[31m orders", LastFailureTime: at("2026-11-21T06:48:04Z"), NextRetryTime: at("2026-11-21T06:49:04Z"), Source: "acme",
	},
	{Domain: "new.example.net", State: "pending", Source: "acme", UsedBy: []string{"pki.acme.names"}},
	{Domain: "a-name-that-is-longer-than-the-fifty-columns-of-its-column.example.net", HasCert: true, NotAfter: at("2027-01-01T00:00:00Z"), State: "manual", Source: "manual"},
}

// TestStatusText and the JSON forms are read by other people's scripts: to the
// byte (spec tls.md 8.1).
func TestStatusText(t *testing.T) {
	var text, own, plain, detail, object bytes.Buffer
	check(t, writeStatus(&text, certificates, time.UTC))
	goldenFile(t, "certs-status.txt", text.Bytes())
	check(t, writeStatusJSON(&own, certificates, false))
	goldenFile(t, "certs-status.json", own.Bytes())
	check(t, writeStatusJSON(&plain, certificates, true))
	goldenFile(t, "lets-encrypt-status.json", plain.Bytes())
	d := &pb.CertificateShowResponse{
		Certificate: certificates[0], Directory: "https://ca.example/directory", Account: "https://ca.example/acct/1", Lineage: "/var/lib/posthaste/acme/certs/ok.example.net", Budget: 250,
		Chain: []*pb.CertificateLink{{
			Subject: "CN=ok.example.net", Issuer: "CN=R12", Names: []string{"ok.example.net"}, NotBefore: at("2026-11-20T10:20:30Z"),
			NotAfter: at("2027-02-18T10:20:30Z"), Sha256: "aa11", SpkiSha256: "bb22",
		}},
		History: []*pb.CertificateAttempt{{Time: at("2026-11-20T10:00:00Z"), Code: "acme:dns", Message: "no"}, {Time: at("2026-11-20T10:20:30Z")}},
	}
	check(t, writeDetail(&detail, d, time.UTC))
	goldenFile(t, "certs-show.txt", detail.Bytes())
	check(t, writeDetailJSON(&object, d))
	goldenFile(t, "certs-show.json", object.Bytes())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func goldenFile(t *testing.T, name string, have []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		check(t, os.WriteFile(path, have, 0o644))
	}
	want, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(want, have) {
		t.Errorf("%s holds\n%s\nand the command prints\n%s", path, want, have)
	}
}
