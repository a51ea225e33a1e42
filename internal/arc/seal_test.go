package arc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/arc"
	"github.com/posthaste-mta/posthaste/internal/authres"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// seal validates a message and puts a set on top of it.
func seal(t testing.TB, s *arc.Sealer, r dkim.Resolver, msg []byte, results authres.Results) ([]byte, error) {
	t.Helper()
	end, at, _ := message.Split(msg)
	h, b := dkim.NewHeader(msg[:end]), new(dkim.Body)
	x := arc.NewValidator(r, arc.Options{}).Begin(h, b)
	b.Want(s.BodyHash())
	_, _ = b.Write(msg[at:])
	_ = b.Close()
	set, err := s.Seal(h, b, x.Finish(t.Context()), results)
	return append(set, msg...), err
}

// value returns the unfolded value of the first field of that name.
func value(msg []byte, name string) string {
	for f := range message.Fields(msg) {
		if f.Is(name) {
			return strings.Join(strings.Fields(string(f.Value)), " ")
		}
	}
	return ""
}

// TestSealingVectors seals as the suite says. The message signature comes out
// byte for byte. The seal cannot, because it covers the folds of the other fields,
// of which the suite's are those of one implementation: it is compared by its tags
// and proved by validation, and so is the suite's own set.
func TestSealingVectors(t *testing.T) {
	each(t, "arc-draft-sign-tests.yml", func(t *testing.T, s *suite, v *vector) {
		key, err := dkim.ParsePrivateKey([]byte(s.PrivateKey))
		if err != nil {
			t.Fatal(err)
		}
		sealer, err := arc.NewSealer(key, dkim.Options{
			Domain: s.Domain, Selector: s.Sel, Time: time.Unix(v.T, 0),
			Headers: strings.Split(v.Headers, ":"), Oversign: []string{},
		})
		if err != nil {
			t.Fatal(err)
		}
		msg := crlf(v.Message)
		out, err := seal(t, sealer, s.zone(), msg, authres.Collect(msg, v.Server))
		if strings.TrimSpace(v.AS) == "" {
			if !errors.Is(err, arc.ErrEnded) {
				t.Errorf("want no set: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"arc-message-signature": v.AMS, "arc-authentication-results": v.AAR} {
			if got, want := strings.ReplaceAll(value(out, name), " ", ""), strings.Join(strings.Fields(want), ""); got != want {
				t.Errorf("%s\ngot  %s\nwant %s", name, got, want)
			}
		}
		theirs := []byte(tags("ARC-Seal", v.AS) + tags("ARC-Message-Signature", v.AMS) +
			"ARC-Authentication-Results: " + strings.Join(strings.Fields(v.AAR), " ") + "\r\n" + string(msg))
		compareSeals(t, out, theirs)
		if before := validate(t, s.zone(), msg); before.Status != arc.Fail {
			for who, m := range map[string][]byte{"ours": out, "theirs": theirs} {
				if r := validate(t, s.zone(), m); r.Status != arc.Pass {
					t.Errorf("%s: %s", who, r.Reason())
				}
			}
		}
	})
}

// tags writes a signature of the suite as it was when it was sealed: without folds
// in its values.
func tags(name, text string) string {
	text = strings.Join(strings.Fields(text), "")
	return name + ": " + strings.ReplaceAll(text, ";", "; ") + "\r\n"
}

func compareSeals(t *testing.T, ours, theirs []byte) {
	t.Helper()
	a, err1 := dkim.ParseTags(value(ours, "arc-seal"))
	b, err2 := dkim.ParseTags(value(theirs, "arc-seal"))
	if err1 != nil || err2 != nil || len(a) != len(b) {
		t.Fatalf("%v, %v:\n%s\n%s", err1, err2, a, b)
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Name != "b" && a[i].Value != b[i].Value {
			t.Errorf("%s=%s, want %s=%s", a[i].Name, a[i].Value, b[i].Name, b[i].Value)
		}
	}
}

const letter = "From: Joe <joe@example.com>\r\nTo: list@example.org\r\nSubject: hello\r\n\r\nHello, world\r\n"

// relay is a host that seals, with its own key.
func relay(t testing.TB, z zone, domain string, key crypto.Signer) *arc.Sealer {
	t.Helper()
	if key == nil {
		_, key, _ = ed25519.GenerateKey(rand.Reader)
	}
	s, err := arc.NewSealer(key, dkim.Options{Domain: domain, Selector: "s"})
	if err != nil {
		t.Fatal(err)
	}
	private, _ := dkim.NewPrivateKey(key, dkim.KeyDefault)
	if z[s.KeyName()], err = private.Record(); err != nil {
		t.Fatal(err)
	}
	return s
}

func results(id string) authres.Results {
	return authres.Results{ID: id, Methods: []authres.Method{{Name: "spf", Result: "pass", Props: []authres.Prop{{Type: "smtp", Property: "mailfrom", Value: "example.com"}}}}}
}

// TestChangedUnseen: who finds a chain broken says so in a last set, and nobody
// adds to it.
func TestChangedUnseen(t *testing.T) {
	z := zone{}
	msg := append(chain(t, z, 1, 0), "-- \r\nthe list\r\n"...)
	last := relay(t, z, "last.example", nil)
	msg, err := seal(t, last, z, msg, results("mx"))
	if seal := value(msg, "arc-seal"); err != nil || !strings.Contains(seal, "cv=fail") || !strings.Contains(seal, "i=2") {
		t.Fatalf("%v: %s", err, seal)
	}
	if r := validate(t, z, msg); r.Status != arc.Fail || !errors.Is(r.Err, arc.ErrSealed) {
		t.Errorf("%s: %s", r.Status, r.Reason())
	}
	if _, err := seal(t, last, z, msg, results("x")); !errors.Is(err, arc.ErrEnded) {
		t.Errorf("a failed chain was extended: %v", err)
	}
}

// chain seals a message so many times, with a change before the set that is
// number changed, counted from 1.
func chain(t testing.TB, z zone, n, changed int) []byte {
	t.Helper()
	msg := []byte(letter)
	for i := 1; i <= n; i++ {
		// Whoever changes a message validates it first.
		end, at, _ := message.Split(msg)
		h, b := dkim.NewHeader(msg[:end]), new(dkim.Body)
		x := arc.NewValidator(z, arc.Options{}).Begin(h, b)
		_, _ = b.Write(msg[at:])
		_ = b.Close()
		found := x.Finish(t.Context())
		if i == changed {
			msg = append(msg, "footer\r\n"...)
		}
		s := relay(t, z, fmt.Sprintf("relay%d.example", i), nil)
		h, b = dkim.NewHeader(msg[:end]), new(dkim.Body)
		b.Want(s.BodyHash())
		_, _ = b.Write(msg[at:])
		_ = b.Close()
		set, err := s.Seal(h, b, found, results("mx"))
		if err != nil {
			t.Fatal(err)
		}
		msg = append(set, msg...)
	}
	return msg
}

func TestOldest(t *testing.T) {
	for _, c := range []struct{ sets, changed, oldest int }{{1, 0, 0}, {3, 0, 0}, {3, 2, 2}, {3, 3, 3}, {4, 3, 3}} {
		z := &counting{zone: zone{}}
		msg := chain(t, z.zone, c.sets, c.changed)
		r := validate(t, z, msg)
		if r.Status != arc.Pass || r.Oldest != c.oldest || len(r.Chain.Sets) != c.sets {
			t.Errorf("%+v: %s, oldest %d: %s", c, r.Status, r.Oldest, r.Reason())
		}
		if z.n != c.sets {
			t.Errorf("%+v: %d look-ups", c, z.n)
		}
		want := fmt.Sprintf("arc=pass (i=%d) header.oldest-pass=%d", c.sets, c.oldest)
		if got := r.Method().String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if a := r.Chain.Sets[0].Authentication(); a.ID != "mx" || len(a.Methods) != 1 || a.Methods[0].Result != "pass" {
			t.Errorf("results of the first set: %v", a)
		}
	}
}

func TestBroken(t *testing.T) {
	z := zone{}
	msg := chain(t, z, 3, 0)
	for _, c := range []struct {
		name     string
		old, new string
		err      error
	}{
		{"body", "Hello, world", "Hello, moon", dkim.ErrBody},
		{"header", "Subject: hello", "Subject: hallo", dkim.ErrSignature},
		{"results", "i=1; mx;", "i=1; my;", arc.ErrSeal},
		{"set missing", "ARC-Seal: a=ed25519-sha256; b=", "X: ", arc.ErrStructure},
		{"number", "i=3; mx", "i=51; mx", arc.ErrStructure},
		{"cv", "cv=pass", "cv=none", arc.ErrStructure},
		{"failed before", "cv=pass", "cv=fail", arc.ErrSealed},
		{"sha1", "ARC-Seal: a=ed25519-sha256", "ARC-Seal: a=rsa-sha1", dkim.ErrAlgorithm},
		{"h in seal", "cv=pass;", "cv=pass; h=from;", arc.ErrStructure},
	} {
		r := validate(t, z, bytes.Replace(msg, []byte(c.old), []byte(c.new), 1))
		if r.Status != arc.Fail || !errors.Is(r.Err, c.err) || r.Reason() == "" || r.Temporary() {
			t.Errorf("%s: %s, %s", c.name, r.Status, r.Reason())
		}
	}
}

// stuck never answers.
type stuck struct{}

func (stuck) TXT(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestTimeout: many keys that do not come cost one time-out, and a message that
// has changed costs no look-up.
func TestTimeout(t *testing.T) {
	msg := chain(t, zone{}, 1, 0)
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		if r := validate(t, stuck{}, msg); !r.Temporary() || time.Since(begun) != 10*time.Second {
			t.Errorf("%s after %v", r.Reason(), time.Since(begun))
		}
	})
	z := &counting{zone: zone{}}
	if r := validate(t, z, append(msg, 'x')); r.Status != arc.Fail || z.n != 0 {
		t.Errorf("%s with %d look-ups", r.Reason(), z.n)
	}
}

func TestFull(t *testing.T) {
	z := zone{}
	s := relay(t, z, "relay.example", nil)
	msg := []byte(letter)
	for range arc.MaxSets {
		var err error
		if msg, err = seal(t, s, z, msg, results("mx")); err != nil {
			t.Fatal(err)
		}
	}
	if r := validate(t, z, msg); r.Status != arc.Pass || len(r.Chain.Sets) != arc.MaxSets {
		t.Errorf("%s: %s", r.Status, r.Reason())
	}
	if _, err := seal(t, s, z, msg, results("mx")); !errors.Is(err, arc.ErrFull) {
		t.Errorf("one more: %v", err)
	}
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// dkimpy runs a command of the script of package dkim's tests.
func dkimpy(t *testing.T, msg []byte, args ...string) []byte {
	t.Helper()
	testenv.Program(t, "dkimverify")
	cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", append([]string{"../dkim/testdata/dkimpy.py"}, args...)...)
	cmd.Stdin = bytes.NewReader(msg)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	return out
}

// TestDkimpy: an independent implementation accepts our chains, extends them, and
// we accept the result.
func TestDkimpy(t *testing.T) {
	z := zone{}
	s := relay(t, z, "relay.example", rsaKey())
	key := filepath.Join(t.TempDir(), "key.pem")
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaKey())}
	if err := os.WriteFile(key, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	msg, err := seal(t, s, z, []byte(letter), results("mx.relay.example"))
	if err != nil {
		t.Fatal(err)
	}
	if got := dkimpy(t, msg, "arcverify", s.KeyName(), z[s.KeyName()]); strings.TrimSpace(string(got)) != "pass" {
		t.Fatalf("dkimpy says %s of\n%s", got, msg)
	}
	msg = append([]byte("Authentication-Results: mx2.example; arc=pass; spf=pass\r\n"), msg...)
	theirs := dkimpy(t, msg, "arcsign", "s", "relay.example", key, "mx2.example")
	if r := validate(t, z, theirs); r.Status != arc.Pass || len(r.Chain.Sets) != 2 {
		t.Fatalf("%s: %s\n%s", r.Status, r.Reason(), theirs)
	}
	if msg, err = seal(t, s, z, theirs, results("mx3.example")); err != nil {
		t.Fatal(err)
	}
	if got := dkimpy(t, msg, "arcverify", s.KeyName(), z[s.KeyName()]); strings.TrimSpace(string(got)) != "pass" {
		t.Errorf("three sets: dkimpy says %s", got)
	}
}

func FuzzCollect(f *testing.F) {
	f.Add(string(chain(f, zone{}, 2, 0)))
	f.Add("ARC-Seal: i=1\r\nARC-Seal: i=1\r\nARC-Authentication-Results: i= 50 ; x\r\n\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		h := dkim.NewHeader([]byte(s))
		c := arc.Collect(h)
		if c.Err != nil {
			return
		}
		for i, set := range c.Sets {
			if set.Instance != i+1 || set.Seal == nil || set.Message == nil || set.Results == nil {
				t.Errorf("set %d: %+v", i, set)
			}
			set.Authentication()
		}
	})
}

// BenchmarkValidate is a small message with three sets by Ed25519: 0.46 ms on one
// core, of which the six signatures are 0.37 ms.
func BenchmarkValidate(b *testing.B) {
	z := zone{}
	msg := chain(b, z, 3, 0)
	b.ReportAllocs()
	for b.Loop() {
		if r := validate(b, z, msg); r.Status != arc.Pass {
			b.Fatal(r.Err)
		}
	}
}
