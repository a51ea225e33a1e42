package acme_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/pki/acme"
	"github.com/posthaste-mta/posthaste/internal/pki/acme/storagetest"
)

func TestFileStore(t *testing.T) {
	storagetest.Run(t, func(t *testing.T) func() acme.Storage {
		dir := filepath.Join(t.TempDir(), "acme")
		return func() acme.Storage { return openStore(t, dir) }
	})
}

func openStore(t testing.TB, dir string) *acme.FileStore {
	t.Helper()
	s, err := acme.OpenFileStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFilePermissions: keys that others may read are refused, with a word on
// what to do.
func TestFilePermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	s := openStore(t, dir)
	if err := s.StorePair(t.Context(), "a.test", storagetest.NewPair(t, "a.test", 10)); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "certs/a.test/a/privkey.pem")
	info, err := os.Stat(key)
	if err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Fatalf("key: %v, %v", info, err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadPair(t.Context(), "a.test"); err == nil || !strings.Contains(err.Error(), "chmod o= "+key) {
		t.Errorf("a key for everybody: %v", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := acme.OpenFileStore(dir); err == nil || !strings.Contains(err.Error(), "chmod o= "+dir) {
		t.Errorf("a folder for everybody: %v", err)
	}
}

// TestFileStoreKeepsTwo keeps the published pair and the two before it.
func TestFileStoreKeepsTwo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	s := openStore(t, dir)
	for serial := range int64(6) {
		if err := s.StorePair(t.Context(), "a.test", storagetest.NewPair(t, "a.test", serial+1)); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := filepath.Glob(filepath.Join(dir, "certs/a.test/*/privkey.pem"))
	if err != nil {
		t.Fatal(err)
	}
	var folders int
	for _, e := range entries {
		if !strings.Contains(e, "/current/") {
			folders++
		}
	}
	if folders != 3 {
		t.Errorf("%d pairs are kept: %q", folders, entries)
	}
	if _, err := s.Load(t.Context(), "certs/a.test/current"); !errors.Is(err, acme.ErrAbsent) {
		t.Errorf("a folder is taken for a value: %v", err)
	}
}
