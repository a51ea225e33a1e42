package unittest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// fail ends the test. A message of the test's own comes before what the
// assertion says.
func fail(c *value.Call, text string) (value.Value, error) {
	return value.None, &value.Exit{Name: c.Builtin.Name, Outcome: &verdict{message: text, at: caller(c)}}
}

// said puts the message that argument i may be before a text.
func said(c *value.Call, i int, text string) string {
	if !c.Has(i) {
		return text
	}
	return c.Str(i) + ": " + text
}

func assertTrue(c *value.Call) (value.Value, error) {
	if c.Args[0].Truth() {
		return value.None, nil
	}
	return fail(c, said(c, 1, "the condition is "+show(c.Args[0])))
}

func assertEqual(c *value.Call) (value.Value, error) {
	got, want := c.Args[0], c.Args[1]
	if value.Identical(got, want) {
		return value.None, nil
	}
	if lines(got) == 1 && lines(want) == 1 {
		return fail(c, said(c, 2, fmt.Sprintf("got %s, want %s", show(got), show(want))))
	}
	return fail(c, said(c, 2, "got + where - is wanted:\n"+Diff(pretty(want), pretty(got))))
}

func lines(v value.Value) int { return strings.Count(pretty(v), "\n") + 1 }

func assertContains(c *value.Call) (value.Value, error) {
	got, part := c.Args[0], c.Args[1]
	if got.IsString() && strings.Contains(got.Str(), part.Text()) {
		return value.None, nil
	}
	if got.IsArray() {
		for v := range got.Array().Values() {
			if value.Identical(v, part) {
				return value.None, nil
			}
		}
	}
	return fail(c, said(c, 2, fmt.Sprintf("%s is not in %s", show(part), pretty(got))))
}

func assertThrows(c *value.Call) (value.Value, error) {
	_, err := c.Call(c.Args[0])
	var thrown *value.Throw
	switch {
	case err == nil:
		return fail(c, "nothing was thrown")
	case value.Uncatchable(err):
		return value.None, err
	case !errors.As(err, &thrown):
		thrown = &value.Throw{Value: value.NewException(err.Error(), value.Place{})}
	}
	if c.Has(1) && !strings.Contains(thrown.Error(), c.Str(1)) {
		return fail(c, fmt.Sprintf("what was thrown, %q, has no %q in it", thrown.Error(), c.Str(1)))
	}
	return thrown.Value, nil
}
