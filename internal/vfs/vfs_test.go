package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// Both file systems keep the same contract.
func TestContract(t *testing.T) {
	for name, fsys := range map[string]FS{"os": OS, "mem": NewMem()} {
		t.Run(name, func(t *testing.T) { testContract(t, fsys, t.TempDir()) })
	}
}

func testContract(t *testing.T, fsys FS, dir string) {
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(fsys.MkdirAll(filepath.Join(dir, "sub"), 0o700))
	path := filepath.Join(dir, "sub", "file")
	if _, err := fsys.OpenFile(path, os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open of nothing: %v", err)
	}
	f, err := fsys.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	check(err)
	if _, err := fsys.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("exclusive open of an existing file: %v", err)
	}
	check(f.Allocate(10000))
	// More buffers than one system call takes.
	var bufs [][]byte
	var want []byte
	for i := range 3000 {
		bufs = append(bufs, bytes.Repeat([]byte{byte(i)}, i%7))
		want = append(want, bufs[i]...)
	}
	n, err := f.WriteV(bufs, 100)
	if n != int64(len(want)) || err != nil {
		t.Errorf("WriteV: %d, %v", n, err)
	}
	check(f.Sync())
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 100); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read back: %v", err)
	}
	size, err := f.Size()
	if size < 100+n || err != nil {
		t.Errorf("size %d, %v", size, err)
	}
	check(f.Truncate(150))
	if n, err := f.ReadAt(got, 100); n != 50 || err != io.EOF {
		t.Errorf("read over the end: %d, %v", n, err)
	}
	check(f.Close())
	check(fsys.Rename(path, path+"2"))
	check(fsys.SyncDir(filepath.Dir(path)))
	names, err := fsys.List(filepath.Dir(path))
	if !slices.Equal(names, []string{"file2"}) || err != nil {
		t.Errorf("names %q, %v", names, err)
	}
	check(fsys.Remove(path + "2"))
	if err := fsys.Remove(path + "2"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("remove of nothing: %v", err)
	}
	space, err := fsys.Free(dir)
	if space.Bytes <= 0 || space.Inodes <= 0 || err != nil {
		t.Errorf("free %+v, %v", space, err)
	}
	testLock(t, fsys, filepath.Join(dir, "lock"))
	testAtomic(t, fsys, filepath.Join(dir, "atomic"))
}

func testLock(t *testing.T, fsys FS, name string) {
	lock, err := fsys.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	var held *HeldError
	if _, err := fsys.Lock(name); !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("second lock: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	lock, err = fsys.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
}

func testAtomic(t *testing.T, fsys FS, name string) {
	for _, text := range []string{"a longer text", "short", ""} {
		if err := WriteAtomic(fsys, name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadFile(fsys, name); string(got) != text || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
	}
}

func TestWriteAtomicSurvivesCrashes(t *testing.T) {
	m := NewMem()
	if err := WriteAtomic(m, "/d/file", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	checked := 0
	m.Before = func(op Op) error {
		for seed := range uint64(10) {
			for _, how := range []Survival{Nothing, Everything, InOrder, Scattered} {
				c := m.CrashClone(how, rand.New(rand.NewPCG(seed, uint64(op.Number))))
				if got, err := ReadFile(c, "/d/file"); string(got) != "old" && string(got) != "new" {
					t.Errorf("before %v: %q, %v", op, got, err)
				}
				checked++
			}
		}
		return nil
	}
	if err := WriteAtomic(m, "/d/file", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Error("no step was seen")
	}
	m.Before = func(op Op) error { return syscall.EIO }
	if err := WriteAtomic(m, "/d/file", []byte("newer"), 0o600); !errors.Is(err, syscall.EIO) {
		t.Errorf("failing: %v", err)
	}
}

func openMem(t *testing.T, m *Mem, name string) File {
	t.Helper()
	f, err := m.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, f File, text string, off int64) {
	t.Helper()
	if _, err := f.WriteAt([]byte(text), off); err != nil {
		t.Fatal(err)
	}
}

func content(m *Mem, name string) string {
	data, err := ReadFile(m, name)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestCrashClone(t *testing.T) {
	m := NewMem()
	f := openMem(t, m, "/d/file")
	write(t, f, "synced", 0)
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := content(m.CrashClone(Nothing, nil), "/d/file"); got == "synced" {
		t.Error("a name that was not synced survived")
	}
	if err := m.SyncDir("/d"); err != nil {
		t.Fatal(err)
	}
	write(t, f, "S", 0)
	write(t, f, "later", sectorSize)
	for how, want := range map[Survival]string{Nothing: "synced", Everything: "Synced"} {
		if got := content(m.CrashClone(how, nil), "/d/file"); got[:6] != want {
			t.Errorf("survival %d: %q, want %q", how, got, want)
		}
	}
	seen := map[string]bool{}
	for seed := range uint64(100) {
		got := content(m.CrashClone(Scattered, rand.New(rand.NewPCG(seed, 1))), "/d/file")
		seen[string(bytes.Trim([]byte(got), "\x00"))[:6]] = true
	}
	if !seen["synced"] || !seen["Synced"] {
		t.Errorf("scattered survival shows only %v", seen)
	}
}

// What a failed sync left in doubt no later sync makes sure.
func TestFailedSyncStaysInDoubt(t *testing.T) {
	m := NewMem()
	f := openMem(t, m, "/d/file")
	write(t, f, "old", 0)
	if err := errors.Join(f.Sync(), m.SyncDir("/d")); err != nil {
		t.Fatal(err)
	}
	write(t, f, "new", 0)
	m.Before = func(op Op) error { return syscall.EIO }
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	m.Before = nil
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if got := content(m, "/d/file"); got != "new" {
		t.Errorf("reads %q", got)
	}
	if got := content(m.CrashClone(Nothing, nil), "/d/file"); got != "old" {
		t.Errorf("after a crash %q", got)
	}
}

func TestCapacity(t *testing.T) {
	m := NewMem()
	m.SetCapacity(3 * sectorSize)
	f := openMem(t, m, "/d/file")
	write(t, f, string(make([]byte, 2*sectorSize)), 0)
	if _, err := f.WriteAt(make([]byte, 2*sectorSize), 2*sectorSize); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write beyond: %v", err)
	}
	write(t, f, "over what is there", 0)
	if err := f.Allocate(10 * sectorSize); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("allocate: %v", err)
	}
	if space, err := m.Free("/d"); space.Bytes != sectorSize || err != nil {
		t.Errorf("free %+v, %v", space, err)
	}
	if err := m.Remove("/d/file"); err != nil {
		t.Fatal(err)
	}
	if m.Used() != 0 {
		t.Errorf("%d bytes used by nothing", m.Used())
	}
}
