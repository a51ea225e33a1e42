package extra_test

import (
	"testing"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

func TestBounce(t *testing.T) {
	m := started(t, map[string]plugin.Settings{
		"bounce-list": lists(file(t, "/cupboard/,mailbox_full\n/odd/,tag=odd\n/slow/,RATE_LIMIT,&acme,EOD\n")),
	}, nil)
	got, err := run(t, m, `import { bounce_classify } from "extras://bounce";
		$r = bounce_classify("550 5.1.1 user unknown");
		echo $r;
		echo bounce_classify("450 4.2.0 greylisted")["permanent"];
		echo bounce_classify("550 bare cupboard", ["list" => "l"])["class"] . " by " . bounce_classify("550 bare cupboard", ["list" => "l"])["rule"];
		echo bounce_classify("550 odd user unknown", ["list" => "l"])["class"];
		echo bounce_classify("550 slow", ["list" => "l"])["class"];
		echo bounce_classify("550 slow", ["list" => "l", "grouping" => "&acme", "state" => "EOD"])["class"];
		try { bounce_classify("550 x", ["list" => "other"]); } catch ($e) { echo "thrown"; }`)
	want := `["class"=>"RECIPIENT_NOT_FOUND","category"=>"invalid-recipient","severity"=>1,"scope"=>"address","permanent"=>true,"hard"=>true,` +
		`"code"=>550,"enhanced"=>"5.1.1","rule"=>"unknown","why"=>''words "user unknown"'']
false
MAILBOX_FULL by l
RECIPIENT_NOT_FOUND
UNKNOWN
RATE_LIMIT
thrown`
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
}

// TestBounceReport reads a published bounce and a complaint.
func TestBounceReport(t *testing.T) {
	script := vector(t, "bounces", "lhost-exim-02.eml") + `
		$r = bounce_report($m);
		echo $r["kind"]; echo $r["messageid"]; echo $r["sender"];
		foreach ($r["recipients"] as $x) { echo $x["recipient"] . " " . $x["meaning"]["class"]; }` + "\n" +
		vector(t, "bounces", "arf-21.eml") + `
		$r = bounce_report($m);
		echo $r["kind"] . " " . $r["feedback"]; echo $r["recipients"][0]["recipient"];
		echo bounce_report(MailMessage::String("Subject: x\r\n\r\n")) ?? "none";`
	want := `bounce
E1X58pB-0004bW-2s@marutamachi.example.org
shironeko@example.jp
kijitora@example.jp RECIPIENT_NOT_FOUND
sabatora@example.jp RECIPIENT_NOT_FOUND
complaint abuse
kijitora@example.org
none`
	if got := eval(t, "bounce_report", "bounce", script); got != want {
		t.Errorf("it said\n%s", got)
	}
}
