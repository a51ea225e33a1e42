package dkim_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// letters are messages of the kinds that canonicalization is about.
var letters = []string{
	"From: a@example.com\r\nTo: b@example.org\r\nSubject: plain\r\n\r\nHello\r\n",
	"from:a@example.com\r\nSUBJECT:   folded\r\n\t and \r\n  spaced   \r\nX: y\r\n\r\n a  b\t c \r\n\r\n\r\nend \t\r\n\r\n\r\n",
	"From: a@example.com\r\nReceived: 1\r\nTo: x\r\nReceived: 2\r\nTo: y\r\nSubject:\r\n\r\n",
	"From: a@example.com\r\nDate: now\r\nReferences: <1@x>\r\n <2@x>\r\n\r\nno line end",
	"From: =?utf-8?q?=C3=A4?= <a@example.com>\r\nSubject: \xc3\xa4\r\nContent-Type: text/plain\r\n\r\n\xff\xfe\r\n.\r\n",
}

// canonicalizations are all four pairs.
var canonicalizations = [][2]dkim.Canonicalization{
	{dkim.Relaxed, dkim.Relaxed}, {dkim.Relaxed, dkim.Simple}, {dkim.Simple, dkim.Relaxed}, {dkim.Simple, dkim.Simple},
}

// TestOursByMsgauth: what we sign, another implementation accepts.
func TestOursByMsgauth(t *testing.T) {
	for _, key := range []crypto.Signer{rsaKey(), edKey()} {
		for _, c := range canonicalizations {
			s := newSigner(t, key, dkim.Options{
				Domain: "example.com", Selector: "sel", Identity: "joe@mail.example.com",
				Header: c[0], Body: c[1], Timestamp: true, Oversign: []string{"from", "subject", "cc"},
			})
			z := publish(t, s)
			for _, letter := range letters {
				signed := sign(t, []byte(letter), s)
				checks, err := msgauth.VerifyWithOptions(bytes.NewReader(signed), &msgauth.VerifyOptions{
					LookupTXT: func(name string) ([]string, error) { return z.TXT(t.Context(), name) },
				})
				if err != nil || len(checks) != 1 || checks[0].Err != nil {
					t.Errorf("%s %v: %v %+v\n%s", s.Key().Algorithm(), c, err, checks, signed)
				}
			}
		}
	}
}

// TestMsgauthsByUs is the other way round.
func TestMsgauthsByUs(t *testing.T) {
	for _, key := range []crypto.Signer{rsaKey(), edKey()} {
		z := publish(t, newSigner(t, key, dkim.Options{Domain: "example.com", Selector: "sel"}))
		for _, c := range canonicalizations {
			for _, letter := range letters {
				var signed bytes.Buffer
				err := msgauth.Sign(&signed, strings.NewReader(letter), &msgauth.SignOptions{
					Domain: "example.com", Selector: "sel", Signer: key,
					HeaderCanonicalization: msgauth.Canonicalization(c[0].String()),
					BodyCanonicalization:   msgauth.Canonicalization(c[1].String()),
				})
				if err != nil {
					t.Fatal(err)
				}
				wantPass(t, verify(t, z, signed.Bytes()), 1, signed.Bytes())
			}
		}
	}
}

func wantPass(t *testing.T, results []dkim.Result, n int, msg []byte) {
	t.Helper()
	if len(results) != n {
		t.Errorf("%d signatures, want %d", len(results), n)
	}
	for _, r := range results {
		if r.Status != dkim.Pass {
			t.Errorf("%s\n%s", r.Method(), msg)
		}
	}
}

// keyFile writes an RSA key for other programs.
func keyFile(t *testing.T, key *rsa.PrivateKey) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key.pem")
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// run gives a program a message and returns what it prints.
func run(t *testing.T, msg []byte, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = bytes.NewReader(msg)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, stderr.Bytes())
	}
	return out
}

// dkimpy runs a command of testdata/dkimpy.py with Debian's Python.
func dkimpy(t *testing.T, msg []byte, args ...string) []byte {
	t.Helper()
	testenv.Program(t, "dkimverify")
	return run(t, msg, "/usr/bin/python3", append([]string{filepath.Join("testdata", "dkimpy.py")}, args...)...)
}

// TestDkimpy checks both ways against the implementation in Python.
func TestDkimpy(t *testing.T) {
	key := keyFile(t, rsaKey().(*rsa.PrivateKey))
	for i, c := range canonicalizations {
		s := newSigner(t, rsaKey(), dkim.Options{Domain: "example.com", Selector: "sel", Header: c[0], Body: c[1]})
		z := publish(t, s)
		letter := []byte(letters[i%len(letters)])
		theirs := dkimpy(t, letter, "sign", "sel", "example.com", key, c[0].String(), c[1].String())
		wantPass(t, verify(t, z, theirs), 1, theirs)
		if got := dkimpy(t, sign(t, letter, s), "verify", s.KeyName(), z[s.KeyName()][0]); strings.TrimSpace(string(got)) != "pass" {
			t.Errorf("%v: dkimpy says %s", c, got)
		}
	}
}

// TestDkimpyEd25519 is the same for Ed25519, and for messages with signatures of
// both kinds, theirs on top of ours.
func TestDkimpyEd25519(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", "import nacl").Run(); err != nil {
		testenv.Program(t, "python3-nacl") // a package, not a program: says what to install
	}
	seed := filepath.Join(t.TempDir(), "seed")
	private := edKey().(ed25519.PrivateKey)
	if err := os.WriteFile(seed, []byte(base64.StdEncoding.EncodeToString(private.Seed())), 0o600); err != nil {
		t.Fatal(err)
	}
	rsaFile := keyFile(t, rsaKey().(*rsa.PrivateKey))
	for i, c := range canonicalizations {
		ours := []*dkim.Signer{
			newSigner(t, edKey(), dkim.Options{Domain: "example.com", Selector: "ed", Header: c[0], Body: c[1], Timestamp: true}),
			newSigner(t, rsaKey(), dkim.Options{Domain: "example.com", Selector: "rsa", Header: c[1], Body: c[0]}),
		}
		z := publish(t, ours...)
		var records []string
		for _, s := range ours {
			records = append(records, s.KeyName(), z[s.KeyName()][0])
		}
		letter := sign(t, []byte(letters[i%len(letters)]), ours...)
		letter = dkimpy(t, letter, "sign", "ed", "example.com", seed, c[0].String(), c[1].String(), "ed25519-sha256")
		letter = dkimpy(t, letter, "sign", "rsa", "example.com", rsaFile, c[1].String(), c[0].String())
		wantPass(t, verify(t, z, letter), 4, letter)
		if got := strings.Fields(string(dkimpy(t, letter, append([]string{"verifyall"}, records...)...))); strings.Join(got, " ") != "pass pass pass pass" {
			t.Errorf("%v: dkimpy says %q of\n%s", c, got, letter)
		}
	}
}

// TestRandomMessages signs and checks random bytes in the shape of messages, with
// several signatures at once, and finds every change of a byte that matters.
func TestRandomMessages(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	signers := []*dkim.Signer{
		newSigner(t, edKey(), dkim.Options{Domain: "example.com", Selector: "a", Header: dkim.Simple, Body: dkim.Simple}),
		newSigner(t, edKey(), dkim.Options{Domain: "example.com", Selector: "b"}),
		newSigner(t, edKey(), dkim.Options{Domain: "example.com", Selector: "c", LimitBody: true, BodyLength: 3}),
	}
	z := publish(t, signers...)
	const alphabet = "ab: \t\r\n\r\n;=\xff"
	for range 500 {
		msg := []byte("From: x@y\r\n")
		for range rnd.IntN(200) {
			msg = append(msg, alphabet[rnd.IntN(len(alphabet))])
		}
		h, b := split(msg, signers[0].BodyHash(), signers[1].BodyHash(), signers[2].BodyHash())
		if b.Length(dkim.Relaxed) < 3 {
			continue
		}
		fields, err := dkim.NewPool(1).Sign(t.Context(), h, b, signers...)
		if err != nil {
			t.Fatal(err)
		}
		signed := append(bytes.Join(fields, nil), msg...)
		results := verify(t, z, signed)
		wantPass(t, results, 3, signed)
		signed[len(signed)-len(msg)+6] ^= 1 // in From
		for _, r := range verify(t, z, signed) {
			if r.Status != dkim.Fail {
				t.Errorf("changed: %s\n%q", r.Method(), signed)
			}
		}
	}
}
