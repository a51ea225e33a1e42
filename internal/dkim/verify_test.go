package dkim_test

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dkim"
)

const letter = "From: Joe <joe@example.com>\r\nSubject: hello\r\n\r\nHello, world\r\n"

// signed is the letter with a signature, and the zone for it.
func signed(t *testing.T, o dkim.Options) (string, zone) {
	t.Helper()
	o.Domain, o.Selector = "example.com", "sel"
	s := newSigner(t, edKey(), o)
	return string(sign(t, []byte(letter), s)), publish(t, s)
}

// TestSignatureFields breaks a good signature in one way each.
func TestSignatureFields(t *testing.T) {
	good, z := signed(t, dkim.Options{Timestamp: true, Identity: "joe@example.com"})
	for _, c := range []struct {
		old, new string
		status   dkim.Status
		err      error
	}{
		{"", "", dkim.Pass, nil},
		{"v=1", "v=2", dkim.PermError, dkim.ErrSyntax},
		{"v=1; ", "", dkim.PermError, dkim.ErrSyntax},
		{"v=1", "v=1; v=1", dkim.PermError, dkim.ErrSyntax},
		{"a=ed25519-sha256", "a=ed25519-sha1", dkim.Policy, dkim.ErrAlgorithm},
		{"a=ed25519-sha256", "a=rsa-sha1", dkim.Policy, dkim.ErrAlgorithm},
		{"a=ed25519-sha256", "a=rsa-sha256", dkim.PermError, dkim.ErrKeyMismatch},
		{"d=example.com", "d=", dkim.PermError, dkim.ErrSyntax},
		{"d=example.com", "d=example..com", dkim.PermError, dkim.ErrSyntax},
		{"d=example.com", "d=example.org", dkim.PermError, dkim.ErrSyntax}, // i= is not below it
		{"s=sel", "s=other", dkim.PermError, dkim.ErrNoKey},
		{"s=sel", "s=" + strings.Repeat("a.", 130) + "a", dkim.PermError, dkim.ErrSyntax},
		{"c=relaxed/relaxed", "c=loose", dkim.PermError, dkim.ErrSyntax},
		{"c=relaxed/relaxed", "c=relaxed/tight", dkim.PermError, dkim.ErrSyntax},
		{"h=from:from", "h=to", dkim.PermError, dkim.ErrSyntax},
		{"h=from:", "h=from" + strings.Repeat(":x", 600) + ":", dkim.PermError, dkim.ErrSyntax},
		{"i=joe@example.com", "i=joe", dkim.PermError, dkim.ErrSyntax},
		{"i=joe@example.com", "i=joe@badexample.com", dkim.PermError, dkim.ErrSyntax},
		{"i=joe@example.com", "i=joe@Mail.Example.com", dkim.Fail, dkim.ErrSignature},
		{"b=", "b=!", dkim.PermError, dkim.ErrSyntax},
		{"bh=", "bh=AA==", dkim.PermError, dkim.ErrSyntax}, // padding in the middle
		{"s=sel", "s=sel; q=http", dkim.PermError, dkim.ErrSyntax},
		{"s=sel", "s=sel; q=http:dns/txt", dkim.Fail, dkim.ErrSignature},
		{"s=sel", "s=sel; l=x", dkim.PermError, dkim.ErrSyntax},
		{"s=sel", "s=sel; l=-1", dkim.PermError, dkim.ErrSyntax},
		{"s=sel", "s=sel; l=99999", dkim.Fail, dkim.ErrBodyLength},
		{"s=sel", "s=sel; l=3", dkim.Fail, dkim.ErrBody},
		{"s=sel", "s=sel; x=1", dkim.PermError, dkim.ErrSyntax}, // before t=
		{"t=", "t=1", dkim.PermError, dkim.ErrSyntax},           // 12 digits and one
		{"t=", "x=1; y=", dkim.Fail, dkim.ErrExpired},
		{"hello", "hallo", dkim.Fail, dkim.ErrSignature},
		{"world", "welt", dkim.Fail, dkim.ErrBody},
		{"\r\nFrom:", "\r\nFrom: Eve <eve@example.com>\r\nFrom:", dkim.Fail, dkim.ErrSignature}, // oversigned
	} {
		broken := strings.Replace(good, c.old, c.new, 1)
		if c.old == "t=" && c.new == "t=1" {
			broken = strings.Replace(good, "t=", "t=100", 1)
		}
		r := verify(t, z, []byte(broken))
		if len(r) != 1 || r[0].Status != c.status || !errors.Is(r[0].Err, c.err) {
			t.Errorf("%q for %q: %v", c.new, c.old, r[0].Method())
		}
		if (r[0].Reason() == "") != (c.err == nil) {
			t.Errorf("%q for %q: reason %q", c.new, c.old, r[0].Reason())
		}
	}
}

func TestKeyRecords(t *testing.T) {
	msg, z := signed(t, dkim.Options{Identity: "joe@mail.example.com"})
	record := z["sel._domainkey.example.com"][0]
	_, p, _ := strings.Cut(record, "p=")
	for _, c := range []struct {
		records []string
		status  dkim.Status
		err     error
	}{
		{[]string{record}, dkim.Pass, nil},
		{[]string{"k=ed25519; p=" + p}, dkim.Pass, nil},
		{[]string{"v=spf1 -all", record}, dkim.Pass, nil},
		{[]string{record + "; t=y; s=email:x; h=sha1:sha256; n=why"}, dkim.Pass, nil},
		{nil, dkim.PermError, dkim.ErrNoKey},
		{[]string{""}, dkim.PermError, dkim.ErrKeySyntax},
		{[]string{"k=ed25519; v=DKIM1; p=" + p}, dkim.PermError, dkim.ErrKeySyntax},
		{[]string{"v=DKIM2; k=ed25519; p=" + p}, dkim.PermError, dkim.ErrKeySyntax},
		{[]string{"v=DKIM1; k=ed25519"}, dkim.PermError, dkim.ErrKeySyntax},
		{[]string{"v=DKIM1; k=ed25519; p="}, dkim.PermError, dkim.ErrKeyRevoked},
		{[]string{"v=DKIM1; k=ed25519; p=AAAA"}, dkim.PermError, dkim.ErrKeySyntax},
		{[]string{"v=DKIM1; k=ed25519; p=" + p + "!"}, dkim.PermError, dkim.ErrKeySyntax},
		{[]string{"v=DKIM1; p=" + p}, dkim.PermError, dkim.ErrKeySyntax}, // not RSA
		{[]string{"v=DKIM1; k=new; p=" + p}, dkim.PermError, dkim.ErrKeyMismatch},
		{[]string{record + "; h=sha1"}, dkim.PermError, dkim.ErrKeyMismatch},
		{[]string{record + "; s=other"}, dkim.PermError, dkim.ErrKeyMismatch},
		{[]string{record + "; t=s"}, dkim.PermError, dkim.ErrKeyMismatch}, // i= in a subdomain
	} {
		z["sel._domainkey.example.com"] = c.records
		r := verify(t, z, []byte(msg))[0]
		if r.Status != c.status || !errors.Is(r.Err, c.err) {
			t.Errorf("%q: %s", c.records, r.Method())
		}
	}
	z["sel._domainkey.example.com"] = []string{record + "; t=y; n=x"}
	if r := verify(t, z, []byte(msg))[0]; !r.Testing() || r.Key.Notes != "x" || r.Key.Bits != 256 || r.Key.Weak() {
		t.Errorf("%+v", r.Key)
	}
}

func TestRSAKeys(t *testing.T) {
	record := func(n *big.Int, e int) string {
		return "p=" + base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: n, E: e}))
	}
	of := func(bits uint) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return n.SetBit(n, 0, 1)
	}
	for _, c := range []struct {
		record string
		err    error
	}{
		{record(of(1024), 65537), dkim.ErrSignature},
		{record(of(4096), 3), dkim.ErrSignature},
		{record(of(8192), 65537), dkim.ErrSignature},
		{record(of(1023), 65537), dkim.ErrWeak},
		{record(of(512), 65537), dkim.ErrWeak},
		{record(of(8200), 65537), dkim.ErrCostly},
		{record(of(100000), 65537), dkim.ErrCostly},
		{record(of(2048), 1), dkim.ErrKeySyntax},
		{record(of(2048), 65536), dkim.ErrKeySyntax},
		{record(new(big.Int).Lsh(big.NewInt(1), 2047), 65537), dkim.ErrKeySyntax},
	} {
		k, err := dkim.ParseKey(c.record)
		if err == nil {
			err = k.Verify(dkim.RSASHA256, []byte("text"), bytes.Repeat([]byte{1}, 128))
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%.60s: %v, want %v", c.record, err, c.err)
		}
	}
}

func TestLookupErrors(t *testing.T) {
	msg, _ := signed(t, dkim.Options{})
	if r := verify(t, failing(true), []byte(msg))[0]; r.Status != dkim.TempError || !errors.Is(r.Err, dkim.ErrUnavailable) {
		t.Errorf("%s", r.Method())
	} else if m := r.Method(); m.Reason != "key unavailable" || !strings.Contains(r.Reason(), "server failure") {
		t.Errorf("told %q, logged %q", m.Reason, r.Reason())
	}
	if r := verify(t, failing(false), []byte(msg))[0]; r.Status != dkim.PermError || !errors.Is(r.Err, dkim.ErrLookup) {
		t.Errorf("%s", r.Method())
	}
}

// stuck never answers.
type stuck struct{}

func (stuck) TXT(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestLookupsTogether: eight keys that do not come cost the time-out of one, and
// more signatures are not looked at.
func TestLookupsTogether(t *testing.T) {
	msg, _ := signed(t, dkim.Options{})
	end := strings.Index(msg, "From:")
	synctest.Test(t, func(t *testing.T) {
		many := []byte(strings.Repeat(msg[:end], 20) + msg[end:])
		begun := time.Now()
		results := verify(t, stuck{}, many)
		if took := time.Since(begun); len(results) != 8 || took != 5*time.Second {
			t.Errorf("%d results in %v", len(results), took)
		}
		for _, r := range results {
			if r.Status != dkim.TempError {
				t.Errorf("%s", r.Method())
			}
		}
	})
}

func TestUncovered(t *testing.T) {
	msg, z := signed(t, dkim.Options{LimitBody: true, BodyLength: 5})
	r := verify(t, z, []byte(msg+"Evil"))[0]
	if r.Status != dkim.Pass || r.Uncovered != int64(len(", world\r\nEvil\r\n")) {
		t.Errorf("%+v", r)
	}
	if m := r.Method(); !strings.Contains(m.Comment, "15 bytes of the body not signed") {
		t.Errorf("comment %q", m.Comment)
	}
}

func TestMethod(t *testing.T) {
	msg, z := signed(t, dkim.Options{Identity: "joe@mail.example.com"})
	r := verify(t, z, []byte(msg))[0]
	b, _ := r.Signature.Tags.Get("b")
	want := fmt.Sprintf("dkim=pass (256-bit key) header.d=example.com header.i=joe@mail.example.com header.s=sel header.a=ed25519-sha256 header.b=%s", b[:8])
	if got := strings.ReplaceAll(r.Method().String(), `"`, ""); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestOwnFieldIsNotSigned: a signature may cover other signatures, and a copy of
// itself does not count as one.
func TestOwnFieldIsNotSigned(t *testing.T) {
	msg, z := signed(t, dkim.Options{Additional: []string{"dkim-signature"}, Oversign: []string{"dkim-signature"}})
	wantPass(t, verify(t, z, []byte(msg)), 1, []byte(msg))
	end := strings.Index(msg, "From:")
	wantPass(t, verify(t, z, []byte(msg[:end]+msg)), 2, []byte(msg))
	if r := verify(t, z, []byte("DKIM-Signature: v=1\r\n"+msg)); r[1].Status != dkim.Fail {
		t.Errorf("another signature: %s", r[1].Method())
	}
}

func TestChanged(t *testing.T) {
	s, err := dkim.ParseSignature([]byte("DKIM-Signature: v=1; a=rsa-sha256; b=YQ==; bh=YQ==; d=a.b; h=from; s=s; z=From:Joe=20<joe@example.com>|\r\n Subject:=20hallo|Cc:x|junk\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	header := dkim.NewHeader([]byte(letter))
	if got := s.Changed(header); strings.Join(got, ",") != "subject,cc" {
		t.Errorf("%q", got)
	}
}

// broken is a message of which everything from that offset on cannot be read.
type broken struct {
	text string
	at   int64
}

var errDisk = errors.New("disk on fire")

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.at {
		return 0, errDisk
	}
	return strings.NewReader(b.text).ReadAt(p, off)
}

func TestUnreadable(t *testing.T) {
	msg, z := signed(t, dkim.Options{})
	msg += strings.Repeat("x", 10000)
	v := dkim.NewVerifier(z, dkim.VerifyOptions{})
	for _, at := range []int64{0, 4096} {
		if r, err := v.Message(t.Context(), broken{msg, at}, int64(len(msg))); !errors.Is(err, errDisk) {
			t.Errorf("broken at %d: %v, %v", at, r, err)
		}
	}
	if r, err := v.Message(t.Context(), strings.NewReader("Subject: x\r\n\r\n"), 14); err != nil || r != nil {
		t.Errorf("unsigned: %v, %v", r, err)
	}
}
