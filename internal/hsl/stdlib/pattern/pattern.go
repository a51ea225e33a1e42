package pattern

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	const strings = "A pattern that is a string is taken as a whole, or as /pattern/modifiers. A malformed one throws."
	return []*value.Builtin{
		declare.Function("pcre_match(Regex or string pattern, string subject) array",
			"Returns the first match: the whole text under 0, the groups under their numbers and, before those, their names. "+
				"A group that took no part is empty. Returns an empty array if there is no match. "+strings,
			`echo pcre_match(#/(\d+)-(?<b>\d+)/, "from 10-20"); // [0=>"10-20",1=>"10","b"=>"20",2=>"20"]`, match),
		declare.Function("pcre_match_all(Regex or string pattern, string subject) array",
			"Returns all matches by group: a list of the whole texts under 0, lists of the texts of groups under their numbers and names. "+
				"Returns an empty array if there is no match. "+strings,
			`echo pcre_match_all(#/(\w)\d/, "a1 b2"); // [0=>[0=>"a1",1=>"b2"],1=>[0=>"a",1=>"b"]]`, matchAll),
		declare.Function("pcre_quote(string string) string",
			"Returns the string as a pattern that matches just that.",
			`echo pcre_quote("1.5"); // 1\.5`, quote),
		declare.Function("pcre_compile(string string) Regex",
			"Returns the compiled pattern. "+strings,
			`echo "Hello" =~ pcre_compile("/^h/i"); // true`, compileString),
		declare.Function("pcre_replace(Regex or string pattern, function or string replace, string subject, [number limit = 0]) string",
			"Returns the subject with all matches, or the first so many, replaced: by a string in which $0, $1 and so on or ${1} stand for groups, "+
				"or by what a function makes of the array of groups, which must be a string. "+strings,
			`echo pcre_replace(#/(\w+)@(\w+)/, "$2 at $1", "joe@home"); // home at joe`, replace),
	}
}

// patternOf returns the pattern that argument 0 is or spells.
func patternOf(c *value.Call) (*Regex, error) {
	if re, ok := c.Args[0].Resource().(*Regex); ok {
		return re, nil
	}
	re, err := compiled.get(value.SplitPattern(c.Str(0)))
	if err != nil {
		return nil, value.Errorf("%s: %v", c.Builtin.Name, err)
	}
	return re, nil
}

func compileString(c *value.Call) (value.Value, error) {
	re, err := patternOf(c)
	if err != nil {
		return value.None, err
	}
	return value.FromResource(re), nil
}

func match(c *value.Call) (value.Value, error) {
	re, err := patternOf(c)
	if err != nil {
		return value.None, err
	}
	caps := make([]int, 2+2*re.pattern.Groups())
	matched, err := re.find(c.Thread, c.Str(1), 0, caps)
	if err != nil || !matched {
		return value.FromArray(value.NewArray(0)), err
	}
	return declare.Array(c, re.groups(c.Str(1), caps))
}

// each calls f with the offsets of all matches, one after the other. Behind an
// empty match the next one is looked for one place further on.
func (re *Regex) each(t *value.Thread, subject string, f func(caps []int) (more bool, err error)) error {
	caps := make([]int, 2+2*re.pattern.Groups())
	for from := 0; from <= len(subject); {
		matched, err := re.find(t, subject, from, caps)
		if err != nil || !matched {
			return err
		}
		if more, err := f(caps); err != nil || !more {
			return err
		}
		if from = max(from, caps[1]); caps[0] >= caps[1] { // \K can put the beginning behind the end
			from = re.advance(subject, from)
		}
		if err := t.Step(1); err != nil {
			return err
		}
	}
	return nil
}

func matchAll(c *value.Call) (value.Value, error) {
	re, err := patternOf(c)
	if err != nil {
		return value.None, err
	}
	subject := c.Str(1)
	lists := make([]*value.Array, 1+re.pattern.Groups())
	for i := range lists {
		lists[i] = value.NewArray(0)
	}
	var growth value.Growth
	size := 0
	err = re.each(c.Thread, subject, func(caps []int) (bool, error) {
		for i, list := range lists {
			text := value.String("")
			if caps[2*i] >= 0 {
				text = value.Part(subject, subject[caps[2*i]:caps[2*i+1]])
				size += text.StrLen()
			}
			list.Push(text)
		}
		return true, growth.To(c.Thread, size+len(lists)*lists[0].Size())
	})
	if err != nil || lists[0].Len() == 0 {
		return value.FromArray(value.NewArray(0)), err
	}
	all := value.NewArray(len(lists))
	for i, list := range lists {
		for _, name := range re.named[i] {
			all.SetString(name, value.FromArray(list))
		}
		all.Put(value.Int(i), value.FromArray(list))
	}
	return value.FromArray(all), nil
}

// special are the bytes that mean something in a pattern.
const special = `.\+*?[^]$(){}=!<>|:-#/`

func quote(c *value.Call) (value.Value, error) {
	s := c.Str(0)
	b := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		switch {
		case s[i] == 0:
			b = append(b, `\000`...)
			continue
		case strings.IndexByte(special, s[i]) >= 0:
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return declare.Bytes(c, b)
}
