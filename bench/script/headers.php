<?php
$message = implode("\r\n", [
    "Received: from mx.example.org (mx.example.org [192.0.2.25])", "\tby mail.example.com (Posthaste) with ESMTPS id 5F3A1B2C", "\tfor <ann@example.com>; Mon, 30 Nov 2026 12:00:00 +0000",
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=mail;", " h=from:to:subject:date; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;", " b=dGVzdA==",
    "From: \"Joe Doe\" <joe@example.org>", "To: Ann <ann@example.com>, bob@example.net", "Subject: A subject that goes on", " for two lines", "Date: Mon, 30 Nov 2026 12:00:00 +0000",
    "Message-ID: <20261130120000.4711@example.org>", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "X-Spam-Score: 1.5", "", "The body."]);
function parse($message) {
    $end = strpos($message, "\r\n\r\n");
    $fields = [];
    $name = "";
    foreach (explode("\r\n", substr($message, 0, $end)) as $line) {
        if ($line[0] == " " || $line[0] == "\t") {
            $fields[$name][-1 + count($fields[$name])] .= " " . trim($line);
            continue;
        }
        $colon = strpos($line, ":");
        $name = strtolower(substr($line, 0, $colon));
        $fields[$name][] = trim(substr($line, $colon + 1));
    }
    return $fields;
}
function addresses($value) {
    $found = [];
    foreach (explode(",", $value) as $part) {
        $open = strpos($part, "<");
        $found[] = $open === false ? trim($part) : substr($part, $open + 1, strpos($part, ">") - $open - 1);
    }
    return $found;
}
$total = 0;
for ($i = 0; $i < 30000; $i++) {
    $fields = parse($message);
    $to = addresses($fields["to"][0]);
    $total += count($fields) + count($to) + strlen($to[1]) + strlen($fields["subject"][0]);
    $tags = [];
    foreach (explode(";", $fields["dkim-signature"][0]) as $tag) { [$k, $v] = explode("=", $tag, 2); $tags[trim($k)] = trim($v); }
    if ($tags["d"] == "example.org") $total++;
}
echo $total, "\n";
