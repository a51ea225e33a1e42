package ctl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/posthaste-mta/posthaste/internal/control"
)

// TestReference keeps docs/reference/ctl.md what the commands say of themselves.
func TestReference(t *testing.T) {
	file := filepath.Join("..", "..", "..", "docs", "reference", "ctl.md")
	have := reference()
	if *update {
		if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != have {
		t.Errorf("%s is not what the commands say: run this test with -update", file)
	}
}

func reference() string {
	root := New(Options{Version: "", Code: func(_ int, err error) error { return err }})
	var b strings.Builder
	b.WriteString("# posthaste ctl\n\nGenerated from the commands by `make docs`. Also known as `halonctl` and `phctl`.\n\n")
	b.WriteString(root.Long + "\n\nExit status: 0 done, 1 failed, 2 wrong usage, 3 nobody answers.\n")
	b.WriteString("\n## Flags of every command\n\n" + flagTable(root.PersistentFlags(), nil))
	b.WriteString("\n## Conditions\n\n" + strings.TrimSpace(conditionHelp) + "\n\n| condition | selects by |\n|---|---|\n")
	selecting := map[string]bool{}
	for _, c := range control.Conditions() {
		selecting[c.Field] = true
		row(&b, "`--"+c.Field+" "+c.Value+"`", c.Help)
	}
	b.WriteString("\n## Columns\n\n| column | meaning |\n|---|---|\n")
	for _, c := range control.Columns() {
		row(&b, "`"+c.Name+"`", c.Help)
	}
	b.WriteString("\n## Commands\n")
	commands(&b, root, selecting)
	return b.String()
}

func commands(b *strings.Builder, c *cobra.Command, conditions map[string]bool) {
	for _, child := range c.Commands() {
		if child.HasSubCommands() {
			commands(b, child, conditions)
			continue
		}
		fmt.Fprintf(b, "\n### %s\n\n%s.\n\n```\n%s\n", child.CommandPath(), child.Short, child.UseLine())
		if child.Example != "" {
			b.WriteString("\n" + child.Example + "\n")
		}
		b.WriteString("```\n")
		if flags := flagTable(child.LocalNonPersistentFlags(), conditions); flags != "" {
			b.WriteString("\n" + flags)
		}
	}
}

// flagTable lists flags but those to leave out.
func flagTable(flags *pflag.FlagSet, without map[string]bool) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if without[f.Name] || f.Name == "help" {
			return
		}
		if b.Len() == 0 {
			b.WriteString("| flag | meaning |\n|---|---|\n")
		}
		value, text := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		row(&b, "`"+strings.TrimSpace(name+" "+value)+"`", text)
	})
	return b.String()
}

func row(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		b.WriteString("| " + strings.NewReplacer("|", `\|`, "<", `\<`, "*", `\*`).Replace(c) + " ")
	}
	b.WriteString("|\n")
}
