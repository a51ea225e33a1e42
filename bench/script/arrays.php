<?php
$seed = 42;
function random() { global $seed; $seed = ($seed * 16807) % 2147483647; return $seed; }
$list = [];
for ($i = 0; $i < 200000; $i++) $list[] = random();
$map = [];
foreach ($list as $i => $n) $map["key" . $n % 50000] = $i;
$sum = 0;
for ($i = 0; $i < 1000000; $i++) { if (isset($map["key" . $i % 60000])) $sum += $map["key" . $i % 60000]; }
$sorted = $list;
uasort($sorted, function ($a, $b) { return $a <=> $b; });
$previous = 0; $ordered = true;
foreach ($sorted as $n) { if ($n < $previous) $ordered = false; $previous = $n; }
$keyed = [];
for ($i = 0; $i < 300000; $i++) $keyed[$i % 1000]["count"] = ($keyed[$i % 1000]["count"] ?? 0) + $i;
echo $sum + $previous + $keyed[999]["count"] + ($ordered ? 1 : 0), "\n";
