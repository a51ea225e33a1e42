<?php
$digest = "seed"; $n = 0;
for ($i = 0; $i < 400000; $i++) {
    $digest = hash("sha256", $digest . $i);
    if ($digest[0] == "0") $n++;
}
echo $digest . $n, "\n";
