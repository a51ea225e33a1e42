<?php
function build($lines) {
    $text = "";
    for ($i = 0; $i < $lines; $i++) {
        $text .= "line " . $i . ": user" . $i % 100 . "@example.com\r\n";
    }
    return $text;
}
$total = 0;
for ($round = 0; $round < 5; $round++) {
    $text = build(200000);
    $lines = explode("\r\n", $text);
    $total += strlen($text) + count($lines) + strlen(strtoupper($text)) + strpos($text, "line 199999");
    $total += strlen(str_replace("example", "host", $text)) + strlen(implode("\n", $lines));
}
echo $total, "\n";
