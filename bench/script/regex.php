<?php
$lines = [
    "Nov 30 12:00:01 mx1 smtpd[4711]: 5F3A1B2C: from=<joe@example.com>, size=10240, nrcpt=1",
    "Nov 30 12:00:02 mx1 smtp[4712]: 5F3A1B2C: to=<ann@example.org>, relay=mx.example.org[192.0.2.25]:25, delay=1.5, dsn=2.0.0, status=sent (250 OK)",
    "Nov 30 12:00:03 mx1 smtp[4713]: 6A7B8C9D: to=<bob@example.net>, relay=none, delay=30, dsn=4.4.1, status=deferred (connect to mx.example.net[198.51.100.7]:25: Connection timed out)",
    "Nov 30 12:00:04 mx2 anvil[99]: statistics: max connection rate 1/60s for (smtp:203.0.113.9) at Nov 30 11:56:42",
];
$sent = 0; $bytes = 0; $delay = 0; $words = 0;
for ($i = 0; $i < 60000; $i++) {
    $line = $lines[$i % 4];
    if (preg_match('/^(\w{3} +\d+ [\d:]+) (\S+) (\w+)\[(\d+)\]: ([0-9A-F]{8}): (from|to)=<([^>]*)>/', $line, $m)) $words += strlen($m[7]);
    if (preg_match('/status=(?:sent|delivered)\b/i', $line)) $sent++;
    if (preg_match('/size=(\d+)/', $line, $m)) $bytes += (float)$m[1];
    if (preg_match('/delay=(?<seconds>[\d.]+), dsn=(\d)\.(\d)\.(\d)/', $line, $m)) $delay += (float)$m["seconds"];
    if (preg_replace('/\[\d+\.\d+\.\d+\.\d+\]/', "[ip]", $line) != $line) $words++;
}
echo $sent + $bytes + $delay + $words, "\n";
