package regex

import (
	"errors"
	"testing"
)

func TestReplace(t *testing.T) {
	for _, tt := range []struct {
		pattern, template, subject string
		limit                      int
		want                       string
	}{
		{`b`, `x`, "abcb", 0, "axcx"},
		{`b`, `x`, "abcb", 1, "axcb"},
		{`z`, `x`, "abc", 0, "abc"},
		{`(a)(b)?`, `[$1|$2|$0]`, "abaa", 0, "[a|b|ab][a||a][a||a]"},
		{`(?<who>\w+)@`, `${who}${1}0$1`, "me@", 0, "meme0me"},
		{`a`, `\$0\1`, "a", 0, `\a\1`},
		{`a`, `$`, "a", 0, "$"},
		{`a`, `$x${y}${`, "a", 0, "$x${y}${"},
		{`a`, `<$7${12}>`, "a", 0, "<>"},
		{`(a)`, `$010`, "a", 0, "$010"[:0] + "a0"},
		{``, `-`, "ab", 0, "-a-b-"},
		{`a\K`, `-`, "aab", 0, "a-a-b"},
		{`(?J)(?<n>a)|(?<n>b)`, `<${n}>`, "ab", 0, "<a><b>"},
	} {
		re := mustCompile(t, tt.pattern, 0)
		template := re.Template(tt.template)
		got, err := re.Replace(nil, tt.subject, tt.limit, func(dst []byte, caps []int) ([]byte, error) {
			return template.Append(dst, tt.subject, caps), nil
		})
		if err != nil || got != tt.want {
			t.Errorf("/%s/ by %s in %q: %q, %v, want %q", tt.pattern, tt.template, tt.subject, got, err, tt.want)
		}
	}
}

func TestReplaceError(t *testing.T) {
	stop := errors.New("no")
	re := mustCompile(t, "a", 0)
	if _, err := re.Replace(nil, "aa", 0, func([]byte, []int) ([]byte, error) { return nil, stop }); err != stop {
		t.Error(err)
	}
	if _, err := mustCompile(t, "a", UTF8).Replace(nil, "\xff", 0, nil); !errors.Is(err, ErrUTF8) {
		t.Error(err)
	}
}

func TestQuote(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, flags := range []Flags{0, Caseless, Extended} {
		re := mustCompile(t, `\A`+Quote(string(all))+`\z`, flags&^Extended)
		if ok, err := re.Match(nil, string(all)); !ok || err != nil {
			t.Errorf("%v: %v, %v", flags, ok, err)
		}
	}
	if got, want := Quote("a.b\\$0#\x00/"), `a\.b\\\$0\#\000\/`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
