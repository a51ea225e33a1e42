package mail_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// comment is the output that an example says it has, at the end of a line.
var comment = regexp.MustCompile(`(?m)[;}] // (.*)$`)

// taken is a sender to whom all hosts say yes.
type taken struct{}

func (taken) Send(*value.Call, mail.Content, value.Value, *value.Array, value.Value) (value.Value, error) {
	return value.FromArray(value.Map("result", value.FromArray(value.Map("code", value.Int(250))))), nil
}

// TestExamples runs the example of each method and function and compares what
// it prints with its comments.
func TestExamples(t *testing.T) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := mail.New(mail.Options{Queue: &store{}, Sender: taken{}, Resolver: zone{}, Keys: keyring{"mail": key}})
	for _, b := range k.Declarations().Builtins {
		testExample(t, k, b)
	}
	for _, c := range append(k.Declarations().Classes, mail.EODClass) {
		for _, m := range slices.Concat(c.Methods, c.Statics) {
			testExample(t, k, m)
		}
	}
}

func testExample(t *testing.T, k *mail.Kit, b *value.Builtin) {
	t.Helper()
	var want []string
	for _, found := range comment.FindAllStringSubmatch(b.Example, -1) {
		want = append(want, found[1])
	}
	if len(want) == 0 {
		t.Errorf("%s has the example %q", b.Name, b.Example)
		return
	}
	if got := strings.TrimSpace(lf(execute(t, k, b.Example, nil, ""))); got != strings.Join(want, "\n") {
		t.Errorf("%s: %s\n got %q", b.Name, b.Example, got)
	}
}
