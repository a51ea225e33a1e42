package main

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// scripts are the same programs in each language, by name and extension.
//
//go:embed script
var scripts embed.FS

// scriptNames are the programs, in the order of the page.
var scriptNames = []string{"calls", "loops", "strings", "arrays", "closures", "regex", "json", "sha256", "headers", "policy"}

// language runs scripts.
type language struct {
	name, extension string
	command         []string
}

// languages returns those that are installed, HSL first. PHP runs without its
// compiler, which the command line leaves off by default.
func (b *bench) languages() []language {
	all := []language{{"HSL", ".hsl", []string{b.program, "hsh"}}}
	for _, l := range []language{
		{"PHP", ".php", []string{"php", "-n", "-d", "memory_limit=-1"}},
		{"Lua", ".lua", []string{"lua5.4"}},
	} {
		if _, err := exec.LookPath(l.command[0]); err != nil {
			b.progress("without %s: %v", l.name, err)
			continue
		}
		all = append(all, l)
	}
	return all
}

// scriptTimes are the least times of a program by language.
type scriptTimes map[string]time.Duration

// hsl measures the script language against others.
func (b *bench) hsl(ctx context.Context) (string, error) {
	dir := filepath.Join(b.dir, "script")
	if err := writeScripts(dir); err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	languages := b.languages()
	empty, err := b.race(ctx, languages, filepath.Join(dir, "empty"))
	if err != nil {
		return "", err
	}
	rows := make(map[string]scriptTimes)
	for _, name := range scriptNames {
		b.progress("hsl: %s", name)
		times, err := b.race(ctx, languages, filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		for l := range times {
			times[l] -= empty[l]
		}
		rows[name] = times
	}
	return versions(ctx, languages) + scriptTable(rows) + emptyScript(), nil
}

// versions names what HSL was measured against.
func versions(ctx context.Context, languages []language) string {
	var names []string
	for _, l := range languages[1:] {
		out, err := exec.CommandContext(ctx, l.command[0], "-v").CombinedOutput()
		line, _, _ := strings.Cut(string(out), "\n")
		if words := strings.Fields(line); err == nil && len(words) > 1 {
			names = append(names, words[0]+" "+words[1])
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "Against " + strings.Join(names, " and ") + ".\n\n"
}

// writeScripts lays the programs down, and an empty one in each language.
func writeScripts(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	entries, err := fs.ReadDir(scripts, "script")
	if err != nil {
		return err
	}
	for _, e := range entries {
		text, err := fs.ReadFile(scripts, "script/"+e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, e.Name()), text, 0o644); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "empty"+filepath.Ext(e.Name())), nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// race runs a program in all languages that have it, in turn, and returns the
// least processor time of each. They must print the same.
func (b *bench) race(ctx context.Context, languages []language, path string) (scriptTimes, error) {
	least := make(scriptTimes)
	printed := ""
	for range b.rounds {
		for _, l := range languages {
			if _, err := os.Stat(path + l.extension); err != nil {
				continue
			}
			took, out, err := l.run(ctx, path)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
			if printed == "" {
				printed = out
			}
			if out != printed {
				return nil, fmt.Errorf("%s prints %q in %s and %q elsewhere", filepath.Base(path), out, l.name, printed)
			}
			if have, ok := least[l.name]; !ok || took < have {
				least[l.name] = took
			}
		}
	}
	return least, nil
}

// run runs one program and returns the processor time that it took, of all its
// threads.
func (l language) run(ctx context.Context, path string) (time.Duration, string, error) {
	c := exec.CommandContext(ctx, l.command[0], append(slices.Clone(l.command[1:]), path+l.extension)...)
	var out, failure bytes.Buffer
	c.Stdout, c.Stderr = &out, &failure
	if err := c.Run(); err != nil {
		return 0, "", fmt.Errorf("%s: %w: %.200s", filepath.Base(path), err, failure.String()+out.String())
	}
	return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), out.String(), nil
}

// scriptTable writes the times and their ratios.
func scriptTable(rows map[string]scriptTimes) string {
	var t strings.Builder
	t.WriteString("| program | HSL ms | PHP ms | Lua ms | **HSL / PHP** | HSL / Lua |\n|---|--:|--:|--:|--:|--:|\n")
	all := map[string][]float64{}
	for _, name := range scriptNames {
		times := rows[name]
		fmt.Fprintf(&t, "| %s | %s | %s | %s |", name, times.show("HSL"), times.show("PHP"), times.show("Lua"))
		for _, other := range []string{"PHP", "Lua"} {
			r := times.ratio(other)
			if r > 0 {
				all[other] = append(all[other], r)
			}
			t.WriteString(" " + showRatio(r, other == "PHP") + " |")
		}
		t.WriteByte('\n')
	}
	fmt.Fprintf(&t, "| median | | | | %s | %s |\n", showRatio(middle(all["PHP"]), true), showRatio(middle(all["Lua"]), false))
	return t.String()
}

func (s scriptTimes) show(language string) string {
	if d, ok := s[language]; ok {
		return fmt.Sprint(d.Milliseconds())
	}
	return "–"
}

// ratio returns how much longer HSL takes than another language, 0 if that is not
// known.
func (s scriptTimes) ratio(other string) float64 {
	if s[other] <= 0 {
		return 0
	}
	return float64(s["HSL"]) / float64(s[other])
}

func showRatio(r float64, bold bool) string {
	switch {
	case r == 0:
		return "–"
	case bold:
		return fmt.Sprintf("**%.2f**", r)
	}
	return fmt.Sprintf("%.2f", r)
}

// middle returns the median, 0 of nothing.
func middle(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	list = slices.SortedFunc(slices.Values(list), cmp.Compare)
	return (list[(len(list)-1)/2] + list[len(list)/2]) / 2
}

// emptyScript measures what a hook costs that does nothing.
func emptyScript() string {
	program, err := hsl.Compile("empty", "", hsl.Options{Library: stdlib.New(stdlib.Options{})})
	if err != nil {
		panic(err) // an empty script compiles
	}
	shared := value.NewProcess(0)
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := program.Run(b.Context(), hsl.Execution{Setup: value.Setup{Process: shared, Limits: value.Limits{Time: time.Second}}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	return fmt.Sprintf("\nAn empty compiled script starts and ends in %d ns and allocates %d bytes.\n", r.NsPerOp(), r.AllocedBytesPerOp())
}
