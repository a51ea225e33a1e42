package clock

import (
	"strings"
	"time"
)

// parser reads a date by a format.
type parser struct {
	rest string
	// year and so on are -1 until they are read.
	year, month, day, yearDay int
	hour, minute, second      int
	century, yearOfCentury    int
	afternoon, hour12         bool
	offset                    *int // of the zone, in seconds
	stamp                     *int // seconds since 1970
}

// parseTime reads a text by a format as of strptime(3). What the format lacks of
// a date comes from now, whose zone is that of the text.
func parseTime(text, format string, now time.Time) (time.Time, bool) {
	p := parser{rest: text, year: -1, month: -1, day: -1, yearDay: -1, century: -1, yearOfCentury: -1}
	if !p.format(format) {
		return time.Time{}, false
	}
	return p.time(now)
}

func (p *parser) format(format string) bool {
	for format != "" {
		c := format[0]
		switch {
		case strings.IndexByte(" \t\n\r", c) >= 0:
			p.space()
		case c == '%' && len(format) > 1:
			_, code, rest := modified(format[1:])
			if !p.conversion(code) {
				return false
			}
			format = rest
			continue
		case p.rest == "" || p.rest[0] != c:
			return false
		default:
			p.rest = p.rest[1:]
		}
		format = format[1:]
	}
	return true
}

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t\n\r\v\f") }

// formats are the conversions that stand for others.
var formats = map[byte]string{
	'c': "%a %b %e %H:%M:%S %Y", 'D': "%m/%d/%y", 'F': "%Y-%m-%d", 'r': "%I:%M:%S %p", 'R': "%H:%M",
	'T': "%H:%M:%S", 'x': "%m/%d/%y", 'X': "%H:%M:%S", 'n': " ", 't': " ",
}

// conversion reads what one letter stands for.
func (p *parser) conversion(code byte) (ok bool) {
	if format, ok := formats[code]; ok {
		return p.format(format)
	}
	var ignored int
	switch code {
	case '%':
		return p.accept("%")
	case 'Y':
		return p.number(&p.year, 4, 0, 9999)
	case 'y':
		return p.number(&p.yearOfCentury, 2, 0, 99)
	case 'C':
		return p.number(&p.century, 2, 0, 99)
	case 'm':
		return p.number(&p.month, 2, 1, 12)
	case 'd', 'e':
		return p.number(&p.day, 2, 1, 31)
	case 'j':
		return p.number(&p.yearDay, 3, 1, 366)
	case 'H', 'k':
		return p.number(&p.hour, 2, 0, 23)
	case 'I', 'l':
		p.hour12 = true
		return p.number(&p.hour, 2, 1, 12)
	case 'M':
		return p.number(&p.minute, 2, 0, 59)
	case 'S':
		return p.number(&p.second, 2, 0, 60)
	case 'u', 'w':
		return p.number(&ignored, 1, 0, 7)
	case 'g', 'U', 'V', 'W':
		return p.number(&ignored, 2, 0, 99)
	case 'G':
		return p.number(&ignored, 4, 0, 9999)
	case 's':
		p.stamp = new(int)
		return p.number(p.stamp, 12, 0, 253402300799)
	}
	return p.text(code)
}

// text reads the conversions that are words, and the zone.
func (p *parser) text(code byte) bool {
	switch code {
	case 'a', 'A':
		_, ok := p.name(weekdays)
		return ok
	case 'b', 'B', 'h':
		i, ok := p.name(months)
		p.month = i + 1
		return ok
	case 'p', 'P':
		i, ok := p.name([]string{"AM", "PM"})
		p.afternoon = i == 1
		return ok
	case 'z':
		return p.zone()
	case 'Z':
		p.rest = strings.TrimLeft(p.rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
		return true
	}
	return false
}

func (p *parser) accept(text string) bool {
	rest, ok := strings.CutPrefix(p.rest, text)
	p.rest = rest
	return ok
}

// number reads a number of at most so many digits, which may have spaces before
// it.
func (p *parser) number(n *int, digits, least, most int) bool {
	p.space()
	i, v := 0, 0
	for i < digits && i < len(p.rest) && p.rest[i]-'0' <= 9 {
		v = v*10 + int(p.rest[i]-'0')
		i++
	}
	p.rest = p.rest[i:]
	*n = v
	return i > 0 && v >= least && v <= most
}

var (
	weekdays = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	months   = []string{
		"January", "February", "March", "April", "May", "June", "July",
		"August", "September", "October", "November", "December",
	}
)

// name reads a name, in full or its first three letters, in any case.
func (p *parser) name(names []string) (int, bool) {
	for i, name := range names {
		for _, form := range []string{name, name[:min(3, len(name))]} {
			if len(p.rest) >= len(form) && strings.EqualFold(p.rest[:len(form)], form) {
				p.rest = p.rest[len(form):]
				return i, true
			}
		}
	}
	return -1, false
}

// zone reads an offset such as +0200, +02:00, +02 or Z.
func (p *parser) zone() bool {
	p.space()
	p.offset = new(int)
	if p.accept("Z") {
		return true
	}
	sign := 1
	if p.accept("-") {
		sign = -1
	} else if !p.accept("+") {
		return false
	}
	var hours, minutes int
	if !p.number(&hours, 2, 0, 23) {
		return false
	}
	p.accept(":")
	if p.rest != "" && p.rest[0]-'0' <= 9 && !p.number(&minutes, 2, 0, 59) {
		return false
	}
	*p.offset = sign * (hours*3600 + minutes*60)
	return true
}

// time puts together what was read.
func (p *parser) time(now time.Time) (time.Time, bool) {
	if p.stamp != nil {
		return time.Unix(int64(*p.stamp), 0), true
	}
	if p.offset != nil {
		now = now.In(time.FixedZone("", *p.offset))
	}
	year, month, day := now.Date()
	if y, given := p.fullYear(); given {
		year = y
	}
	if p.month > 0 {
		month = time.Month(p.month)
	}
	if p.day > 0 {
		day = p.day
	}
	if p.yearDay > 0 && p.month < 0 && p.day < 0 {
		month, day = time.January, p.yearDay
	}
	hour := p.hour
	if p.hour12 {
		hour %= 12
		if p.afternoon {
			hour += 12
		}
	}
	t := time.Date(year, month, day, hour, p.minute, p.second, 0, now.Location())
	// A day that the month does not have is a mistake in the text.
	return t, p.day < 0 || p.second > 59 || p.yearDay > 0 || t.Day() == p.day
}

// fullYear joins century and year: years of two digits below 69 are of this
// century (POSIX, strptime).
func (p *parser) fullYear() (year int, given bool) {
	switch {
	case p.year >= 0:
		return p.year, true
	case p.yearOfCentury < 0 && p.century < 0:
		return 0, false
	case p.century >= 0:
		return p.century*100 + max(p.yearOfCentury, 0), true
	case p.yearOfCentury < 69:
		return 2000 + p.yearOfCentury, true
	}
	return 1900 + p.yearOfCentury, true
}
