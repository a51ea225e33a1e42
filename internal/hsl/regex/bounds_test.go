package regex

import (
	"strings"
	"testing"
)

// TestLinear matches patterns that are slow for backtrackers, on subjects of
// growing length: the steps must not grow faster.
func TestLinear(t *testing.T) {
	for _, tt := range []struct{ pattern, unit, end string }{
		{`(a*)*b`, "a", ""},
		{`(a+)+b`, "a", "!"},
		{`^(a|aa)+$`, "a", "!"},
		{`^(?:a|a)*$`, "a", "!"},
		{`(?:a?){3}(?:a*)*x`, "a", ""},
		{`^(([a-z])+.)+[A-Z]([a-z])+$`, "a", ""},
		{`(\s*\w*)*\.`, "ab  ", ""},
		{`\s+$`, " ", "x"},
		{`\w+\s*=`, "a", ""},
		{`a++b`, "a", ""},
		{`.*?,.*?,.*?,.*?x`, "a,", ""},
		{`(?:x+x+)+y`, "x", ""},
		{`((?:a|b|\b)*)*c`, "ab ", ""},
		{`(?:(?:a|)*)*?c`, "a", ""},
		{`(?=\w)(a|b|ab)*c`, "ab", ""},
		{`a{2,}?b|a{3}c`, "a", ""},
		{`([a-z]+)+@([a-z]+\.)+com`, "abc", ""},
		{`^(?:.*?,){11}P`, "1,2,3,4,5,6,7,8,9,10,11,12,13,14,", ""},
		{`[^"]*"[^"]*"$`, "a", ""},
		{`(?:\d+(?:,|\s)*)*;`, "12, ", ""},
	} {
		for _, flags := range []Flags{0, UTF8} {
			re := mustCompile(t, tt.pattern, flags)
			if !re.Linear() {
				t.Errorf("/%s/ is not known to be linear", tt.pattern)
			}
			used := func(n int) float64 {
				b := &Budget{Steps: 1}
				if _, err := re.Match(b, strings.Repeat(tt.unit, n/len(tt.unit))+tt.end); err != nil {
					t.Fatalf("/%s/: %v", tt.pattern, err)
				}
				return float64(b.Used) / float64(n)
			}
			if short, long := used(2_000), used(60_000); true {
				t.Logf("/%s/ %.1f %.1f", tt.pattern, short, long)
			} else if long > 2*short+10 {
				t.Errorf("/%s/%v takes %.0f steps a byte of 2 kB, %.0f of 60 kB", tt.pattern, flags, short, long)
			}
		}
	}
}

func mustCompile(t testing.TB, pattern string, flags Flags) *Pattern {
	t.Helper()
	re, err := Compile(pattern, flags)
	if err != nil {
		t.Fatalf("/%s/: %v", pattern, err)
	}
	return re
}
