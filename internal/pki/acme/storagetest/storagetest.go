// Package storagetest holds implementations of acme.Storage to their contract.
package storagetest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/pki/acme"
)

// Run tests a storage. open returns it with what earlier calls within the same
// test have stored, as another process would see it; it is called with an empty
// one at the beginning of each test.
func Run(t *testing.T, open func(t *testing.T) func() acme.Storage) {
	for _, c := range []struct {
		name string
		test func(*testing.T, func() acme.Storage)
	}{
		{"values", testValues}, {"keys", testKeys}, {"pairs", testPairs}, {"wholePairs", testWholePairs},
		{"retire", testRetire}, {"lineage", testLineage}, {"lock", testLock}, {"cancelled", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func testValues(t *testing.T, open func() acme.Storage) {
	ctx, s := t.Context(), open()
	if _, err := s.Load(ctx, "a/b"); !errors.Is(err, acme.ErrAbsent) {
		t.Errorf("load of nothing: %v", err)
	}
	for _, value := range []string{"first", "", "second, longer"} {
		must(t, s.Store(ctx, "a/b", []byte(value)))
		if got, err := open().Load(ctx, "a/b"); err != nil || string(got) != value {
			t.Errorf("got %q, %v, want %q", got, err, value)
		}
	}
	must(t, s.Store(ctx, "a/c/d", []byte("x")))
	for key, want := range map[string][]string{"a": {"b", "c"}, "a/c": {"d"}, "nothing": nil} {
		if got, err := s.List(ctx, key); err != nil || !slices.Equal(got, want) {
			t.Errorf("beneath %s: %q, %v, want %q", key, got, err, want)
		}
	}
	if _, err := s.Load(ctx, "a/c"); !errors.Is(err, acme.ErrAbsent) {
		t.Errorf("load of what is above a value: %v", err)
	}
	must(t, s.Delete(ctx, "a/b"))
	must(t, s.Delete(ctx, "a/b"))
	if _, err := open().Load(ctx, "a/b"); !errors.Is(err, acme.ErrAbsent) {
		t.Errorf("load of what was deleted: %v", err)
	}
}

func testKeys(t *testing.T, open func() acme.Storage) {
	ctx, s := t.Context(), open()
	for _, key := range []string{"", "/a", "a/", "a//b", "..", "a/../b", ".a", "a b", "a\x00", "ä"} {
		if err := s.Store(ctx, key, nil); err == nil {
			t.Errorf("%q was taken", key)
		}
		if _, err := s.Load(ctx, key); err == nil || errors.Is(err, acme.ErrAbsent) {
			t.Errorf("load of %q: %v", key, err)
		}
	}
}

func testPairs(t *testing.T, open func() acme.Storage) {
	ctx, s := t.Context(), open()
	for _, name := range []string{"a.test", "*.a.test"} {
		if _, err := s.LoadPair(ctx, name); !errors.Is(err, acme.ErrAbsent) {
			t.Errorf("%s before it is there: %v", name, err)
		}
		for i := range 5 {
			want := NewPair(t, name, int64(i+1))
			must(t, s.StorePair(ctx, name, want))
			got, err := open().LoadPair(ctx, name)
			if err != nil || !bytes.Equal(got.Key, want.Key) || !bytes.Equal(got.Chain, want.Chain) {
				t.Fatalf("%s, pair %d: %v", name, i, err)
			}
		}
	}
	a, b := NewPair(t, "b.test", 1), NewPair(t, "b.test", 2)
	if err := s.StorePair(ctx, "b.test", &acme.Pair{Key: a.Key, Chain: b.Chain}); err == nil {
		t.Error("a key with the chain of another one was taken")
	}
	if _, err := s.LoadPair(ctx, "b.test"); !errors.Is(err, acme.ErrAbsent) {
		t.Errorf("what was refused is there: %v", err)
	}
}

// testWholePairs reads while pairs are published: key and chain belong together.
func testWholePairs(t *testing.T, open func() acme.Storage) {
	ctx, s := t.Context(), open()
	pairs := []*acme.Pair{NewPair(t, "a.test", 1), NewPair(t, "a.test", 2)}
	must(t, s.StorePair(ctx, "a.test", pairs[0]))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				p, err := s.LoadPair(ctx, "a.test")
				if err == nil {
					_, err = tls.X509KeyPair(p.Chain, p.Key)
				}
				if err != nil {
					t.Errorf("while it changes: %v", err)
					return
				}
			}
		})
	}
	for i := range 20 {
		if err := s.StorePair(ctx, "a.test", pairs[i%2]); err != nil {
			t.Error(err)
		}
	}
	close(done)
	readers.Wait()
}

func testRetire(t *testing.T, open func() acme.Storage) {
	ctx, s := t.Context(), open()
	must(t, s.Retire(ctx, "a.test"))
	must(t, s.StorePair(ctx, "a.test", NewPair(t, "a.test", 1)))
	must(t, s.Store(ctx, "certs/a.test/meta.json", []byte("{}")))
	must(t, s.Retire(ctx, "a.test"))
	if _, err := s.LoadPair(ctx, "a.test"); !errors.Is(err, acme.ErrAbsent) {
		t.Errorf("the pair of a retired name: %v", err)
	}
	if _, err := s.Load(ctx, "certs/a.test/meta.json"); !errors.Is(err, acme.ErrAbsent) {
		t.Errorf("the state of a retired name: %v", err)
	}
	must(t, s.StorePair(ctx, "a.test", NewPair(t, "a.test", 2)))
	must(t, s.Retire(ctx, "a.test"))
}

func testLineage(t *testing.T, open func() acme.Storage) {
	ctx, s := t.Context(), open()
	if _, err := s.Lineage(ctx, "a.test"); !errors.Is(err, acme.ErrAbsent) {
		t.Errorf("before there is one: %v", err)
	}
	folder := ""
	for i := range 3 {
		p := NewPair(t, "a.test", int64(i+1))
		must(t, s.StorePair(ctx, "a.test", p))
		got, err := s.Lineage(ctx, "a.test")
		must(t, err)
		if folder != "" && got != folder {
			t.Errorf("the folder moved from %s to %s", folder, got)
		}
		folder = got
		block, _ := pem.Decode(p.Chain)
		for file, want := range map[string][]byte{"privkey.pem": p.Key, "fullchain.pem": p.Chain, "cert.pem": pem.EncodeToMemory(block), "chain.pem": nil} {
			data, err := os.ReadFile(filepath.Join(folder, file))
			if err != nil || !bytes.Equal(data, want) {
				t.Errorf("%s of pair %d: %q, %v", file, i, data, err)
			}
		}
	}
}

func testLock(t *testing.T, open func() acme.Storage) {
	ctx, s, other := t.Context(), open(), open()
	unlock, err := s.Lock(ctx, "a.test")
	must(t, err)
	free, err := s.Lock(ctx, "b.test")
	must(t, err)
	free()
	impatient, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := other.Lock(impatient, "a.test"); err == nil {
		t.Error("two hold the lock")
	}
	got := make(chan error, 1)
	go func() {
		again, err := other.Lock(ctx, "a.test")
		if err == nil {
			again()
		}
		got <- err
	}()
	unlock()
	select {
	case err := <-got:
		must(t, err)
	case <-time.After(30 * time.Second):
		t.Error("the lock was given back and nobody got it")
	}
}

func testCancelled(t *testing.T, open func() acme.Storage) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := open()
	_, load := s.Load(ctx, "a")
	_, list := s.List(ctx, "a")
	_, pair := s.LoadPair(ctx, "a.test")
	_, lock := s.Lock(ctx, "a")
	for what, err := range map[string]error{
		"Load": load, "List": list, "LoadPair": pair, "Lock": lock,
		"Store": s.Store(ctx, "a", nil), "Delete": s.Delete(ctx, "a"), "Retire": s.Retire(ctx, "a.test"),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s after the context has ended: %v", what, err)
		}
	}
}

// NewPair makes a pair with a certificate that signs itself and lasts 90 days.
func NewPair(t testing.TB, name string, serial int64) *acme.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90*24*time.Hour - time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return &acme.Pair{
		Key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		Chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("storage: %w", err))
	}
}
