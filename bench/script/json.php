<?php
$document = ["id" => "5F3A1B2C", "sender" => ["localpart" => "joe", "domain" => "example.com"], "size" => 10240, "tags" => ["a", "b", "\"quoted\"\n"], "ok" => true, "none" => null, "score" => 1.25];
$list = [];
for ($i = 0; $i < 50; $i++) $list[] = $document + ["number" => $i];
$total = 0;
for ($i = 0; $i < 400; $i++) {
    $text = json_encode($list);
    $back = json_decode($text, true);
    $total += strlen($text) + count($back) + $back[49]["number"];
}
echo $total, "\n";
