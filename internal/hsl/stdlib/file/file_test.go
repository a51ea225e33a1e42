package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// machine returns one whose File has a folder with a few traps in it, and where
// o() is what source gives.
func machine(t *testing.T, source string) *stdlibtest.Machine {
	outside := t.TempDir()
	root := t.TempDir()
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "secret"), "secret")
	write(filepath.Join(root, "real"), "one\r\ntwo\n\nlast")
	if err := os.Mkdir(filepath.Join(root, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := file.Folder{Root: root, Virtual: map[string][]byte{"list/a": []byte("virtual")}}
	l := value.NewLibrary(nil, value.Declarations{Classes: []*value.Class{file.Class(store)}, Builtins: file.Legacy(store)})
	m := stdlibtest.New(t, l, value.Setup{Limits: value.Limits{Memory: 1 << 20}})
	var o value.Value
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"o":        func([]value.Value) (value.Value, error) { return o, nil },
		"absolute": func([]value.Value) (value.Value, error) { return value.String("file://" + root + "/real"), nil },
		"secret":   func([]value.Value) (value.Value, error) { return value.String("file://" + outside + "/secret"), nil },
		"body": func([]value.Value) (value.Value, error) {
			f, err := os.Open(filepath.Join(root, "real"))
			return value.FromResource(&file.Resource{Content: f}), err
		},
		"endless": func([]value.Value) (value.Value, error) {
			return value.FromResource(&file.Resource{Content: endless{}}), nil
		},
	}
	if source != "" {
		var err error
		if o, err = m.Eval(source); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// endless is a file of zeros.
type endless struct{}

func (endless) Read(b []byte) (int, error)     { return len(b), nil }
func (endless) Seek(int64, int) (int64, error) { return 0, nil }
func (endless) Close() error                   { return nil }

func TestRead(t *testing.T) {
	machine(t, `File("file://real")`).Check(t, []stdlibtest.Case{
		{`o()->getPath()`, `"file://real"`},
		{`o()->tell()`, `0`},
		{`o()->readline()`, `"one"`},
		{`o()->tell()`, `5`},
		{`o()->read(2)`, `"tw"`},
		{`o()->readline()`, `"o"`},
		{`o()->readline()`, `""`},
		{`o()->readline()`, `"last"`},
		{`o()->readline()`, `false`},
		{`o()->read()`, `""`},
		{`o()->read(5)`, `""`},
		{`o()->seek(-4, "SEEK_END")`, `10`},
		{`o()->read(100)`, `"last"`},
		{`o()->seek(1)`, `1`},
		{`o()->read(1)`, `"n"`},
		{`o()->seek(-1, "SEEK_CUR")`, `1`},
		{`o()->read(0)`, `""`},
		{`o()->seek(-1)`, `none`},
		{`o()->tell()`, `1`},
		{`o()->seek(0, "SEEK_HERE")`, `!seek: argument 2 (whence): want SEEK_SET, SEEK_CUR or SEEK_END, got "SEEK_HERE"`},
		{`o()->read(-1)`, `!read: argument 1 (length): want a number that is not below 0, got -1`},
		{`o()->close()`, `none`},
		{`o()->close()`, `none`},
		{`o()->read()`, `none`},
		{`o()->readline()`, `none`},
		{`o()->tell()`, `none`},
		{`o()->seek(0)`, `none`},
		{`o()->toFFIValue()`, `!FFI: calling C libraries is not possible`},
	})
}

func TestOpen(t *testing.T) {
	machine(t, "").Check(t, []stdlibtest.Case{
		{`File("list/a")->read()`, `"virtual"`},
		{`File("file:list/a")->read()`, `"virtual"`},
		{`File("nothing")`, `none`},
		{`File(absolute())->read(3)`, `"one"`},
		{`File("file:///real")->read(3)`, `"one"`},
		{`File("file://link")`, `none`},
		{`File("file://../secret")`, `none`},
		{`File(secret())`, `none`},
		{`File("file:///etc/passwd")`, `none`},
		{`File("file://folder")`, `none`},
		{`File("file://pipe")`, `none`},
		{`File(body())->readline()`, `"one"`},
		{`File(body())->getPath()`, `none`},
		{`File::String("data")->read()`, `"data"`},
		{`File::String("data")->getPath()`, `none`},
		{`File::read("list/a")`, `"virtual"`},
		{`File::read("nothing")`, `none`},
		{`File(endless())->read()`, `!script exceeded its memory limit of 1 MiB`},
		{`File(endless())->readline()`, `!script exceeded its memory limit of 1 MiB`},
		{`File(endless())->read(1e15)`, `!script exceeded its memory limit of 1 MiB`},
		{`file("list/a")`, `[0=>"virtual"]`},
		{`in_file("virtual", "list/a")`, `[0=>"virtual"]`},
		{`in_file("vir", "list/a", ["delimiter" => "t"])`, `[0=>"vir",1=>"ual"]`},
		{`in_file("vir", "list/a", ["delimiter" => ""])`, `!in_file: option delimiter: want a string that is not empty, got ""`},
		{`in_file("x", "nothing")`, `none`},
	})
}

// TestNothing: without files there is still File::String.
func TestNothing(t *testing.T) {
	l := value.NewLibrary(nil, value.Declarations{Classes: []*value.Class{file.Class(nil)}})
	stdlibtest.New(t, l, value.Setup{}).Check(t, []stdlibtest.Case{
		{`File("a")`, `none`}, {`File::read("a")`, `none`}, {`File::String("a")->read()`, `"a"`},
	})
}

// TestContent: builtins that take a File read all of it and leave it as it was.
func TestContent(t *testing.T) {
	m := machine(t, `File::String("some text")`)
	m.Check(t, []stdlibtest.Case{{`o()->read(5)`, `"some "`}})
	v, _ := m.Eval(`o()`)
	text, err := v.Object().Native.(*file.File).Content(m.Thread)
	if err != nil || text != "some text" {
		t.Errorf("got %q, %v", text, err)
	}
	m.Check(t, []stdlibtest.Case{{`o()->read()`, `"text"`}})
}

// TestCloses: the end of the script closes what it left open.
func TestCloses(t *testing.T) {
	c := &counter{Reader: strings.NewReader("x")}
	m := machine(t, "")
	m.Functions["counted"] = func([]value.Value) (value.Value, error) { return value.FromResource(&file.Resource{Content: c}), nil }
	m.Check(t, []stdlibtest.Case{{`File(counted())->read()`, `"x"`}})
	m.Thread.End()
	if c.closed != 1 {
		t.Errorf("closed %d times", c.closed)
	}
}

type counter struct {
	*strings.Reader
	closed int
}

func (c *counter) Close() error { c.closed++; return nil }
