<?php
function fib($n) { if ($n < 2) return $n; return fib($n - 1) + fib($n - 2); }
function ackermann($m, $n) {
    if ($m == 0) return $n + 1;
    if ($n == 0) return ackermann($m - 1, 1);
    return ackermann($m - 1, ackermann($m, $n - 1));
}
$sum = 0;
for ($i = 0; $i < 300; $i++) { $sum += ackermann(2, 40); }
echo fib(30) + $sum, "\n";
