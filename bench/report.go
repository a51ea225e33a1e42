package main

import (
	"fmt"
	"os"
	"strings"
)

// row is one way in which clients came and what each system made of it.
type row struct {
	connections int
	reuse       bool
	found       map[string][]figure
}

// table writes rows as Markdown: the medians of all rounds, and the medians of the
// ratios of each round, which are what may be compared between machines.
func (b *bench) table(rows []row) string {
	var t strings.Builder
	t.WriteString("| connections | messages on each | Posthaste msg/s | Postfix msg/s | **ratio** | Posthaste CPU ms | Postfix CPU ms | **ratio** | peak MB (Postfix) | syncs per message |\n" +
		"|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range rows {
		r.write(&t)
	}
	return t.String()
}

func (r row) write(t *strings.Builder) {
	ours, theirs := r.found["Posthaste"], r.found["Postfix"]
	reuse := "one"
	if r.reuse {
		reuse = "many"
	}
	compare := func(format string, value func(figure) float64) string {
		if len(theirs) == 0 {
			return fmt.Sprintf(format+" | – | –", median(ours, value))
		}
		return fmt.Sprintf(format+" | "+format+" | **%.2f**", median(ours, value), median(theirs, value), ratio(ours, theirs, value))
	}
	beside := func(format string, value func(figure) float64) string {
		if len(theirs) == 0 {
			return fmt.Sprintf(format, median(ours, value))
		}
		return fmt.Sprintf(format+" ("+format+")", median(ours, value), median(theirs, value))
	}
	fmt.Fprintf(t, "| %d | %s | %s | %s | %s |", r.connections, reuse,
		compare("%.0f", figure.rate), compare("%.3f", figure.cpuPerMessage),
		beside("%.0f", func(f figure) float64 { return float64(f.peak) / 1e6 }))
	if syncs := median(ours, func(f figure) float64 { return f.syncs }); syncs >= 0 {
		fmt.Fprintf(t, " %.3f |\n", syncs)
	} else {
		t.WriteString(" – |\n")
	}
}

// ratio compares round by round and takes the median.
func ratio(ours, theirs []figure, value func(figure) float64) float64 {
	rounds := make([]float64, min(len(ours), len(theirs)))
	for i := range rounds {
		rounds[i] = value(ours[i]) / value(theirs[i])
	}
	return median(rounds, func(r float64) float64 { return r })
}

// insert puts the text between the markers of the part on the page.
func insert(file, part, text string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+part+" -->\n", "<!-- end of "+part+" -->\n"
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no place for %s", file, part)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}
