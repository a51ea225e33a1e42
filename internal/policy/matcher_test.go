package policy

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func listsFor(t *testing.T) Lists {
	t.Helper()
	all := map[Field]map[string][]string{
		RemoteMX:        {"gsuite": {"*.google.com", "aspmx.example"}},
		LocalIP:         {"pool": {"192.0.2.1", "192.0.2.16/28", "@more"}, "more": {"2001:db8::/32"}},
		RecipientDomain: {"free": {"gmail.com", `/^yahoo\./`}, "loop": {"@loop"}},
	}
	return func(f Field, name string) ([]string, bool) {
		members, ok := all[f][name]
		return members, ok
	}
}

func tuple(f Field, value string) *Tuple {
	t := Tuple{}
	t.Values[f] = value
	if f.isDomain() {
		t.Values[f] = strings.ToLower(value)
	}
	if f.isIP() {
		a := netip.MustParseAddr(value)
		t.Values[f] = a.String()
		if f == LocalIP {
			t.Local = a
		} else {
			t.Remote = a
		}
	}
	return &t
}

func TestMatcher(t *testing.T) {
	for _, tt := range []struct {
		field   Field
		matcher string
		yes, no string // values, separated by spaces
	}{
		{JobID, "news", "news", "News new news2"},
		{JobID, "/^news-[0-9]+$/", "news-1 news-20", "news- News-1"},
		{JobID, "/^news/i", "news NEWS", "old"},
		{Grouping, "&google", "&google", "google &googlemail"},
		{Grouping, "*.example", "a.example b.a.example", "example &example"},
		{RemoteMX, "mx.Example.com", "mx.example.com MX.example.COM", "a.mx.example.com"},
		{RemoteMX, "*.example.com", "a.example.com b.a.example.com", "example.com badexample.com"},
		{RemoteMX, "@gsuite", "alt1.smtp.google.com aspmx.example", "google.com mx.example"},
		{RemoteMX, `/^MX\d+\./`, "mx1.example Mx22.example", "mx.example"},
		{RecipientDomain, "@free", "gmail.com yahoo.co.jp", "mail.yahoo.com"},
		{LocalIP, "192.0.2.1", "192.0.2.1", "192.0.2.2"},
		{LocalIP, "@pool", "192.0.2.1 192.0.2.17 2001:db8::1", "192.0.2.2 192.0.2.32 2001:db9::1"},
		{RemoteIP, "198.51.100.0/24", "198.51.100.0 198.51.100.255", "198.51.101.0 2001:db8::1"},
		{RemoteIP, "0.0.0.0/0", "1.2.3.4", "::1"},
	} {
		m, err := NewMatcher(tt.field, []string{tt.matcher}, listsFor(t))
		if err != nil {
			t.Errorf("%s %s: %v", tt.field, tt.matcher, err)
			continue
		}
		for _, v := range strings.Fields(tt.yes) {
			if !m.Match(tuple(tt.field, v)) {
				t.Errorf("%s %s does not match %s", tt.field, tt.matcher, v)
			}
		}
		for _, v := range strings.Fields(tt.no) {
			if m.Match(tuple(tt.field, v)) {
				t.Errorf("%s %s matches %s", tt.field, tt.matcher, v)
			}
		}
	}
}

func TestMatcherRefuses(t *testing.T) {
	for _, tt := range []struct {
		field         Field
		matcher, want string
	}{
		{RemoteIP, "example.com", "want an address"},
		{RemoteMX, "@nothing", `no list "nothing" in lists.remotemx`},
		{RecipientDomain, "@loop", "cannot be used here"},
		{JobID, "/(/", "policy: jobid /(/"},
	} {
		if _, err := NewMatcher(tt.field, []string{tt.matcher}, listsFor(t)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want %q", tt.field, tt.matcher, err, tt.want)
		}
	}
}

func match(t *testing.T, texts map[Field][]string) Match {
	t.Helper()
	m, err := NewMatch(texts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestTable compares look-ups with a plain walk.
func TestTable(t *testing.T) {
	table := NewTable(
		match(t, map[Field][]string{RecipientDomain: {"*.example"}, JobID: {"a"}}),
		match(t, map[Field][]string{RecipientDomain: {"x.example"}}),
		match(t, map[Field][]string{JobID: {"/./"}}),
		match(t, map[Field][]string{Grouping: {"&g", "&h"}, JobID: {"/b/"}}),
		match(t, map[Field][]string{RecipientDomain: {"x.example", "*.x.example", "*.example"}}),
		match(t, nil),
	)
	for _, job := range []string{"", "a", "b"} {
		for _, domain := range []string{"", "x.example", "y.x.example", "example", "other"} {
			for _, grouping := range []string{"", "&g"} {
				x := &Tuple{Values: Values{JobID: job, RecipientDomain: domain, Grouping: grouping}}
				var want []int
				for i := range table.matches {
					if table.matches[i].Holds(x) {
						want = append(want, i)
					}
				}
				if got := table.All(x); !slices.Equal(got, want) {
					t.Errorf("%s: all %v, want %v", x, got, want)
				}
				if got := table.First(x); got != want[0] {
					t.Errorf("%s: first %d, want %d", x, got, want[0])
				}
			}
		}
	}
}

func TestGroupings(t *testing.T) {
	g := &Groupings{Default: GroupByDomain}
	for _, one := range []struct {
		id    string
		texts map[Field][]string
	}{
		{"google", map[Field][]string{RemoteMX: {"*.google.com"}, RecipientDomain: {"gmail.com"}}},
		{"both", map[Field][]string{RemoteIP: {"192.0.2.0/24"}, RemoteMX: {"*.google.com"}}},
	} {
		if err := g.Add(one.id, one.texts, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ mx, domain, ip, want string }{
		{"mx.google.com", "a.example", "192.0.2.1", "&google"}, // the order of appearance decides
		{"mx.example", "gmail.com", "203.0.113.1", "&google"},
		{"mx.example", "a.example", "192.0.2.1", "&both"},
		{"mx.example", "A.example", "203.0.113.1", "a.example"},
	} {
		x := NewTuple("", "", "", "", tt.mx, tt.domain, netip.MustParseAddr(tt.ip))
		if got := g.Of(&x); got != tt.want {
			t.Errorf("%+v: grouping %q", tt, got)
		}
	}
}

// FuzzMatcher checks that no matcher breaks the package, and that what is found
// through tables is what a condition says.
func FuzzMatcher(f *testing.F) {
	for _, s := range []string{"a", "*.example", "/^a+$/", "/(/", "192.0.2.0/24", "@x", "#x", "*.", "/", "//", "&g"} {
		f.Add(uint8(7), s, "a.example")
	}
	f.Fuzz(func(t *testing.T, field uint8, matcher, value string) {
		m, err := NewMatch(map[Field][]string{Field(field % fieldCount): {matcher}}, nil)
		if err != nil {
			return
		}
		x := NewTuple(value, value, value, value, value, value, netip.Addr{})
		if found := NewTable(m).First(&x) == 0; found != m.Holds(&x) {
			t.Fatalf("%q and %q: %v by table", matcher, value, found)
		}
	})
}
