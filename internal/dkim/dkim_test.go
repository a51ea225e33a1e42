package dkim_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// zone is a Resolver that knows what is in it.
type zone map[string][]string

func (z zone) TXT(_ context.Context, name string) ([]string, error) {
	for n, texts := range z {
		if strings.EqualFold(n, name) {
			return texts, nil
		}
	}
	return nil, nil
}

// failing is a Resolver that has no answers.
type failing bool // whether that may change

func (f failing) TXT(context.Context, string) ([]string, error) { return nil, lookupError(f) }

type lookupError bool

func (e lookupError) Error() string   { return "dns: server failure" }
func (e lookupError) Temporary() bool { return bool(e) }

var (
	rsaKey = sync.OnceValue(func() crypto.Signer {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return key
	})
	edKey = sync.OnceValue(func() crypto.Signer {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

// publish returns a zone with the keys of the signers.
func publish(t testing.TB, signers ...*dkim.Signer) zone {
	t.Helper()
	z := zone{}
	for _, s := range signers {
		record, err := s.Key().Record()
		if err != nil {
			t.Fatal(err)
		}
		z[s.KeyName()] = []string{record}
	}
	return z
}

func newSigner(t testing.TB, key crypto.Signer, o dkim.Options) *dkim.Signer {
	t.Helper()
	s, err := dkim.NewSigner(key, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// split reads a message into what signing wants.
func split(msg []byte, want ...dkim.BodyHash) (*dkim.Header, *dkim.Body) {
	header, body, _ := message.Split(msg)
	b := new(dkim.Body)
	for _, w := range want {
		b.Want(w)
	}
	_, _ = b.Write(msg[body:])
	_ = b.Close()
	return dkim.NewHeader(msg[:header]), b
}

// sign puts signatures on top of a message.
func sign(t testing.TB, msg []byte, signers ...*dkim.Signer) []byte {
	t.Helper()
	var want []dkim.BodyHash
	for _, s := range signers {
		want = append(want, s.BodyHash())
	}
	h, b := split(msg, want...)
	fields, err := dkim.NewPool(0).Sign(t.Context(), h, b, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Join(fields, nil), msg...)
}

func verify(t testing.TB, r dkim.Resolver, msg []byte) []dkim.Result {
	t.Helper()
	results, err := dkim.NewVerifier(r, dkim.VerifyOptions{}).Message(t.Context(), bytes.NewReader(msg), int64(len(msg)))
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func crlf(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) }

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors checks the published messages, of which each comes with the key
// records that it needs.
func TestVectors(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Vectors(t, "dkim"), "0*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			records, msg, _ := bytes.Cut(read(t, file), []byte("\n\n"))
			z := zone{}
			for line := range strings.Lines(string(records)) {
				name, record, _ := strings.Cut(strings.TrimSpace(line), " ")
				z[name] = []string{record}
			}
			synctest.Test(t, func(t *testing.T) {
				// The one that expires did so a day after it was made.
				time.Sleep(time.Until(time.Date(2022, 11, 8, 0, 0, 0, 0, time.UTC)))
				results := verify(t, z, crlf(msg))
				if len(results) == 0 {
					t.Error("no signatures found")
				}
				for _, r := range results {
					if r.Status != dkim.Pass {
						t.Errorf("%s: %s", r.Method(), r.Reason())
					}
				}
			})
		})
	}
}

// TestExamples checks the signed messages of RFC 6376 §A.3 and RFC 8463 §A.3, as
// they stand and with a change.
func TestExamples(t *testing.T) {
	z := zone{
		"brisbane._domainkey.example.com":          {"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"},
		"brisbane._domainkey.football.example.com": {"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
		"test._domainkey.football.example.com":     {"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"},
	}
	for name, signatures := range map[string]int{"rfc6376.eml": 1, "rfc8463.eml": 2} {
		msg := crlf(read(t, filepath.Join("testdata", name)))
		for change, want := range map[string]dkim.Status{"": dkim.Pass, "hungry": dkim.Fail, "dinner": dkim.Fail} {
			results := verify(t, z, bytes.Replace(msg, []byte(change), []byte(strings.ToUpper(change)), 1))
			if len(results) != signatures {
				t.Errorf("%s: %d signatures", name, len(results))
			}
			for _, r := range results {
				if r.Status != want {
					t.Errorf("%s, %q changed: %s", name, change, r.Method())
				}
				if r.Err == nil && (r.Key.Bits != 1024 || !r.Key.Weak()) && r.Key.Type == "rsa" {
					t.Errorf("%s: key of %d bits", name, r.Key.Bits)
				}
			}
		}
	}
}
