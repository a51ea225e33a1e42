package list_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/plugin/list"
)

type pattern struct{ *regexp.Regexp }

func (p pattern) Match(text string) (bool, error) { return p.MatchString(text), nil }

func compile(text string) (list.Pattern, error) {
	re, err := regexp.Compile("(?i)" + text)
	return pattern{re}, err
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	rewrite(t, path, text)
	return path
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// settings name one list.
func settings(path string, more ...any) plugin.Settings {
	one := map[string]any{"id": "l", "path": path}
	for i := 0; i < len(more); i += 2 {
		one[more[i].(string)] = more[i+1]
	}
	return plugin.Settings{"lists": []any{one}}
}

func adopt(t *testing.T, p plugin.Plugin) {
	t.Helper()
	f, err := p.Prepare(nil)
	if err != nil {
		t.Fatal(err)
	}
	f()
}

func TestSuppression(t *testing.T) {
	s, err := list.NewSuppression(settings(file(t, "# comment\n\nJoe@Example.com\n@gone.test\nabuse@\n/^spam.*@x\\.test$/\n")), compile)
	if err != nil {
		t.Fatal(err)
	}
	adopt(t, s)
	for address, want := range map[string]bool{
		"joe@example.com": true, "JOE@EXAMPLE.COM": true, "joe2@example.com": false, "x@gone.test": true, "x@sub.gone.test": false,
		"abuse@anything.test": true, "abuse": false, "spammer@x.test": true, "SPAM@X.test": true, "aspam@x.test": false, "": false,
	} {
		if got, err := s.Has("l", address); got != want || err != nil {
			t.Errorf("%q: %v, %v", address, got, err)
		}
	}
	if _, err := s.Has("other", "a@b"); !errors.Is(err, list.ErrUnknown) || !strings.Contains(err.Error(), "there are l") {
		t.Errorf("another list: %v", err)
	}
}

func TestBounce(t *testing.T) {
	b, err := list.NewBounce(settings(file(t, `# pattern,value,grouping,state,comment
/quota/,full-everywhere
/quota/,full-eod,,EOD
/quota/,full-google,&google
/quota/,full-google-eod,"&google,&gmail",EOD,a comment
"/a,b/","tag=x,events=1/60"
no slashes,plain
`)), compile)
	if err != nil {
		t.Fatal(err)
	}
	adopt(t, b)
	for _, tt := range []struct{ text, grouping, state, pattern, value string }{
		{"over QUOTA", "", "", "/quota/", "full-everywhere"},
		{"over quota", "", "EOD", "/quota/", "full-eod"},
		{"over quota", "&other", "EOD", "/quota/", "full-eod"},
		{"over quota", "&google", "", "/quota/", "full-google"},
		{"over quota", "&google", "RCPT", "/quota/", "full-google"},
		{"over quota", "&google", "EOD", "/quota/", "full-google-eod"},
		{"over quota", "&gmail", "EOD", "/quota/", "full-google-eod"},
		{"over quota", "&gmail", "RCPT", "/quota/", "full-everywhere"},
		{"x a,b", "", "", "/a,b/", "tag=x,events=1/60"},
		{"has no slashes", "", "", "no slashes", "plain"},
		{"else", "&google", "EOD", "", ""},
	} {
		rule, err := b.Find("l", tt.text, tt.grouping, tt.state)
		got := ""
		if rule != nil {
			got = rule.Pattern + " " + rule.Value
		}
		if err != nil || got != strings.TrimSpace(tt.pattern+" "+tt.value) {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
	said, err := b.Command(t.Context(), []string{"test", "l", "over quota", "&google", "EOD"})
	if said != "/quota/\nfull-google-eod" || err != nil {
		t.Errorf("test says %q, %v", said, err)
	}
	if said, _ := b.Command(t.Context(), []string{"test", "l", "else"}); said != "no match" {
		t.Errorf("test says %q", said)
	}
}

func TestIP(t *testing.T) {
	p, err := list.NewIP(settings(file(t, "192.0.2.1\t8\n192.0.2.0/24 net # a comment\n198.51.100.7\n2001:db8::/32 six six\n::ffff:203.0.113.9\n")))
	if err != nil {
		t.Fatal(err)
	}
	adopt(t, p)
	for ip, want := range map[string]string{
		"192.0.2.1": "true 8", "192.0.2.2": "true net", "::ffff:192.0.2.2": "true net", "198.51.100.7": "true ", "198.51.100.8": "false ",
		"2001:db8:1::1": "true six six", "2001:db9::1": "false ", "203.0.113.9": "true ",
	} {
		tag, found, err := p.Find("l", netip.MustParseAddr(ip))
		if got := fmt.Sprint(found, " ", tag); got != want || err != nil {
			t.Errorf("%s: %q, %v", ip, got, err)
		}
	}
	if said, err := p.Command(t.Context(), []string{"test", "l", "192.0.2.1"}); said != "yes 8" || err != nil {
		t.Errorf("test says %q, %v", said, err)
	}
}

// TestReload: with the configuration or by command; a wrong file changes nothing.
func TestReload(t *testing.T) {
	path := file(t, "a@b.test\n")
	for _, automatic := range []bool{true, false} {
		rewrite(t, path, "a@b.test\n")
		s, err := list.NewSuppression(settings(path, "autoreload", automatic), compile)
		if err != nil {
			t.Fatal(err)
		}
		has := func(address string) bool {
			found, err := s.Has("l", address)
			if err != nil {
				t.Error(err)
			}
			return found
		}
		adopt(t, s)
		rewrite(t, path, "c@d.test\n")
		adopt(t, s)
		if has("c@d.test") != automatic || has("a@b.test") == automatic {
			t.Errorf("autoreload %v: the old list is in force: %v", automatic, has("a@b.test"))
		}
		for _, command := range [][]string{{"reload", "l"}, {"reload:l"}} {
			if said, err := s.Command(t.Context(), command); said != "OK" || err != nil {
				t.Errorf("%q says %q, %v", command, said, err)
			}
		}
		rewrite(t, path, "nonsense\n")
		if _, err := s.Command(t.Context(), []string{"reload", "l"}); err == nil || !strings.Contains(err.Error(), path+": line 1: want an address") {
			t.Errorf("a wrong file: %v", err)
		}
		if _, err := s.Prepare(nil); (err == nil) == automatic {
			t.Errorf("autoreload %v: prepare ends with %v", automatic, err)
		}
		if !has("c@d.test") {
			t.Error("the list that was in force is gone")
		}
	}
}

func TestMistakes(t *testing.T) {
	suppression := func(s plugin.Settings) (plugin.Plugin, error) { return list.NewSuppression(s, compile) }
	bounce := func(s plugin.Settings) (plugin.Plugin, error) { return list.NewBounce(s, compile) }
	ip := func(s plugin.Settings) (plugin.Plugin, error) { return list.NewIP(s) }
	for _, tt := range []struct {
		make func(plugin.Settings) (plugin.Plugin, error)
		text string
		want string
	}{
		{suppression, "a@b\n/(/\n", "line 2: error parsing regexp"},
		{suppression, strings.Repeat("x\n", 15), "and 5 more"},
		{bounce, "/a/,b\n\n/(/,c\n", "line 3: error parsing regexp"},
		{bounce, "/a/,b,c,d,e,f\n", "line 1: want at most 5 fields, got 6"},
		{ip, "192.0.2.1/33\n", `line 1: want an address or a network, got "192.0.2.1/33"`},
		{ip, "fe80::1%eth0\n", `line 1: want an address`},
		{ip, "::ffff:1.2.3.4/120\n", `line 1: want an address`},
	} {
		p, err := tt.make(settings(file(t, tt.text)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err = p.Prepare(nil); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	for _, s := range []plugin.Settings{
		{"lists": []any{map[string]any{"id": "a"}}},
		{"lists": []any{map[string]any{"id": "a", "path": "x"}, map[string]any{"id": "a", "path": "y"}}},
		{"list": 1},
	} {
		if _, err := ip(s); err == nil {
			t.Errorf("%v is taken", s)
		}
	}
	p, err := ip(settings("/nonexistent/list"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Prepare(nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := p.Command(t.Context(), []string{"test", "l", "192.0.2.1"}); err == nil || err.Error() != `list "l" was not read yet` {
		t.Errorf("before it is read: %v", err)
	}
	if _, err := p.Command(t.Context(), []string{"reload", "x"}); !errors.Is(err, list.ErrUnknown) {
		t.Errorf("another list: %v", err)
	}
	if _, err := p.Command(t.Context(), []string{"delete", "l"}); err == nil || !strings.Contains(err.Error(), "want reload ID, test ID TEXT...") {
		t.Errorf("another command: %v", err)
	}
}
