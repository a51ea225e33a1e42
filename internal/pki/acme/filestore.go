package acme

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// FileStore is a Storage in a folder (spec tls.md 9):
//
//	certs/NAME/SERIAL/{fullchain,chain,cert,privkey}.pem   what was obtained
//	certs/NAME/current -> SERIAL                           what is published
//	certs/NAME/fullchain.pem -> current/fullchain.pem      and so on
//	certs/NAME/meta.json                                   the state of the name
//	AUTHORITY/accounts/…                                   accounts
//	attic/                                                 what was retired
//
// Changing one link publishes a pair, so that no reader finds a key with the
// chain of another one. The two pairs before it are kept. Locks are those of the
// kernel, on files in the folder locks, and end with the process.
type FileStore struct {
	dir string

	mu    sync.Mutex
	locks map[string]chan struct{} // by key; holds one token while the lock is held
}

const (
	folderMode = 0o750
	keyMode    = 0o640
	chainMode  = 0o644
	keepPairs  = 3 // the published one and two before it
)

// lineageFiles are those that certbot's folders have.
var lineageFiles = []string{"fullchain.pem", "chain.pem", "cert.pem", "privkey.pem"}

// OpenFileStore opens the folder, making it where it does not exist. A folder
// that everybody may look into is an error.
func OpenFileStore(dir string) (*FileStore, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("acme: storage: everybody may look into %s, where private keys are: chmod o= %s", dir, dir)
	}
	return &FileStore{dir: dir, locks: map[string]chan struct{}{}}, nil
}

func (s *FileStore) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

// Load implements Storage.
func (s *FileStore) Load(ctx context.Context, key string) ([]byte, error) {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return nil, err
	}
	return readPrivate(s.path(key))
}

// readPrivate reads a file that only the owner and the group may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("%w: %s", ErrAbsent, path)
	}
	if err != nil {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("acme: storage: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%w: %s", ErrAbsent, path)
	case info.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("acme: storage: everybody may read %s: chmod o= %s", path, path)
	}
	data := make([]byte, info.Size())
	if n, err := f.ReadAt(data, 0); err != nil && n < len(data) {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	return data, nil
}

// Store implements Storage.
func (s *FileStore) Store(ctx context.Context, key string, value []byte) error {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return err
	}
	return s.write(key, value, keyMode)
}

func (s *FileStore) write(key string, value []byte, mode fs.FileMode) error {
	path := s.path(key)
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	if err := vfs.WriteAtomic(vfs.OS, path, value, mode); err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	return nil
}

// Delete implements Storage.
func (s *FileStore) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return err
	}
	path := s.path(key)
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = vfs.OS.SyncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	return nil
}

// List implements Storage.
func (s *FileStore) List(ctx context.Context, key string) ([]string, error) {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(s.path(key))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	var words []string
	for _, e := range entries {
		if CheckKey(e.Name()) == nil && !strings.HasSuffix(e.Name(), ".tmp") {
			words = append(words, e.Name())
		}
	}
	return words, nil
}

// StorePair implements Storage.
func (s *FileStore) StorePair(ctx context.Context, name string, p *Pair) error {
	word := Word(name)
	if err := errors.Join(ctx.Err(), CheckKey(word)); err != nil {
		return err
	}
	parsed, err := tls.X509KeyPair(p.Chain, p.Key)
	if err != nil {
		return fmt.Errorf("acme: storage: pair of %s: %w", name, err)
	}
	serial := fmt.Sprintf("%x", parsed.Leaf.SerialNumber)
	folder := certsKey + "/" + word + "/" + serial
	leaf, rest := splitChain(p.Chain)
	for _, f := range []struct {
		name string
		data []byte
		mode fs.FileMode
	}{
		{"privkey.pem", p.Key, keyMode}, {"fullchain.pem", p.Chain, chainMode}, {"chain.pem", rest, chainMode}, {"cert.pem", leaf, chainMode},
	} {
		if err := s.write(folder+"/"+f.name, f.data, f.mode); err != nil {
			return err
		}
	}
	return s.publish(word, serial)
}

// splitChain returns the leaf and what comes after it.
func splitChain(chain []byte) (leaf, rest []byte) {
	block, rest := pem.Decode(chain)
	if block == nil {
		return nil, chain
	}
	return pem.EncodeToMemory(block), rest
}

// publish points the links of a name to one of its serials.
func (s *FileStore) publish(word, serial string) error {
	base := s.path(certsKey, word)
	if err := link(serial, filepath.Join(base, "current")); err != nil {
		return err
	}
	for _, file := range lineageFiles {
		if _, err := os.Lstat(filepath.Join(base, file)); err == nil {
			continue
		}
		if err := link("current/"+file, filepath.Join(base, file)); err != nil {
			return err
		}
	}
	if err := vfs.OS.SyncDir(base); err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	return s.forget(base, serial)
}

// link makes a symbolic link, over whatever has the name.
func link(target, path string) error {
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("acme: storage: %w", err)
	}
	if err := os.Symlink(target, tmp); err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	return nil
}

// forget removes the oldest pairs of a name.
func (s *FileStore) forget(base, published string) error {
	entries, err := os.ReadDir(base)
	if err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	type old struct {
		name string
		at   time.Time
	}
	var all []old
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() && e.Name() != published {
			all = append(all, old{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b old) int { return b.at.Compare(a.at) })
	for _, o := range all[min(len(all), keepPairs-1):] {
		if err := os.RemoveAll(filepath.Join(base, o.name)); err != nil {
			return fmt.Errorf("acme: storage: %w", err)
		}
	}
	return nil
}

// LoadPair implements Storage.
func (s *FileStore) LoadPair(ctx context.Context, name string) (*Pair, error) {
	if err := errors.Join(ctx.Err(), CheckKey(Word(name))); err != nil {
		return nil, err
	}
	base := s.path(certsKey, Word(name))
	serial, err := os.Readlink(filepath.Join(base, "current"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, fmt.Errorf("%w: certificate of %s", ErrAbsent, name)
	}
	if err != nil {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	p := new(Pair)
	// By the serial that was read, so that a switch in between does no harm.
	if p.Key, err = readPrivate(filepath.Join(base, filepath.Base(serial), "privkey.pem")); err != nil {
		return nil, err
	}
	if p.Chain, err = os.ReadFile(filepath.Join(base, filepath.Base(serial), "fullchain.pem")); err != nil {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	return p, nil
}

// Retire implements Storage.
func (s *FileStore) Retire(ctx context.Context, name string) error {
	word := Word(name)
	if err := errors.Join(ctx.Err(), CheckKey(word)); err != nil {
		return err
	}
	attic := s.path("attic")
	if err := os.MkdirAll(attic, folderMode); err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	target := filepath.Join(attic, word+"."+time.Now().UTC().Format("20060102T150405.000000"))
	err := os.Rename(s.path(certsKey, word), target)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = errors.Join(vfs.OS.SyncDir(attic), vfs.OS.SyncDir(s.path(certsKey)))
	}
	if err != nil {
		return fmt.Errorf("acme: storage: %w", err)
	}
	return nil
}

// Lineage implements Storage.
func (s *FileStore) Lineage(ctx context.Context, name string) (string, error) {
	if err := errors.Join(ctx.Err(), CheckKey(Word(name))); err != nil {
		return "", err
	}
	base := s.path(certsKey, Word(name))
	if _, err := os.Lstat(filepath.Join(base, "current")); err != nil {
		return "", fmt.Errorf("%w: certificate of %s", ErrAbsent, name)
	}
	return base, nil
}

// lockPoll is how often a lock that another process holds is tried.
const lockPoll = 500 * time.Millisecond

// Lock implements Storage.
func (s *FileStore) Lock(ctx context.Context, key string) (func(), error) {
	if err := errors.Join(ctx.Err(), CheckKey(key)); err != nil {
		return nil, err
	}
	slot := s.slot(key)
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	f, err := s.lockFile(ctx, key)
	if err != nil {
		<-slot
		return nil, err
	}
	return func() { f.Close(); <-slot }, nil
}

// slot is the lock of a key among the goroutines of this process.
func (s *FileStore) slot(key string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.locks[key]
	if c == nil {
		c = make(chan struct{}, 1)
		s.locks[key] = c
	}
	return c
}

// lockFile is the lock of a key among processes.
func (s *FileStore) lockFile(ctx context.Context, key string) (*os.File, error) {
	if err := os.MkdirAll(s.path("locks"), folderMode); err != nil {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	f, err := os.OpenFile(s.path("locks", strings.ReplaceAll(key, "/", "__")), os.O_RDWR|os.O_CREATE, keyMode)
	if err != nil {
		return nil, fmt.Errorf("acme: storage: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("acme: storage: lock %s: %w", key, err)
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		}
	}
}

var _ Storage = (*FileStore)(nil)
