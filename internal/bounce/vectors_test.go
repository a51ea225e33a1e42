package bounce_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/bounce"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// vector is what a published bounce is, as we read it.
type vector struct{ file, part, label, recipient, id string }

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	text, err := os.ReadFile("testdata/labels.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 5 {
			t.Fatalf("line %q", line)
		}
		all = append(all, vector{f[0], f[1], f[2], f[3], f[4]})
	}
	return all
}

// tally is how well the published bounces are read.
type tally struct {
	tuned, heldout                             score
	kinds, rightKinds                          int
	recipients, rightRecipients, ids, rightIDs int
}

func readVectors(t testing.TB) tally {
	dir := testenv.Vectors(t, "bounces")
	n := tally{tuned: newScore(), heldout: newScore()}
	for _, v := range vectors(t) {
		text, err := os.ReadFile(filepath.Join(dir, v.file))
		if err != nil {
			t.Fatal(err)
		}
		n.add(t, v, text)
	}
	return n
}

func (n *tally) add(t testing.TB, v vector, text []byte) {
	r, ok := bounce.Read(mime.NewBytes(text))
	if !ok {
		r = &bounce.Report{Kind: "none"}
	}
	var first bounce.Recipient
	if len(r.Recipients) > 0 {
		first = r.Recipients[0]
	}
	class, isClass := bounce.ParseClass(v.label)
	if isClass {
		to := n.tuned
		if v.part == "heldout" {
			to = n.heldout
		}
		have := bounce.Default().Classify(first.Reply)
		to.add(class, have.Class)
		if have.Class != class {
			t.Logf("%s: want %s, have %s by %s (%s): %.200q", v.file, class, have.Class, have.Rule, have.Why, first.Reply.Text)
		}
	}
	n.kinds++
	isFailure := r.Kind == bounce.Bounce || r.Kind == bounce.Delay
	if isClass && isFailure || string(r.Kind) == v.label {
		n.rightKinds++
	} else {
		t.Logf("%s: want %s, have %s", v.file, v.label, r.Kind)
	}
	if v.recipient != "-" {
		n.recipients++
		if strings.EqualFold(first.Address, v.recipient) {
			n.rightRecipients++
		} else {
			t.Logf("%s: recipient %q, want %q", v.file, first.Address, v.recipient)
		}
	}
	if v.id != "-" {
		n.ids++
		if r.MessageID == v.id {
			n.rightIDs++
		} else {
			t.Logf("%s: message id %q, want %q", v.file, r.MessageID, v.id)
		}
	}
}
