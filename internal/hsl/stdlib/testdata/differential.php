<?php
// Computes the calls that TestPHP writes to it, one JSON object a line, and
// answers each with a line. Functions have the names of HSL.
error_reporting(0);

function given($a) {
    switch ($a["t"]) {
        case "s": return base64_decode($a["v"]);
        case "n": return fmod($a["v"], 1) == 0 && abs($a["v"]) < 1e15 ? (int)$a["v"] : (float)$a["v"];
        case "b": return $a["v"];
        case "a":
            $list = [];
            foreach ($a["v"] as [$k, $v]) $list[given($k)] = given($v);
            return $list;
    }
    return null;
}

function shown($v) {
    if (is_string($v)) return "s" . base64_encode($v);
    if (is_bool($v)) return $v ? "true" : "false";
    if (is_null($v)) return "none";
    if (is_array($v)) {
        $parts = [];
        foreach ($v as $k => $e) $parts[] = shown($k) . "=" . shown($e);
        return "[" . implode(",", $parts) . "]";
    }
    return "n" . bin2hex(pack("E", $v == 0 ? 0.0 : $v));
}

function found($at) { return $at === false ? -1 : $at; }

$functions = [
    "chr" => fn($n) => chr($n),
    "ord" => fn($s) => ord($s),
    "str_repeat" => fn($s, $n) => str_repeat($s, $n),
    "str_replace" => fn($a, $b, $s) => str_replace($a, $b, $s),
    "str_split" => fn($s, $d, $n) => $n == 0 ? explode($d, $s) : explode($d, $s, $n),
    "str_find" => fn($s, $n, $o) => $o > strlen($s) ? -1 : found(strpos($s, $n, $o)),
    "str_rfind" => fn($s, $n) => found(strrpos($s, $n)),
    "str_lower" => fn($s) => strtolower($s),
    "str_upper" => fn($s) => strtoupper($s),
    "str_slice" => fn($s, $o, $n = null) => substr($s, $o, $n),
    "str_strip" => fn($s, $c = " \t\r\n") => trim($s, $c),
    "str_lstrip" => fn($s, $c = " \t\r\n") => ltrim($s, $c),
    "str_rstrip" => fn($s, $c = " \t\r\n") => rtrim($s, $c),
    "str_chunk" => fn($s, $n) => str_split($s, $n),
    "md5" => fn($s) => md5($s),
    "sha1" => fn($s) => sha1($s),
    "sha2" => fn($s, $n) => hash("sha$n", $s),
    "hmac_md5" => fn($k, $s) => hash_hmac("md5", $s, $k),
    "hmac_sha1" => fn($k, $s) => hash_hmac("sha1", $s, $k),
    "hmac_sha2" => fn($k, $s, $n) => hash_hmac("sha$n", $s, $k),
    "hash" => fn($s) => hexdec(hash("fnv1a32", $s)),
    "crypt" => fn($k, $s) => crypt($k, $s),
    "base64_encode" => fn($s) => base64_encode($s),
    "base64_decode" => fn($s) => base64_decode($s),
    "url_encode" => fn($s) => rawurlencode($s),
    "url_decode" => fn($s) => rawurldecode($s),
    "pack" => fn($f, ...$a) => pack($f, ...$a),
    "unpack" => fn($f, $s) => array_values(unpack($f, $s)),
    "json_encode" => fn($v) => ($t = json_encode($v)) === false ? null : $t,
    "json_decode" => fn($s) => json_decode($s, true),
    "array_reverse" => fn($a) => array_reverse($a),
    "array_keys" => fn($a) => array_keys($a),
    "array_unique" => fn($a) => array_unique($a),
    "array_join" => fn($a, $s) => implode($s, $a),
    "array_combine" => fn($k, $v) => array_combine($k, $v),
    "array_includes" => fn($n, $a) => in_array($n, $a, true),
    "array_sort" => function ($a) { uasort($a, fn($x, $y) => $x <=> $y); return $a; },
    "abs" => fn($n) => abs($n),
    "ceil" => fn($n) => ceil($n),
    "floor" => fn($n) => floor($n),
    "sqrt" => fn($n) => sqrt($n),
    "round" => fn($n, $d) => round($n, $d),
    "string" => fn($n) => (string)$n,
    "strftime" => fn($f, $t) => gmstrftime($f, $t),
    "inet_pton" => fn($s) => ($b = inet_pton($s)) === false ? null : $b,
    "inet_ntop" => fn($s) => ($b = inet_ntop($s)) === false ? null : $b,
    "Iconv" => fn($from, $to, $s) => ($t = iconv($from, $to, $s)) === false ? null : $t,
    "pcre_quote" => fn($s) => preg_quote($s, "/"),
    "pcre_replace" => fn($p, $r, $s, $n) => preg_replace($p, $r, $s, $n == 0 ? -1 : $n),
    "pcre_match_all" => fn($p, $s) => preg_match_all($p, $s, $m) ? $m : [],
];

while (($line = fgets(STDIN)) !== false) {
    $call = json_decode($line, true);
    try {
        echo shown($functions[$call["f"]](...array_map("given", $call["a"]))), "\n";
    } catch (\Throwable $e) {
        echo "!", strtr($e->getMessage(), "\n", " "), "\n";
    }
}
