package compat

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/reference"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/system"
	"github.com/posthaste-mta/posthaste/internal/hsl/unittest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// everything has the library declare all that it can; nothing of it is called.
func everything() stdlib.Options {
	return stdlib.Options{
		System:   system.Options{Hostname: "mx.example.com", Log: func(int, string) {}},
		Files:    struct{ file.Store }{},
		Resolver: struct{ network.Resolver }{},
		Engine: engine.Options{
			Queue: struct{ engine.Queue }{}, Quotas: struct{ engine.Quotas }{}, Servers: struct{ engine.Servers }{},
			Metrics: struct{ engine.Metrics }{}, Sender: struct{ engine.Sender }{},
		},
	}
}

// book is all that scripts can call.
func book() *reference.Book {
	b := &reference.Book{}
	var today []*value.Builtin
	for _, t := range stdlib.Themes(everything()) {
		b.Chapters = append(b.Chapters, reference.Chapter{Title: t.Title, Functions: t.Builtins, Classes: t.Classes})
		today = append(today, t.Builtins...)
	}
	b.Chapters = append(b.Chapters, reference.Chapter{Title: "SMTP client", Functions: script.NewClient(nil, nil).Builtins()})
	messages := value.NewLibrary(nil, mail.New(mail.Options{}).Declarations())
	b.Chapters = append(b.Chapters, chapter("Messages", "", messages))
	b.Old = stdlib.Legacy(everything(), today)
	for _, phase := range script.Phases() {
		l, _ := script.Library(phase, nil)
		b.Chapters = append(b.Chapters, chapter("Phase "+phase, "phase "+phase, l))
	}
	modules := extra.New(extra.Options{})
	for _, name := range modules.Modules() {
		b.Chapters = append(b.Chapters, chapter("Module "+name, "scripts that import it from `extras://"+name+"`", modules.Library(name)))
	}
	tests := value.NewLibrary(nil, value.Declarations{Builtins: unittest.Builtins()})
	b.Chapters = append(b.Chapters, chapter("Tests of scripts", "test files, which [hsh test](../../hsh.md) runs", tests))
	return b
}

func chapter(title, where string, l *value.Library) reference.Chapter {
	return reference.Chapter{Title: title, Where: where, Functions: slices.Collect(l.Builtins()), Classes: slices.Collect(l.Classes())}
}

// TestScriptPages keeps docs/reference/hsl that of the declarations.
func TestScriptPages(t *testing.T) {
	folder := filepath.Join("docs", "reference", "hsl")
	if *update {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	pages := book().Pages()
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		compare(t, filepath.Join(folder, name), pages[name])
	}
	entries, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := pages[e.Name()]; ok {
			continue
		}
		if !*update {
			t.Errorf("%s is of nothing that scripts can call: run `make docs`", e.Name())
		} else if err := os.Remove(filepath.Join(root, folder, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

// TestEveryScriptNameHasAPage: what the account says to work is in the reference.
func TestEveryScriptNameHasAPage(t *testing.T) {
	pages := book().Pages()
	constructs := []string{"array", "isset", "unset"}
	for _, f := range mustSection(t, "hsl-functions").Facts {
		if _, ok := pages[f.Name+".md"]; !ok && f.State() == Works && !slices.Contains(constructs, f.Name) {
			t.Errorf("%s works and has no page", f.Name)
		}
	}
}
