package hsl_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// TestBreakPoints: what is seen at the prefix __debug, and that nothing happens
// there without a debugger.
func TestBreakPoints(t *testing.T) {
	prog := mustCompile(t, `
$seen = 1;
__debug ["d", "top"] $shared = [1, "x"];
function f($a, $b) {
	$sum = $a + $b;
	$g = function () closure ($sum) { return $sum; };
	__debug ["d", "inner"] return $sum + $g();
}
__debug ["d", "again"] $c = f(2, 3);
echo $c;`)
	var stops []string
	var said string
	_, err := prog.Run(t.Context(), hsl.Execution{Setup: value.Setup{
		Echo: func(text string) { said += text },
		Debug: func(_ context.Context, s *value.Stop) {
			var variables []string
			for _, v := range s.Variables {
				if v.Name != "g" {
					variables = append(variables, v.Name+"="+v.Value.Text())
				}
			}
			stops = append(stops, fmt.Sprintf("%s %s line %d depth %d: %s", s.Debugger, s.Point, s.Stack[0].Line, len(s.Stack), strings.Join(variables, " ")))
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"d top line 3 depth 1: seen=1",
		`d again line 9 depth 1: seen=1 shared=[0=>1,1=>"x"]`,
		"d inner line 7 depth 2: a=2 b=3 sum=5",
	}
	if strings.Join(stops, "\n") != strings.Join(want, "\n") || strings.TrimSpace(said) != "10" {
		t.Errorf("it said %q and stopped at\n%s", said, strings.Join(stops, "\n"))
	}
	if _, err := prog.Run(t.Context(), hsl.Execution{}); err != nil {
		t.Error(err)
	}
}
