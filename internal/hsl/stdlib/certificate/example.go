package certificate

// x509Examples are those of the methods of X509, of a certificate in the configuration.
var x509Examples = map[string]string{
	"->subject":          `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo $x->subject(); // [0=>[0=>"O",1=>"Example"],1=>[0=>"CN",1=>"mx.example.com"]]`,
	"->issuer":           `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo $x->issuer() == $x->subject(); // true`,
	"->subject_alt_name": `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo $x->subject_alt_name()["DNS"]; // [0=>"mx.example.com"]`,
	"->version":          `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo $x->version(); // 3`,
	"->serial_number":    `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo $x->serial_number(); // 2A`,
	"->not_valid_before": `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo $x->not_valid_before() < time(); // true`,
	"->not_valid_after":  `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo ($x->not_valid_after() - time()) > 86400 * 14; // true`,
	"->public_key":       `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo length($x->public_key()); // 91`,
	"->export":           `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo X509::String($x->export())->serial_number(); // 2A`,
	"->verify":           `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo $x->verify([$x])["result"]; // true`,
	"->extensions":       `$x = X509::String(File::read("cert.pem"), ["pem" => true]); foreach ($x->extensions() as $e) if ($e["critical"]) echo $e["oid"]; // 2.5.29.19`,
	"->toResource":       `$x = X509::String(File::read("cert.pem"), ["pem" => true]); echo X509($x->toResource())->version(); // 3`,
	"::String": `$x = X509::String(File::read("cert.pem"), ["pem" => true]);
if ($x) echo $x->subject()[1][1]; // mx.example.com`,
}

// crlExamples are those of the methods of X509CRL, of a list in the configuration.
var crlExamples = map[string]string{
	"->issuer":      `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]); echo $l->issuer()[1][1]; // mx.example.com`,
	"->revoked":     `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]); echo $l->revoked()[0]["serial_number"] . " " . $l->revoked()[0]["reason"]; // 1F keyCompromise`,
	"->version":     `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]); echo $l->version(); // 2`,
	"->last_update": `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]); echo $l->last_update() < time(); // true`,
	"->next_update": `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]); if ($l->next_update() > time()) echo "still good"; // still good`,
	"->export":      `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]); echo X509CRL::String($l->export())->issuer() == $l->issuer(); // true`,
	"->extensions":  `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]); echo $l->extensions()[0]["oid"]; // 2.5.29.20`,
	"->toResource":  `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]); echo X509CRL($l->toResource())->version(); // 2`,
	"::String": `$l = X509CRL::String(File::read("list.pem"), ["pem" => true]);
if ($l) echo length($l->revoked()); // 1`,
}
