package socket

// socketExamples are those of the methods of Socket. Datagrams need nobody who listens.
var socketExamples = map[string]string{
	"->bind":       `$s = Socket("AF_INET", "SOCK_DGRAM"); if ($s->bind("127.0.0.1")) echo "bound"; // bound`,
	"->connect":    `$s = Socket("AF_INET", "SOCK_DGRAM"); if (!$s->connect("127.0.0.1", 9)) echo $s->errno();`,
	"->send":       `$s = Socket("AF_INET", "SOCK_DGRAM"); $s->connect("127.0.0.1", 9); echo $s->send("hello"); // 5`,
	"->recv":       `$s = Socket("AF_INET", "SOCK_DGRAM"); $s->bind("127.0.0.1"); echo $s->recv(100, "MSG_DONTWAIT") ?? "nothing yet"; // nothing yet`,
	"->settimeout": `$s = Socket("AF_INET", "SOCK_DGRAM"); $s->bind("127.0.0.1")->settimeout(0.01); echo $s->recv(100) ?? "nothing came"; // nothing came`,
	"->shutdown":   `$s = Socket("AF_INET", "SOCK_STREAM"); echo $s->shutdown("SHUT_WR") ?? "not connected"; // not connected`,
	"->close":      `$s = Socket("AF_INET", "SOCK_DGRAM"); $s->close(); echo $s->send("x") ?? "closed"; // closed`,
	"->errno":      `$s = Socket("AF_UNIX", "SOCK_STREAM"); $s->connect("/nowhere"); echo $s->errno(); // 2`,
	"::AF":         `echo Socket::AF("2001:db8::1"); // AF_INET6`,
}

// tlsExamples are those of the methods of TLSSocket, which need a peer: here is none, and they say so.
var tlsExamples = map[string]string{
	"->handshake": `$s = Socket("AF_INET", "SOCK_STREAM"); $tls = TLSSocket($s, ["tls_sni" => "mx.example.com"]);
if (!$tls->handshake()) echo "no TLS"; // no TLS`,
	"->recv":        `$tls = TLSSocket(Socket("AF_INET", "SOCK_STREAM")); echo $tls->recv(100) ?? "no peer"; // no peer`,
	"->send":        `$tls = TLSSocket(Socket("AF_INET", "SOCK_STREAM")); echo $tls->send("EHLO me\r\n") ?? "no peer"; // no peer`,
	"->shutdown":    `$tls = TLSSocket(Socket("AF_INET", "SOCK_STREAM")); echo $tls->shutdown() ?? "no peer"; // no peer`,
	"->errno":       `$tls = TLSSocket(Socket("AF_INET", "SOCK_STREAM")); echo $tls->errno(); // 0`,
	"->getpeerx509": `$tls = TLSSocket(Socket("AF_INET", "SOCK_STREAM")); echo $tls->getpeerx509() ?? "no certificate"; // no certificate`,
	"->toSocket":    `$tls = TLSSocket(Socket("AF_INET", "SOCK_STREAM")); echo $tls->toSocket()->errno(); // 0`,
}
