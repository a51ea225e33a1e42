package bounce_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/bounce"
)

var update = flag.Bool("update", false, "write the figures of docs/bounces.md again")

// TestVectors reads the published bounces, holds the figures at what they were,
// and keeps those of the page.
func TestVectors(t *testing.T) {
	n := readVectors(t)
	for _, part := range []struct {
		name  string
		score score
		least int
	}{{"tuned", n.tuned, 77}, {"held out", n.heldout, 86}} {
		if right, total := part.score.sum(); right < part.least {
			t.Errorf("%s: %d of %d, fewer than %d", part.name, right, total, part.least)
		}
	}
	if n.rightKinds < 204 || n.rightRecipients < 198 || n.rightIDs < 181 {
		t.Errorf("kinds %d of %d, recipients %d of %d, ids %d of %d", n.rightKinds, n.kinds, n.rightRecipients, n.recipients, n.rightIDs, n.ids)
	}
	page(t, figures(n, measure(t, "tuned.txt"), measure(t, "heldout.txt")))
}

const begin, end = "<!-- figures: written by the tests of internal/bounce with -update -->\n", "<!-- end of figures -->\n"

func page(t *testing.T, have string) {
	t.Helper()
	const file = "../../docs/bounces.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	was, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the figures", file)
	}
	if was == have {
		return
	}
	if !*update {
		t.Fatalf("the figures of %s are not these: run this test with -update\n%s", file, have)
	}
	if err := os.WriteFile(file, []byte(before+begin+have+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func figures(n tally, tuned, heldout score) string {
	var b strings.Builder
	b.WriteString("| class | published, tuned | published, held out | own, tuned | own, held out |\n|---|---|---|---|---|\n")
	parts := []score{n.tuned, n.heldout, tuned, heldout}
	row := func(name string, of func(score) (int, int)) {
		b.WriteString("| " + name)
		for _, p := range parts {
			right, total := of(p)
			if total == 0 {
				b.WriteString(" | ")
				continue
			}
			fmt.Fprintf(&b, " | %d of %d", right, total)
		}
		b.WriteString(" |\n")
	}
	for _, c := range bounce.Classes() {
		row("`"+c.String()+"`", func(s score) (int, int) { return s.right[c], s.total[c] })
	}
	row("**all**", score.sum)
	fmt.Fprintf(&b, "\nOf the published messages, the kind was told for %d of %d, the first recipient for %d of %d, the message id for %d of %d that hold one.\n",
		n.rightKinds, n.kinds, n.rightRecipients, n.recipients, n.rightIDs, n.ids)
	return b.String()
}
