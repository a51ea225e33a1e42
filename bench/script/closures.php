<?php
function counter() {
    $n = 0;
    return function ($step) use (&$n) { $n += $step; return $n; };
}
function compose($f, $g) { return function ($x) use ($f, $g) { return $g($f($x)); }; }
$sum = 0;
$counters = [];
for ($i = 0; $i < 1000; $i++) $counters[] = counter();
for ($round = 0; $round < 2000; $round++) {
    foreach ($counters as $i => $c) { if ($i % 2 == 0) $sum += $c($round); }
}
$list = range(0, 999);
$twice = compose(function ($x) { return $x + 1; }, function ($x) { return $x * 2; });
for ($round = 0; $round < 500; $round++) {
    $kept = array_filter(array_map($twice, $list), function ($x) { return $x % 3 != 0; });
    $sum += array_reduce($kept, function ($a, $b) { return $a + $b; }, 0);
}
echo $sum, "\n";
