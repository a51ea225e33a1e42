package regex

import (
	"errors"
	"testing"
)

// FuzzMatch: whatever the pattern and the subject, nothing panics, the budget is
// kept, offsets lie within the subject, and remembering failures changes nothing.
func FuzzMatch(f *testing.F) {
	for _, tt := range constructs {
		flags, _ := ParseFlags(tt.flags)
		f.Add(tt.pattern, tt.subject, uint16(flags))
	}
	for _, tt := range mistakes {
		f.Add(tt.pattern, "a", uint16(tt.flags))
	}
	f.Fuzz(func(t *testing.T, pattern, subject string, flags uint16) {
		if len(pattern) > 200 || len(subject) > 200 {
			return
		}
		re, err := Compile(pattern, Flags(flags)&(noCapture-1))
		if err != nil {
			var mistake *SyntaxError
			if !errors.As(err, &mistake) || mistake.Offset < 0 || mistake.Offset > len(pattern) {
				t.Fatalf("/%s/: %v", pattern, err)
			}
			return
		}
		b := &Budget{Steps: 20_000, Memory: 1 << 20}
		caps := make([]int, 2+2*re.Groups())
		found, err := re.Find(b, subject, 0, caps)
		checkOutcome(t, pattern, subject, found, err, caps)
		again := make([]int, len(caps))
		eager := &Budget{Steps: 20_000, Memory: 1 << 20, eager: true}
		foundAgain, errAgain := re.Find(eager, subject, 0, again)
		if err == nil && errAgain == nil && spell(found, nil, caps) != spell(foundAgain, nil, again) {
			t.Errorf("/%s/ with %q: %s, with memory %s", pattern, subject, spell(found, nil, caps), spell(foundAgain, nil, again))
		}
		if used := max(b.Used, eager.Used); !re.Linear() && used > 30_000 {
			t.Errorf("/%s/ with %q: %d steps", pattern, subject, used)
		}
		all := re.Matches(&Budget{Steps: 20_000}, subject)
		for n := 0; all.Next(); n++ {
			checkOutcome(t, pattern, subject, true, nil, all.Caps())
			if n > 2*len(subject)+2 {
				t.Fatalf("/%s/ with %q: matches without end", pattern, subject)
			}
		}
	})
}

func checkOutcome(t *testing.T, pattern, subject string, found bool, err error, caps []int) {
	known := err == nil
	for _, e := range []error{ErrSteps, ErrStack, ErrRecursion, ErrUTF8} {
		known = known || errors.Is(err, e)
	}
	if !known || found && err != nil {
		t.Fatalf("/%s/ with %q: %v, %v", pattern, subject, found, err)
	}
	for _, at := range caps {
		if found && (at < -1 || at > len(subject)) {
			t.Fatalf("/%s/ with %q: offsets %v", pattern, subject, caps)
		}
	}
}

// FuzzQuote: a quoted text matches itself, all of it.
func FuzzQuote(f *testing.F) {
	f.Add("a.b")
	f.Fuzz(func(t *testing.T, text string) {
		re, err := Compile(Quote(text), 0)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		caps := make([]int, 2)
		if ok, err := re.Find(nil, text, 0, caps); !ok || err != nil || caps[1] != len(text) {
			t.Fatalf("%q: %v, %v, %v", text, ok, err, caps)
		}
	})
}
