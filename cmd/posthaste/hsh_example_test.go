package main

import (
	"strings"
	"testing"
)

// TestHookExamples: hooks such as people write, and tests of them such as people
// should write.
func TestHookExamples(t *testing.T) {
	folder(t, map[string]string{
		"src/hooks/rcptto/known.hsl": `$known = ["example.org" => "inside", "example.net" => "inside"];
$a = $arguments["address"];
if (!isset($known[str_lower($a["domain"])]))
    Reject("No such domain", ["reply_codes" => ["code" => 550, "enhanced" => [5, 1, 2]]]);
[$box] = str_split($a["localpart"], "+", 2);
Accept(["recipient" => ["localpart" => $box, "domain" => $a["domain"]], "transportid" => $known[str_lower($a["domain"])]]);
`,
		"src/hooks/eod/copies.hsl": `$mail = $arguments["mail"];
foreach ($transaction["recipients"] as $r)
{
    $id = $mail->snapshot();
    $mail->addHeader("X-Envelope-To", $r["recipient"]);
    $mail->queue($transaction["senderaddress"], $r["address"], $r["transportid"], ["metadata" => ["srv" => $connection["serverid"]]]);
    $mail->restore($id);
}
Accept();
`,
		"src/hooks/queue/postdelivery.hsl": `$res = $arguments["attempt"]["result"];
if (isset($arguments["action"]) and $res["code"] == 452 and $arguments["retry"] < 24)
    Queue(["delay" => 3600, "reason" => "mailbox full"]);
Default();
`,
		"tests/hooks_test.hsl": `function address($l, $d) { return ["localpart" => $l, "domain" => $d]; }

test("known domains lose their tags", function () {
    $o = run_hook("rcptto", "../src/hooks/rcptto/known.hsl", ["arguments" => ["address" => address("joe+lists", "Example.ORG")]]);
    assert_equal($o["action"], "Accept");
    assert_equal($o["arguments"], [["recipient" => address("joe", "Example.ORG"), "transportid" => "inside"]]);
    $o = run_hook("rcptto", "../src/hooks/rcptto/known.hsl", ["arguments" => ["address" => address("joe", "example.com")]]);
    assert_equal($o["arguments"], ["No such domain", ["reply_codes" => ["code" => 550, "enhanced" => [5, 1, 2]]]]);
});

test("each recipient gets a copy", function () {
    $mail = MailMessage::String("Subject: x\r\n\r\nHello\r\n");
    $o = run_hook("eod", "../src/hooks/eod/copies.hsl", [
        "arguments" => ["mail" => $mail], "connection" => ["serverid" => "inbound"],
        "transaction" => ["senderaddress" => address("a", "b.example"), "recipients" => [
            ["recipient" => "c@d.example", "address" => address("c", "d.example"), "transportid" => "t"],
            ["recipient" => "e@f.example", "address" => address("e", "f.example"), "transportid" => "t"]]]]);
    assert_equal($o["error"], none);
    assert_equal($o["action"], "Accept");
    assert_equal(length($o["calls"]), 2);
    assert_equal($o["calls"][1], ["function" => "MailMessage->queue", "arguments" =>
        [address("a", "b.example"), address("e", "f.example"), "t", ["metadata" => ["srv" => "inbound"]]]]);
    assert_equal($mail->toString(), "Subject: x\r\n\r\nHello\r\n");
});

test("a full mailbox waits", function () {
    $o = run_hook("postdelivery", "../src/hooks/queue/postdelivery.hsl",
        ["arguments" => ["attempt" => ["result" => ["code" => 452]], "action" => "RETRY", "retry" => 3]]);
    assert_equal([$o["action"], $o["arguments"]], ["Queue", [["delay" => 3600, "reason" => "mailbox full"]]]);
    $o = run_hook("postdelivery", "../src/hooks/queue/postdelivery.hsl",
        ["arguments" => ["attempt" => ["result" => ["code" => 452]], "action" => "RETRY", "retry" => 24]]);
    assert_equal($o["action"], "Default");
});

test("nothing is sent", function () {
    assert_throws(function () { MIME()->setBody("x")->send("<>", ["a@b.example"], ["server" => "127.0.0.1"]); }, "MIME->send is not faked");
    fake("send", function ($sender, $recipients, $server) { return ["result" => ["code" => 250, "reason" => $recipients]]; });
    assert_equal(MIME()->send("<>", ["a@b.example"], ["server" => "x"])["result"]["reason"], ["a@b.example"]);
    fake("MIME->send", ["error" => ["temporary" => true]]);
    assert_equal(MIME()->send("<>", [], "t"), ["error" => ["temporary" => true]]);
    assert_equal(MailMessage::String("A: b\r\n\r\n")->send("", ["c"], "t")["result"]["reason"], ["c"]);
    assert_throws(function () { fake("MIME->fly", 1); }, "no builtin MIME->fly");
});
`,
	})
	code, out, message := hsh("", "test", "tests")
	if code != 0 || !strings.Contains(out, "4 passed, 0 failed") {
		t.Errorf("ends with %d, %s:\n%s", code, message, out)
	}
	code, out, message = hsh("", "lint", "src/hooks/rcptto/known.hsl", "src/hooks/eod/copies.hsl", "src/hooks/queue/postdelivery.hsl")
	if code != 0 {
		t.Errorf("lint ends with %d, %s:\n%s", code, message, out)
	}
}
