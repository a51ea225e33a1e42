<?php
function primes($n) {
    $sieve = array_fill(0, $n + 1, true);
    for ($i = 2; $i * $i <= $n; $i++) {
        if ($sieve[$i]) { for ($j = $i * $i; $j <= $n; $j += $i) $sieve[$j] = false; }
    }
    $count = 0;
    for ($i = 2; $i <= $n; $i++) { if ($sieve[$i]) $count++; }
    return $count;
}
function collatz($most) {
    $longest = 0;
    for ($start = 1; $start < $most; $start++) {
        $n = $start; $steps = 0;
        while ($n != 1) {
            if ($n % 2 == 0) $n = $n / 2; else $n = 3 * $n + 1;
            $steps++;
        }
        if ($steps > $longest) $longest = $steps;
    }
    return $longest;
}
echo primes(2000000) + collatz(60000), "\n";
