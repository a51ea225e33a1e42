package config

import (
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size. In a file it is a number of bytes or a string such as
// "60MiB"; the units are B, KiB, MiB, GiB and TiB.
type Bytes int64

var byteUnits = []struct {
	suffix string
	size   Bytes
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1},
}

// ParseBytes reads a size as it is written in a file.
func ParseBytes(s string) (Bytes, error) {
	digits, unit := s, Bytes(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			digits, unit = rest, u.size
			break
		}
	}
	n, err := parseDigits(digits)
	if err != nil || Bytes(n) > math.MaxInt64/unit {
		return 0, fmt.Errorf(`want a size such as 1048576 or "60MiB", got %q`, s)
	}
	return Bytes(n) * unit, nil
}

// String writes b with the largest unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits {
		if b != 0 && u.size > 1 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// parseDigits reads an unsigned decimal number, which strconv alone would also
// accept with a sign.
func parseDigits(s string) (int64, error) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseInt(s, 10, 64)
}

// Mode holds Unix permission bits. In a file it is a quoted octal string of
// four digits, such as "0660".
type Mode uint16

// ParseMode reads a mode as it is written in a file.
func ParseMode(s string) (Mode, error) {
	n, err := strconv.ParseUint(s, 8, 12)
	if err != nil || len(s) < 3 || len(s) > 4 {
		return 0, fmt.Errorf(`want an octal mode such as "0660", got %q`, s)
	}
	return Mode(n), nil
}

// String writes m with four octal digits.
func (m Mode) String() string { return fmt.Sprintf("%04o", uint16(m)) }

// FileMode returns the permission bits of m for package os. The set-uid,
// set-gid and sticky bits are translated.
func (m Mode) FileMode() fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	for bit, flag := range map[Mode]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if m&bit != 0 {
			mode |= flag
		}
	}
	return mode
}

// Rate allows Count events in each interval of Per. In a file it is a string
// "count/seconds", or the bare count for an interval of one second. The zero
// Rate means that no rate was given.
type Rate struct {
	Count int64
	Per   time.Duration
}

// ParseRate reads a rate as it is written in a file.
func ParseRate(s string) (Rate, error) {
	count, seconds, found := strings.Cut(s, "/")
	if !found {
		seconds = "1"
	}
	n, err1 := parseDigits(count)
	per, err2 := parseDigits(seconds)
	if err1 != nil || err2 != nil || per < 1 || per > maxSeconds {
		return Rate{}, fmt.Errorf(`want a rate such as "120/60" (count/seconds), got %q`, s)
	}
	return Rate{Count: n, Per: time.Duration(per) * time.Second}, nil
}

// String writes r as "count/seconds".
func (r Rate) String() string {
	return strconv.FormatInt(r.Count, 10) + "/" + strconv.FormatInt(int64(r.Per/time.Second), 10)
}

// maxSeconds is the longest duration that is accepted: some 290 years would
// overflow time.Duration.
const maxSeconds = 100 * 365 * 86400

var durationUnits = []struct {
	letter byte
	length time.Duration
}{
	{'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second},
}

// ParseDuration reads a duration as it is written in a file: a number of
// seconds, whole or decimal, or any subset of days, hours, minutes and seconds
// in that order, such as "1h30m".
func ParseDuration(s string) (time.Duration, error) {
	if d, err := parseSeconds(s); err == nil {
		return d, nil
	}
	var total time.Duration
	rest := s
	for _, u := range durationUnits {
		i := strings.IndexByte(rest, u.letter)
		if i < 0 {
			continue
		}
		n, err := parseDigits(rest[:i])
		if err != nil || n > maxSeconds || time.Duration(n)*time.Second > maxSeconds*time.Second/(u.length/time.Second) {
			return 0, durationError(s)
		}
		total += time.Duration(n) * u.length
		rest = rest[i+1:]
	}
	if s == "" || rest != "" {
		return 0, durationError(s)
	}
	return total, nil
}

// parseSeconds reads a plain decimal number of seconds without sign, exponent
// or the words that strconv would take for a float.
func parseSeconds(s string) (time.Duration, error) {
	if s == "" || strings.Trim(s, "0123456789.") != "" {
		return 0, strconv.ErrSyntax
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f > maxSeconds {
		return 0, durationError(s)
	}
	return time.Duration(math.Round(f * float64(time.Second))), nil
}

func durationError(s string) error {
	return fmt.Errorf(`want a duration such as 90, "15m" or "1h30m", got %q`, s)
}

// FormatDuration writes d so that ParseDuration reads the same value: "1h30m",
// or decimal seconds when there is a fraction.
func FormatDuration(d time.Duration) string {
	if d%time.Second != 0 || d == 0 {
		return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
	}
	var b strings.Builder
	for _, u := range durationUnits {
		if n := int64(d / u.length); n > 0 {
			b.WriteString(strconv.FormatInt(n, 10))
			b.WriteByte(u.letter)
			d %= u.length
		}
	}
	return b.String()
}
