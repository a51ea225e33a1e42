package clock

import (
	"strconv"
	"strings"
	"time"
)

// field writes one part of a time.
type field func(b []byte, t time.Time) []byte

// number is a field of digits with a least width and what fills it.
func number(width int, fill byte, get func(time.Time) int) field {
	return func(b []byte, t time.Time) []byte { return appendPadded(b, get(t), width, fill) }
}

func appendPadded(b []byte, n, width int, fill byte) []byte {
	digits := strconv.Itoa(n)
	for i := len(digits); i < width; i++ {
		b = append(b, fill)
	}
	return append(b, digits...)
}

// layout is a field in the notation of package time.
func layout(l string) field {
	return func(b []byte, t time.Time) []byte { return t.AppendFormat(b, l) }
}

// composed is a field that stands for a format.
func composed(format string) field {
	return func(b []byte, t time.Time) []byte { return appendTime(b, format, t) }
}

// fields are the conversions of strftime in the POSIX locale. It is filled by
// init because composed fields refer to it.
var fields map[byte]field

func init() {
	fields = map[byte]field{
		'a': layout("Mon"), 'A': layout("Monday"), 'b': layout("Jan"), 'B': layout("January"), 'h': layout("Jan"),
		'c': composed("%a %b %e %H:%M:%S %Y"), 'C': number(2, '0', func(t time.Time) int { return t.Year() / 100 }),
		'd': number(2, '0', time.Time.Day), 'D': composed("%m/%d/%y"), 'e': number(2, ' ', time.Time.Day),
		'F': composed("%Y-%m-%d"), 'g': number(2, '0', func(t time.Time) int { return isoYear(t) % 100 }),
		'G': number(1, '0', isoYear), 'H': number(2, '0', time.Time.Hour), 'I': number(2, '0', hour12),
		'j': number(3, '0', time.Time.YearDay), 'k': number(2, ' ', time.Time.Hour), 'l': number(2, ' ', hour12),
		'm': number(2, '0', func(t time.Time) int { return int(t.Month()) }), 'M': number(2, '0', time.Time.Minute),
		'n': composed("\n"), 'p': layout("PM"), 'P': layout("pm"), 'r': composed("%I:%M:%S %p"), 'R': composed("%H:%M"),
		's': number(1, '0', func(t time.Time) int { return int(t.Unix()) }), 'S': number(2, '0', time.Time.Second),
		't': composed("\t"), 'T': composed("%H:%M:%S"), 'u': number(1, '0', isoWeekday),
		'U': number(2, '0', func(t time.Time) int { return (t.YearDay() + 6 - int(t.Weekday())) / 7 }),
		'V': number(2, '0', isoWeek), 'w': number(1, '0', func(t time.Time) int { return int(t.Weekday()) }),
		'W': number(2, '0', func(t time.Time) int { return (t.YearDay() + 7 - isoWeekday(t)) / 7 }),
		'x': composed("%m/%d/%y"), 'X': composed("%H:%M:%S"), 'y': number(2, '0', func(t time.Time) int { return t.Year() % 100 }),
		'Y': number(1, '0', time.Time.Year), 'z': layout("-0700"), 'Z': layout("MST"),
		'%': func(b []byte, _ time.Time) []byte { return append(b, '%') },
	}
}

func isoYear(t time.Time) int { year, _ := t.ISOWeek(); return year }
func isoWeek(t time.Time) int { _, week := t.ISOWeek(); return week }

// isoWeekday counts from Monday, which is 1, to Sunday, which is 7.
func isoWeekday(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }

func hour12(t time.Time) int { return (t.Hour()+11)%12 + 1 }

// appendTime appends t by a format. An unknown conversion stays as it is.
func appendTime(b []byte, format string, t time.Time) []byte {
	for len(b) <= longestText {
		text, rest, found := strings.Cut(format, "%")
		b = append(b, text...)
		if !found || rest == "" {
			return append(b, format[len(text):]...)
		}
		flag, code, rest := modified(rest)
		f, known := fields[code]
		if !known {
			b = append(b, format[len(text):len(format)-len(rest)]...)
		} else {
			start := len(b)
			b = flagged(flag, f(b, t), start)
		}
		format = rest
	}
	return b
}

// modified takes what may stand between % and the letter: the modifiers E and O,
// which mean nothing in this locale, and one flag of GNU.
func modified(s string) (flag, code byte, rest string) {
	if len(s) > 1 && strings.IndexByte("-_0^", s[0]) >= 0 {
		flag, s = s[0], s[1:]
	}
	if len(s) > 1 && (s[0] == 'E' || s[0] == 'O') {
		s = s[1:]
	}
	return flag, s[0], s[1:]
}

// flagged changes what was appended from start on: "-" takes padding away, "_"
// pads with spaces, "0" with zeros, and "^" makes capitals.
func flagged(flag byte, b []byte, start int) []byte {
	part := b[start:]
	lead := 0
	for lead < len(part)-1 && (part[lead] == '0' || part[lead] == ' ') {
		lead++
	}
	switch flag {
	case '-':
		return append(b[:start], part[lead:]...)
	case '_':
		copy(part, strings.Repeat(" ", lead))
	case '0':
		copy(part, strings.Repeat("0", lead))
	case '^':
		copy(part, strings.ToUpper(string(part)))
	}
	return b
}
