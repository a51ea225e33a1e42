// Package number holds the builtins for numbers: arithmetic beyond the
// operators, and random ones.
package number

import (
	"crypto/rand"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("abs(number number) number", "Returns the number without its sign.",
			`echo abs(-3.5); // 3.5`, unary(math.Abs)),
		declare.Function("ceil(number number) number", "Returns the least integer that is not below the number.",
			`echo ceil(1.2); // 2`, unary(math.Ceil)),
		declare.Function("floor(number number) number", "Returns the greatest integer that is not above the number.",
			`echo floor(-1.2); // -2`, unary(math.Floor)),
		declare.Function("sqrt(number number) number", "Returns the square root; nan for a number below zero.",
			`echo sqrt(16); // 4`, unary(math.Sqrt)),
		declare.Function("log(number number, [number base]) number",
			"Returns the logarithm to the base, which is e unless it is given.",
			`echo log(8, 2); // 3`, logarithm),
		declare.Function("pow(number base, number exponent) number", "Returns base raised to the exponent.",
			`echo pow(2, 10); // 1024`, power),
		declare.Function("round(number number, [number decimals = 0]) number",
			"Returns the number rounded to that many decimals, halves away from zero. Decimals below zero round to tens, hundreds and so on.",
			`echo round(2.345, 2); // 2.35`, round),
		declare.Function("random_bytes(number bytes) string",
			"Returns that many bytes that nobody can predict. More than a mebibyte at once throws.",
			`echo length(random_bytes(16)); // 16`, randomBytes),
		declare.Function("random_number([number first], [number last]) number",
			"Returns a random integer from first to last, both included, or without arguments a number from 0 to 1. "+
				"The numbers cannot be predicted.",
			`echo random_number(7, 7); // 7`, randomNumber),
	}
}

func unary(f func(float64) float64) declare.Func {
	return func(c *value.Call) (value.Value, error) { return value.Number(f(c.Num(0))), nil }
}

func logarithm(c *value.Call) (value.Value, error) {
	x := c.Num(0)
	if !c.Has(1) {
		return value.Number(math.Log(x)), nil
	}
	switch base := c.Num(1); base {
	case 2: // exact for powers of the base
		return value.Number(math.Log2(x)), nil
	case 10:
		return value.Number(math.Log10(x)), nil
	default:
		return value.Number(math.Log(x) / math.Log(base)), nil
	}
}

func power(c *value.Call) (value.Value, error) {
	return value.Number(math.Pow(c.Num(0), c.Num(1))), nil
}

func round(c *value.Call) (value.Value, error) {
	return value.Number(roundTo(c.Num(0), c.Int(1))), nil
}

// roundTo rounds what the number looks like: 1.005 is a little less than that
// in binary, and still a script that rounds it to two decimals wants 1.01.
func roundTo(f float64, decimals int) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) || decimals >= 0 && f == math.Trunc(f) {
		return f
	}
	const digits = 324 // of the smallest number
	decimals = max(min(decimals, digits), -digits)
	text := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent := cutExponent(text)
	moved, err := strconv.ParseFloat(mantissa+"e"+strconv.Itoa(exponent+decimals), 64)
	if err != nil || math.Abs(moved) > 1<<53 {
		return f // so many decimals that there is nothing to round
	}
	back := strconv.FormatFloat(math.Round(moved), 'f', -1, 64)
	rounded, _ := strconv.ParseFloat(back+"e"+strconv.Itoa(-decimals), 64)
	return rounded
}

// cutExponent parts "1.5e+03" into "1.5" and 3.
func cutExponent(text string) (mantissa string, exponent int) {
	mantissa, digits, _ := strings.Cut(text, "e")
	exponent, _ = strconv.Atoi(digits)
	return mantissa, exponent
}

// mostRandomBytes is how many a script gets at once.
const mostRandomBytes = 1 << 20

func randomBytes(c *value.Call) (value.Value, error) {
	n := c.Int(0)
	if n < 0 || n > mostRandomBytes {
		return value.None, declare.Unwanted(c, 0, "0 to 1048576")
	}
	b := make([]byte, n)
	rand.Read(b) // never fails: crypto/rand ends the process rather than return less
	return declare.Bytes(c, b)
}

func randomNumber(c *value.Call) (value.Value, error) {
	switch {
	case c.Given == 0:
		return value.Number(randomFraction()), nil
	case !c.Has(1):
		return value.None, value.Errorf("%s: want no argument or first and last, got 1", c.Builtin.Name)
	}
	first, last := math.Ceil(c.Num(0)), math.Floor(c.Num(1))
	if !(last >= first) || math.IsInf(last-first, 0) {
		return value.None, declare.Unwanted(c, 1, "a number that is not below first")
	}
	span, _ := big.NewFloat(last - first).Int(nil)
	n, err := rand.Int(rand.Reader, span.Add(span, big.NewInt(1)))
	if err != nil {
		return value.None, value.Errorf("%s: %v", c.Builtin.Name, err)
	}
	offset, _ := new(big.Float).SetInt(n).Float64()
	return value.Number(first + offset), nil
}

// randomFraction returns one of 2^53 numbers from 0 to 1 that are equally far
// apart; both ends are among them.
func randomFraction() float64 {
	var b [8]byte
	rand.Read(b[:])
	return float64(binary.LittleEndian.Uint64(b[:])>>11) / (1<<53 - 1)
}
