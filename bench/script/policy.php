<?php
$domains = ["example.com" => ["tenant" => "one", "limit" => 100, "sign" => true], "example.org" => ["tenant" => "two", "limit" => 50, "sign" => false]];
$blocked = ["spam.example" => true, "bad.example" => true];
$sent = [];
function score($message) {
    $score = 0;
    if (strlen($message["subject"]) > 60) $score += 1;
    if (preg_match('/\b(free|winner|urgent)\b/i', $message["subject"])) $score += 3;
    if (strtoupper($message["subject"]) == $message["subject"]) $score += 2;
    foreach ($message["headers"] as $h) {
        $name = strtolower($h[0]);
        if ($name == "precedence" && $h[1] == "bulk") $score -= 1;
        if ($name == "list-unsubscribe") $score -= 1;
    }
    return $score;
}
function decide($message) {
    global $domains, $blocked, $sent;
    [$box, $domain] = explode("@", $message["sender"], 2);
    $domain = strtolower($domain);
    if (!isset($domains[$domain])) return ["action" => "reject", "reason" => "550 sender not known"];
    $settings = $domains[$domain];
    $sent[$domain] = ($sent[$domain] ?? 0) + 1;
    $score = score($message);
    if ($score >= 5) return ["action" => "reject", "reason" => "554 " . $score . " is too much"];
    $queued = [];
    foreach ($message["recipients"] as $r) {
        [$local, $to] = explode("@", $r, 2);
        if (isset($blocked[$to])) continue;
        $transport = match ($to) { "gmail.com", "googlemail.com" => "gmail", "yahoo.com" => "yahoo", default => "default" };
        $queued[] = ["recipient" => $local . "@" . strtolower($to), "transport" => $transport, "jobid" => $settings["tenant"] . "-" . $message["job"]];
    }
    if (!$queued) return ["action" => "reject", "reason" => "550 no recipient left"];
    return ["action" => $settings["sign"] ? "sign" : "accept", "queued" => $queued, "score" => $score];
}
$subjects = ["Hello there", "URGENT", "You are a WINNER of a free cruise, act now before it is much too late for you", "Invoice 4711"];
$senders = ["joe@example.com", "ann@Example.org", "eve@elsewhere.example"];
$count = []; $queued = 0; $score = 0;
for ($i = 0; $i < 100000; $i++) {
    $decision = decide(["sender" => $senders[$i % 3], "subject" => $subjects[$i % 4], "job" => $i % 50,
        "headers" => [["From", $senders[$i % 3]], ["Precedence", "bulk"], ["List-Unsubscribe", "<mailto:u@example.com>"], ["X-Id", "n" . $i]],
        "recipients" => ["a" . $i . "@gmail.com", "b@Spam.example", "c@bad.example"]]);
    $count[$decision["action"]] = ($count[$decision["action"]] ?? 0) + 1;
    $queued += count($decision["queued"] ?? []);
    $score += $decision["score"] ?? 0;
}
echo $count["reject"] . " " . $count["sign"] . " " . $count["accept"] . " " . $queued . " " . $score, "\n";
