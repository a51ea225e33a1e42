package regex

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func mustCompile(t testing.TB, pattern string, flags Flags) *Pattern {
	t.Helper()
	re, err := Compile(pattern, flags)
	if err != nil {
		t.Fatalf("/%s/: %v", pattern, err)
	}
	return re
}

// TestLinear matches patterns that are slow for backtrackers, on subjects of
// growing length: the steps must not grow faster, and no bound applies to them.
func TestLinear(t *testing.T) {
	for _, tt := range []struct{ pattern, unit, end string }{
		{`(a*)*[bc]`, "a", ""},
		{`(a+)+[bc]`, "a", "!"},
		{`^(a|aa)+$`, "a", "!"},
		{`^(?:a|a|aa)*$`, "a", "!"},
		{`(?:a?){3}(?:a*)*[xy]`, "a", ""},
		{`^(([a-z])+.)+[A-Z]([a-z])+$`, "a", ""},
		{`(\s*\w*)*[.;]`, "ab  ", ""},
		{`\s+$`, " ", "x"},
		{`\w+\s*[=:]`, "a", ""},
		{`a++[bc]`, "a", ""},
		{`.*?,.*?,.*?,.*?[xy]`, "a,", ""},
		{`(?:x+x+)+[yz]`, "x", ""},
		{`((?:a|b|\b)*)*[cd]`, "ab ", ""},
		{`(?:(?:a|)*)*?[cd]`, "a", ""},
		{`(?=\w)(a|b|ab)*[cd]`, "ab", ""},
		{`a{2,}?b|a{3}c`, "a", ""},
		{`a{2,40}?[bc]`, "a", ""},
		{`([a-z]+)+[@%]([a-z]+\.)+[ch]`, "abc", "."},
		{`^(?:.*?,){11}P`, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,", ""},
		{`[^"]*"[^"]*"$`, "a", `"`},
		{`(?:\d+(?:,|\s)*)*[;:]`, "12, ", ""},
		{`(?:(?:(?:(?:a*)*)*)*)*[bc]`, "a", ""},
	} {
		for _, flags := range []Flags{0, UTF8} {
			re := mustCompile(t, tt.pattern, flags)
			if !re.Linear() {
				t.Errorf("/%s/ is not known to be linear", tt.pattern)
			}
			used := func(n int) float64 {
				b := &Budget{Steps: 1}
				subject := strings.Repeat(tt.unit, n/len(tt.unit)) + tt.end
				if matched, err := re.Match(b, subject); matched || err != nil {
					t.Fatalf("/%s/: %v, %v", tt.pattern, matched, err)
				}
				return float64(b.Used) / float64(n)
			}
			short, long := used(2_000), used(30_000)
			if short < 0.9 || long > 1.5*short || long > 200 {
				t.Errorf("/%s/%v takes %.1f steps a byte of 2 kB, %.1f of 30 kB", tt.pattern, flags, short, long)
			}
		}
	}
}

// TestNotLinear: these are stopped by the budget, in good time.
func TestNotLinear(t *testing.T) {
	for _, pattern := range []string{
		`^(a+)+\1?[bc]`, `^(?=(a*)*[bc])`, `^(?>(a*)*[bc])`, `(a+)+(*MARK:m)[bc]`, `^(a|a(?1)?)*[bc]`, `^(?:(a)|a)*(?(1)b|c)`,
	} {
		re := mustCompile(t, pattern, 0)
		if re.Linear() {
			t.Errorf("/%s/ says that it is linear", pattern)
		}
		b := &Budget{Steps: 50_000}
		matched, err := re.Match(b, strings.Repeat("a", 500))
		if matched || !errors.Is(err, ErrSteps) {
			t.Errorf("/%s/: %v, %v after %d steps", pattern, matched, err, b.Used)
		}
		if b.Used > 60_000 {
			t.Errorf("/%s/: %d steps were taken, 50000 allowed", pattern, b.Used)
		}
	}
}

func TestStack(t *testing.T) {
	for _, tt := range []struct{ pattern, subject string }{
		{`^(?:a|ab|b)*(c)?\1`, strings.Repeat("ab", 50_000)},
		{`^(a(?1)?b)$`, strings.Repeat("a", 100_000)},
	} {
		re := mustCompile(t, tt.pattern, 0)
		if _, err := re.Match(&Budget{Memory: 100_000}, tt.subject); !errors.Is(err, ErrStack) {
			t.Errorf("/%s/: %v, want %v", tt.pattern, err, ErrStack)
		}
	}
}

// TestMemoryTooSmall: a pattern that could be linear is bounded by steps when
// there is no room to remember.
func TestMemoryTooSmall(t *testing.T) {
	re := mustCompile(t, `(a+)+[bc]`, 0)
	subject := strings.Repeat("a", 10_000)
	_, err := re.Match(&Budget{Memory: 2_000, Steps: 100_000}, subject)
	if !errors.Is(err, ErrSteps) && !errors.Is(err, ErrStack) {
		t.Errorf("without memory: %v", err)
	}
	if _, err := re.Match(nil, subject); err != nil {
		t.Errorf("with memory: %v", err)
	}
}

func TestRecursionWithoutEnd(t *testing.T) {
	for _, pattern := range []string{`(?R)`, `(a?(?1))`, `(?<x>(?&y))(?<y>(?&x))`} {
		if _, err := mustCompile(t, pattern, 0).Match(nil, "b"); !errors.Is(err, ErrRecursion) {
			t.Errorf("/%s/: %v, want %v", pattern, err, ErrRecursion)
		}
	}
}

func TestStop(t *testing.T) {
	stop := errors.New("enough")
	for _, tt := range []struct{ pattern, subject string }{
		{`(a+)+\1?[bc]`, strings.Repeat("a", 100)},
		{`zebra`, strings.Repeat("a", 5_000_000)},
		{`[xyz]`, strings.Repeat("a", 1_000_000)},
		{`(?i:zebra)`, strings.Repeat("a", 1_000_000)},
		{`^a*[bc]`, strings.Repeat("a", 1_000_000)},
		{`^.*[bc]`, strings.Repeat("a", 5_000_000)},
		{`^a*?[bc]`, strings.Repeat("a", 1_000_000)},
	} {
		asked := 0
		b := &Budget{Stop: func() error {
			if asked++; asked == 3 {
				return stop
			}
			return nil
		}}
		if _, err := mustCompile(t, tt.pattern, 0).Match(b, tt.subject); err != stop {
			t.Errorf("/%s/: %v after asking %d times", tt.pattern, err, asked)
		}
	}
}

func TestLimitInPattern(t *testing.T) {
	re := mustCompile(t, `(*LIMIT_MATCH=1000)^(a+)+\1?[bc]`, 0)
	b := &Budget{}
	if _, err := re.Match(b, strings.Repeat("a", 100)); !errors.Is(err, ErrSteps) || b.Used > 5_000 {
		t.Errorf("%v after %d steps", err, b.Used)
	}
}

func TestUTF8(t *testing.T) {
	re := mustCompile(t, `.`, UTF8)
	for _, subject := range []string{"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80"} {
		if matched, err := re.Match(nil, subject); matched || !errors.Is(err, ErrUTF8) {
			t.Errorf("%q: %v, %v", subject, matched, err)
		}
	}
	if _, err := re.Find(nil, "é", 1, nil); !errors.Is(err, ErrUTF8) {
		t.Errorf("from inside of a character: %v", err)
	}
	if matched, err := re.Match(nil, "é"); !matched || err != nil {
		t.Errorf("%v, %v", matched, err)
	}
}

func TestFindFrom(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		from    int
		want    string
	}{
		{`(?<=a)b`, 1, "[1 2]"},
		{`^b`, 1, "no match"},
		{`\Gb`, 1, "[1 2]"},
		{`b`, 2, "[3 4]"},
		{`\b`, 1, "[4 4]"},
		{`$`, 4, "[4 4]"},
		{`.*`, 2, "[2 4]"},
		{`a`, 5, "no match"},
	} {
		re := mustCompile(t, tt.pattern, 0)
		caps := make([]int, 2)
		matched, err := re.Find(nil, "abab", tt.from, caps)
		if got := spell(matched, err, caps); got != tt.want {
			t.Errorf("/%s/ from %d: %s, want %s", tt.pattern, tt.from, got, tt.want)
		}
	}
}

func TestNames(t *testing.T) {
	re := mustCompile(t, `(?J)(?<a>x)(y)(?<b>z)|(?<a>v)`, 0)
	if re.Groups() != 4 {
		t.Errorf("%d groups", re.Groups())
	}
	names := re.Names()
	want := []Name{{"a", 1}, {"b", 3}, {"a", 4}}
	if len(names) != 3 || names[0] != want[0] || names[1] != want[1] || names[2] != want[2] {
		t.Errorf("names %v, want %v", names, want)
	}
	caps := make([]int, 4)
	if ok, _ := re.Find(nil, "xyz", 0, caps); !ok || caps[2] != 0 || caps[3] != 1 {
		t.Errorf("short caps: %v", caps)
	}
}

// TestAllocations: Match allocates nothing, once the machine is warm.
func TestAllocations(t *testing.T) {
	for _, tt := range mailPatterns {
		re := mustCompile(t, tt.pattern, tt.flags)
		b := &Budget{}
		allocs := testing.AllocsPerRun(20, func() {
			if _, err := re.Match(b, tt.subject); err != nil {
				t.Fatal(err)
			}
		})
		// The race detector makes pools forget on purpose.
		if allocs >= 1 && !raceEnabled {
			t.Errorf("/%s/: %.0f allocations", tt.pattern, allocs)
		}
	}
}

// TestConcurrent uses one pattern from many goroutines.
func TestConcurrent(t *testing.T) {
	re := mustCompile(t, `(?:(\w+)@(\w+))+$`, 0)
	var wg sync.WaitGroup
	for g := range 2 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			subject := strings.Repeat("x", g) + " user@example"
			for range 200 {
				caps := make([]int, 6)
				if ok, err := re.Find(nil, subject, 0, caps); !ok || err != nil || subject[caps[4]:caps[5]] != "example" {
					t.Errorf("%v, %v, %v", ok, err, caps)
					return
				}
			}
		})
	}
	wg.Wait()
}
