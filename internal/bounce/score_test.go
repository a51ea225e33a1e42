package bounce_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/bounce"
)

// labelled is an answer and what it means.
type labelled struct {
	class bounce.Class
	text  string
}

// corpus reads a file of lines with a class, a tab and a text.
func corpus(t testing.TB, name string) (all []labelled) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		name, text, ok := strings.Cut(s.Text(), "\t")
		class, known := bounce.ParseClass(name)
		if !ok || !known {
			t.Fatalf("no label: %s", s.Text())
		}
		all = append(all, labelled{class, text})
	}
	return all
}

// score counts, for each class, how many were to be found and how many were.
type score struct{ total, right map[bounce.Class]int }

func newScore() score { return score{map[bounce.Class]int{}, map[bounce.Class]int{}} }

func (s score) add(want, have bounce.Class) {
	s.total[want]++
	if want == have {
		s.right[want]++
	}
}

func (s score) sum() (right, total int) {
	for c, n := range s.total {
		right, total = right+s.right[c], total+n
	}
	return right, total
}

func measure(t testing.TB, name string) score {
	s := newScore()
	for _, l := range corpus(t, name) {
		r := bounce.Default().Classify(bounce.Reply{Text: l.text})
		s.add(l.class, r.Class)
		if r.Class != l.class {
			t.Logf("%s: want %s, have %s by %s (%s): %s", name, l.class, r.Class, r.Rule, r.Why, l.text)
		}
	}
	return s
}
