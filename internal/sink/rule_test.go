package sink

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

func TestParseRule(t *testing.T) {
	slow := smtp.Reply{Code: 451, Enhanced: smtp.EnhancedCode{4, 7, 1}, Lines: []string{"slow down"}}
	for text, want := range map[string]Rule{
		"* rcpt reply 451 4.7.1 slow down @10%":       {Pattern: "*", Phase: PhaseRcpt, Action: ActionReply, Reply: slow, Percent: 10},
		"*@Busy.Example eod delay 1m30s":              {Pattern: "*@busy.example", Phase: PhaseEOD, Action: ActionDelay, Delay: 90 * time.Second, Percent: 100},
		"gone.example \t after-data drop@0.5%":        {},
		"gone.example \t after-data drop @0.5%":       {Pattern: "gone.example", Phase: PhaseData, After: true, Action: ActionDrop, Percent: 0.5},
		`* helo reply 250-x`:                          {},
		`* helo reply 250 a\nb`:                       {Pattern: "*", Phase: PhaseHelo, Action: ActionReply, Reply: smtp.Reply{Code: 250, Lines: []string{"a", "b"}}, Percent: 100},
		"* eod reply 550 4.1.1 is text":               {Pattern: "*", Phase: PhaseEOD, Action: ActionReply, Reply: smtp.Reply{Code: 550, Lines: []string{"4.1.1 is text"}}, Percent: 100},
		"* eod reply 550":                             {Pattern: "*", Phase: PhaseEOD, Action: ActionReply, Reply: smtp.Reply{Code: 550, Lines: []string{""}}, Percent: 100},
		"joe@x.example body stall":                    {Pattern: "joe@x.example", Phase: PhaseBody, Action: ActionStall, Percent: 100},
		"* connect reset @100%":                       {Pattern: "*", Phase: PhaseConnect, Action: ActionReset, Percent: 100},
		"":                                            {},
		"* rcpt":                                      {},
		"* rcpt explode":                              {},
		"* lunch drop":                                {},
		"x.example connect drop":                      {},
		"* body reply 550 no":                         {},
		"* after-eod reply 550 no":                    {},
		"* after-body drop":                           {},
		"* eod delay":                                 {},
		"* eod delay -1s":                             {},
		"* eod delay 25h":                             {},
		"* eod drop now":                              {},
		"* eod drop @0%":                              {},
		"* eod drop @101%":                            {},
		"* eod drop @NaN%":                            {},
		"* eod reply":                                 {},
		"* eod reply 199 x":                           {},
		"* eod reply 600 x":                           {},
		"* eod reply 55 x":                            {},
		"* eod reply 550 a\rb":                        {},
		"* eod reply 550 " + strings.Repeat("x", 491): {},
	} {
		got, err := ParseRule(text)
		if !reflect.DeepEqual(got, want) || (err == nil) == reflect.DeepEqual(want, Rule{}) {
			t.Errorf("ParseRule(%q)\n got %+v, %v\nwant %+v", text, got, err, want)
		}
	}
}

func TestParseFault(t *testing.T) {
	for _, test := range []struct {
		action Action
		text   string
		want   string
	}{
		{ActionReply, "rcpt=451 4.7.1 slow down@10%", "* rcpt reply 451 4.7.1 slow down @10%"},
		{ActionReply, "rcpt=550 mail joe@x.example", "* rcpt reply 550 mail joe@x.example"},
		{ActionDelay, "eod=200ms@5%", "* eod delay 200ms @5%"},
		{ActionDrop, "data@1%", "* data drop @1%"},
		{ActionDrop, "after-data", "* after-data drop"},
		{ActionStall, "body", "* body stall"},
		{ActionReply, "rcpt", ""},
		{ActionDrop, "data=1%", ""},
		{ActionDrop, "data@1", ""},
		{ActionDelay, "eod=soon", ""},
	} {
		r, err := ParseFault(test.action, test.text)
		got := ""
		if err == nil {
			got = r.String()
		}
		if got != test.want {
			t.Errorf("ParseFault(%s, %q) = %q, %v; want %q", test.action, test.text, got, err, test.want)
		}
	}
}

func TestReadRulesNamesTheLine(t *testing.T) {
	_, err := ReadRules(strings.NewReader("# rules\n\n* rcpt drop\n* rcpt fly\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "line 4: sink: ") {
		t.Errorf("got %v", err)
	}
}

func FuzzParseRule(f *testing.F) {
	for _, text := range []string{
		"* rcpt reply 451 4.7.1 slow down @10%", "*@busy.example after-eod reset", `a@b helo reply 250 a\nb`,
		"* eod delay 5s @0.001%", "* eod reply 550 100% @5% @100%",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRule(text)
		if err != nil {
			return
		}
		again, err := ParseRule(r.String())
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%q\n is   %+v\n then %+v, %v", text, r, again, err)
		}
		s := newRuleset([]Rule{r}, 1)
		var v verdict
		s.judgeAddress(&v, r.Phase, foldMailbox(address.Address{Local: "joe", Domain: "x.example"}))
	})
}

func FuzzAddressRule(f *testing.F) {
	for _, local := range []string{"451", "550-5.1.1", "eod-drop+x", "delay-5s", "rcpt-451-4.7.1", "user-1"} {
		f.Add(local)
	}
	f.Fuzz(func(t *testing.T, local string) {
		r := addressRule(local)
		if r == nil {
			return
		}
		if _, err := ParseRule(r.String()); err != nil {
			t.Fatalf("%q asks for %q: %v", local, r, err)
		}
	})
}

func TestAddressRule(t *testing.T) {
	for local, want := range map[string]string{
		"451":            "* rcpt reply 451 as the address asks",
		"550-5.1.1":      "* rcpt reply 550 5.1.1 as the address asks",
		"550-5.1.1+joe":  "* rcpt reply 550 5.1.1 as the address asks",
		"eod-421":        "* eod reply 421 as the address asks",
		"data-452-4.3.1": "* data reply 452 4.3.1 as the address asks",
		"drop":           "* rcpt drop",
		"body-reset":     "* body reset",
		"eod-stall":      "* eod stall",
		"delay-1m30s":    "* rcpt delay 1m30s",
		"body-451":       "",
		"250":            "",
		"551x":           "",
		"550-hello":      "",
		"4511":           "",
		"delay":          "",
		"delay--5s":      "",
		"drop-in":        "",
		"data":           "",
		"mail-drop":      "",
		"sales":          "",
		"user-17":        "",
		"":               "",
	} {
		got := ""
		if r := addressRule(local); r != nil {
			got = r.String()
		}
		if got != want {
			t.Errorf("%q asks for %q, want %q", local, got, want)
		}
	}
}

func TestMatchGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"", "", true}, {"", "a", false}, {"a*", "a", true}, {"*.x.example", "a.b.x.example", true},
		{"*.x.example", "x.example", false}, {"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false}, {"**", "q", true},
		{strings.Repeat("*a", 30), strings.Repeat("a", 200) + "b", false},
	} {
		if matchGlob(test.pattern, test.s) != test.want {
			t.Errorf("matchGlob(%q, %q) = %t", test.pattern, test.s, !test.want)
		}
	}
}

// BenchmarkJudge asks 5000 rules about one recipient: 10 ns.
func BenchmarkJudge(b *testing.B) {
	var all []Rule
	for i := range 5000 {
		r, err := ParseRule("d" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + ".example rcpt reply 451 no @50%")
		if err != nil {
			b.Fatal(err)
		}
		r.Pattern = r.Pattern[:1] + string(rune('0'+i/26%10)) + r.Pattern[1:]
		all = append(all, r)
	}
	s := newRuleset(all, 1)
	who := foldMailbox(address.Address{Local: "joe", Domain: "unruled.example"})
	b.ReportAllocs()
	for b.Loop() {
		var v verdict
		s.judgeAll(&v, PhaseRcpt)
		s.judgeAddress(&v, PhaseRcpt, who)
	}
}
