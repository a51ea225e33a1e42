package extra

// arcExamples are those of the methods of ARC.
var arcExamples = map[string]string{
	"::chainValidate": `echo ARC::chainValidate(MailMessage::String("Subject: Hi\r\n\r\n"))["status"]; // none`,
	"::seal": `$mail = MailMessage::String("Subject: Hi\r\n\r\n"); $chain = ARC::chainValidate($mail);
if (!ARC::seal($mail, "mail", "example.com", "pki:arc", $chain, "mx.example.com; spf=pass"))
	echo "there is no such key"; // there is no such key`,
}

// resultsExamples are those of the methods of AuthenticationResults.
var resultsExamples = map[string]string{
	"->SPF":       `echo AuthenticationResults(["hostname" => "mx.example.com"])->SPF(["result" => "fail"], "a.example", "example.com")->toString(["multiline" => false]); // mx.example.com; spf=fail smtp.mailfrom=example.com`,
	"->TLS":       `echo AuthenticationResults(["hostname" => "mx.example.com"])->TLS(["protocol" => "TLSv1.3", "cipher" => "TLS_AES_128_GCM_SHA256", "keysize" => 128])->toString(["multiline" => false]); // mx.example.com; tls=pass smtp.version=TLSv1.3 smtp.cipher=TLS_AES_128_GCM_SHA256`,
	"->DKIM":      `echo AuthenticationResults(["hostname" => "mx.example.com"])->DKIM([["result" => "pass", "tags" => ["d" => "example.com", "s" => "mail"]]])->toString(["multiline" => false]); // mx.example.com; dkim=pass header.d=example.com header.s=mail`,
	"->DMARC":     `echo AuthenticationResults(["hostname" => "mx.example.com"])->DMARC(["result" => "pass"])->toString(["multiline" => false]); // mx.example.com; dmarc=pass (p= dis=none)`,
	"->addMethod": `echo AuthenticationResults(["hostname" => "mx.example.com"])->addMethod("x-greylist", "pass")->toString(["multiline" => false]); // mx.example.com; x-greylist=pass`,
	"->toString":  `echo AuthenticationResults(["hostname" => "mx.example.com"])->toString(["multiline" => false]); // mx.example.com; none`,
}

// milterExamples are those of the methods of Milter. Nobody filters here, which throws.
var milterExamples = map[string]string{
	"->getAction": `try {
	$filter = Milter(["port" => 1], "192.0.2.1", 25, "", "x", "a@b", ["c@d"], "id", MailMessage::String("Subject: x\r\n\r\n"));
	if ($filter->getAction() == "reject") echo "refuse it";
} catch ($e) { echo "not asked"; } // not asked`,
	"->getReply": `try {
	$filter = Milter(["port" => 1], "192.0.2.1", 25, "", "x", "a@b", ["c@d"], "id", MailMessage::String("Subject: x\r\n\r\n"));
	if ($filter->getAction() == "setreply") echo $filter->getReply()["reason"];
} catch ($e) { echo "not asked"; } // not asked`,
	"->getHeaderValue": `try {
	$filter = Milter(["port" => 1], "192.0.2.1", 25, "", "x", "a@b", ["c@d"], "id", MailMessage::String("Subject: x\r\n\r\n"));
	echo $filter->getHeaderValue("X-Spam-Score");
} catch ($e) { echo "not asked"; } // not asked`,
}

// proxyTLVExamples are those of the methods of ProxyTLV.
var proxyTLVExamples = map[string]string{
	"->value": `echo ProxyTLV("\xe0\x00\x02hi")->value(0xe0); // hi`,
	"->types": `echo ProxyTLV("\x02\x00\x0bexample.com\xe0\x00\x02hi")->types(); // [0=>"AUTHORITY",1=>224]`,
}
