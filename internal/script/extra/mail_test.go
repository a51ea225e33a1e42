package extra_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// eval runs a script that imports what the list names from a module.
func eval(t *testing.T, names, module, script string) string {
	t.Helper()
	out, err := run(t, extra.New(extra.Options{}), fmt.Sprintf("import { %s } from \"extras://%s\";\n%s", names, module, script))
	if err != nil {
		t.Errorf("%s: %v", script, err)
	}
	return out
}

func TestSRS(t *testing.T) {
	const at = `["secret" => "x", "time" => 1577836800]`
	later := func(days int) string { return fmt.Sprintf(`["secret" => "x", "time" => %d]`, 1577836800+days*86400) }
	check(t, extra.New(extra.Options{}), "srs", []stdlibtest.Case{
		{`srs_forward("", "", ` + at + `)`, `""`},
		{`srs_reverse(srs_forward("a=b+c", "example.com", ` + at + `), ` + at + `)`, `["localpart"=>"a=b+c","domain"=>"example.com"]`},
		{`srs_reverse(str_lower(srs_forward("joe", "example.com", ` + at + `)), ` + at + `)`, `["localpart"=>"joe","domain"=>"example.com"]`},
		{`srs_reverse(srs_forward("joe", "example.com", ` + at + `), ` + later(21) + `)`, `["localpart"=>"joe","domain"=>"example.com"]`},
		{`srs_reverse(srs_forward("joe", "example.com", ` + at + `), ` + later(22) + `)`, `none`},
		{`srs_reverse(srs_forward("joe", "example.com", ` + later(1000) + `), ` + later(1010) + `)`, `["localpart"=>"joe","domain"=>"example.com"]`}, // the count of days begins anew
		{`srs_reverse(srs_forward("joe", "example.com", ` + at + `), ["secret" => "y", "time" => 1577836800])`, `none`},
		{`srs_reverse(srs_forward("joe", "example.com", ["hashlen" => 3]), ["hashlen" => 4])`, `none`},
		{`srs_reverse(srs_forward("joe", "example.com", ["hashlen" => 40]), ["hashlen" => 20])`, `["localpart"=>"joe","domain"=>"example.com"]`},
		{`srs_reverse("joe")`, `none`}, {`srs_reverse("SRS0")`, `none`}, {`srs_reverse("SRS0=x")`, `none`}, {`srs_reverse("SRS1=x=y")`, `none`},
		{`srs_reverse("SRS0=xxxx=!!=example.com=joe")`, `none`},
	})
}

// srsPeer is Mail::SRS: it forwards and reverses what stands in its arguments.
const srsPeer = `
use Mail::SRS;
my ($secret, $what, @args) = @ARGV;
my $srs = Mail::SRS->new(Secret => $secret);
print $what eq "forward" ? $srs->forward($args[0], $args[1]) : $srs->reverse($args[0]);
`

// TestSRSByMailSRS: what we write, another implementation reads, and the other
// way round, over three hops.
func TestSRSByMailSRS(t *testing.T) {
	perl := testenv.Program(t, "perl")
	if err := exec.Command(perl, "-MMail::SRS", "-e", "1").Run(); err != nil {
		testenv.Program(t, "libmail-srs-perl") // a package, not a program: says what to install
	}
	peer := func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), perl, append([]string{"-e", srsPeer, "secret"}, args...)...).Output()
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return string(out)
	}
	ours := func(local, domain string) string {
		return eval(t, "srs_forward", "srs", fmt.Sprintf(`echo srs_forward(%q, %q, ["secret" => "secret"]);`, local, domain))
	}
	back := func(local string) string {
		return eval(t, "srs_reverse", "srs", fmt.Sprintf(`$a = srs_reverse(%q, ["secret" => "secret"]); echo $a["localpart"] . "@" . $a["domain"];`, local))
	}
	local, domain := "joe", "example.com"
	for _, hop := range []string{"a.example", "b.example", "c.example"} {
		mine, theirs := ours(local, domain), peer("forward", local+"@"+domain, hop)
		if theirs != mine+"@"+hop {
			t.Errorf("%s@%s: we write %s, Mail::SRS writes %s", local, domain, mine, theirs)
		}
		if got, want := peer("reverse", mine+"@"+hop), back(mine); got != want {
			t.Errorf("%s: Mail::SRS reads %s, we read %s", mine, got, want)
		}
		local, domain = mine, hop
	}
}

func TestBATV(t *testing.T) {
	check(t, extra.New(extra.Options{}), "batv", []stdlibtest.Case{
		{`batv_sign("", "k")`, `""`},
		{`batv_verify(batv_sign("joe@example.com", "k", ["keyid" => 9]), [9 => "k"])`, `"pass"`},
		{`batv_verify(batv_sign("joe@example.com", "k", ["days" => 0]), ["k"])`, `"pass"`},
		{`batv_verify(batv_sign("joe@example.com", "k", ["days" => 8]), ["k"])`, `"expired"`},   // ends later than one of seven days can
		{`batv_verify(batv_sign("joe@example.com", "k", ["days" => 999]), ["k"])`, `"expired"`}, // yesterday
		{`batv_verify(batv_sign("joe@example.com", "k"), ["other"])`, `"checksum"`},
		{`batv_verify(batv_sign("joe@example.com", "k"), [1 => "k"])`, `"checksum"`},
		{`batv_verify(str_replace("joe", "jim", batv_sign("joe@example.com", "k")), ["k"])`, `"checksum"`},
		{`batv_verify("joe@example.com", ["k"])`, `"missing"`},
		{`batv_verify("", ["k"])`, `"missing"`},
		{`batv_verify("prvs=12345=joe@example.com", ["k"])`, `"invalid"`},
		{`batv_verify("prvs=0123zzzzzz=joe@example.com", ["k"])`, `"invalid"`},
		{`batv_verify("prvs=x123abcdef=joe@example.com", ["k"])`, `"invalid"`},
		{`batv_strip(batv_sign("joe@example.com", "k"))`, `"joe@example.com"`},
		{`batv_strip("PRVS=0123abcdef=joe@example.com")`, `"joe@example.com"`},
		{`batv_strip("joe=x@example.com")`, `"joe=x@example.com"`},
		{`batv_sign("a@b", "k", ["keyid" => 10])`, `!batv_sign: option keyid: want 0 to 9, got 10`},
		{`batv_sign("a@b", "k", ["days" => 1000])`, `!batv_sign: option days: want 0 to 999, got 1000`},
	})
}

// message is a script that makes $m of a file of the vectors.
func vector(t *testing.T, set, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Vectors(t, set), name))
	if err != nil {
		t.Fatal(err)
	}
	return "$m = MailMessage::String(''" + strings.ReplaceAll(string(text), "''", `' . "'" . '`) + "'');\n"
}

func TestARF(t *testing.T) {
	script := vector(t, "arf", "002.eml") + `
		$r = arf_parse($m, ["original_message" => true, "original_headers" => true]);
		echo $r["date"]; echo $r["from"]; echo $r["to"]; echo $r["subject"];
		echo $r["feedback_report"]["reported-uri"]; echo $r["feedback_report"]["source-ip"][0];
		echo pcre_match("Spam", $r["original_message"])[0]; echo length(pcre_match("Spam", $r["original_headers"]));
		echo isset(arf_parse($m)["original_message"]);
		echo arf_parse(MailMessage::String("Subject: x\r\n\r\n")) ?? "none";`
	want := `Thu, 8 Mar 2005 17:40:36 EDT
abusedesk@example.com
[0=>"abuse@example.net"]
FW: Earn money
[0=>"http://example.net/earn_money.html",1=>"mailto:user@example.com"]
192.0.2.1
Spam
0
false
none`
	if got := eval(t, "arf_parse", "arf", script); got != want {
		t.Errorf("it said\n%s", got)
	}
}

func TestDSN(t *testing.T) {
	script := vector(t, "bounces", "lhost-postfix-29.eml") + `
		$r = dsn_parse($m, ["original_headers" => true, "original_message" => true]);
		echo $r["message"]["reporting-mta"]; echo length($r["recipients"]); echo $r["recipients"][0]["action"]; echo $r["recipients"][0]["status"];
		echo length($r["original_headers"]) > 100; echo length($r["original_message"] ?? $r["original_headers"]) >= length($r["original_headers"]);
		echo dsn_parse(MailMessage::String("Subject: x\r\n\r\n")) ?? "none";`
	got := eval(t, "dsn_parse", "dsn", script)
	if lines := strings.Split(got, "\n"); len(lines) != 7 || !strings.HasPrefix(lines[0], "dns; ") || lines[2] != "failed" || lines[4] != "true" || lines[5] != "true" || lines[6] != "none" {
		t.Errorf("it said\n%s", got)
	}
}
