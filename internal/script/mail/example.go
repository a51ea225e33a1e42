package mail

import "strings"

// The examples of methods, each a script of its own. Those that begin with "text"
// or "parts" are shown behind the line that makes the message.

const (
	exampleText  = `$mail = MailMessage::String("Subject: Hi\r\n\r\nHello\r\n");`
	exampleParts = `$mail = MailMessage::String("Content-Type: multipart/mixed; boundary=b\r\n\r\nfirst\r\n--b\r\nContent-Type: text/plain\r\n\r\none\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\ntwo\r\n--b--\r\nlast");`
)

// withMessages puts the messages in front of examples.
func withMessages(examples map[string]string) map[string]string {
	for name, text := range examples {
		text = strings.Replace(text, "text: ", exampleText+"\n", 1)
		examples[name] = strings.Replace(text, "parts: ", exampleParts+"\n", 1)
	}
	return examples
}

// partExamples are those of the methods of parts.
var partExamples = withMessages(map[string]string{
	"->getID":            `parts: echo $mail->getParts()[1]->getID(); // 2`,
	"->getSize":          `text: echo $mail->getSize(); // 22`,
	"->getFileName":      `parts: echo $mail->getByID("2")->getFileName(); // a.pdf`,
	"->getType":          `parts: echo $mail->getType(); // multipart/mixed`,
	"->getTypeParameter": `parts: echo $mail->getTypeParameter("boundary"); // b`,
	"->getHeader":        `text: echo $mail->getHeader("subject"); // Hi`,
	"->getHeaders":       `text: echo $mail->getHeaders("Subject"); // [0=>"Hi"]`,
	"->getHeaderNames":   `text: echo $mail->getHeaderNames(); // [0=>"subject"]`,
	"->getBody":          `parts: echo $mail->getByID("1")->getBody(); // one`,
	"->getPreamble":      `parts: echo $mail->getPreamble(); // first`,
	"->getEpilogue":      `parts: echo $mail->getEpilogue(); // last`,
	"->findByType":       `parts: foreach ($mail->findByType("^text/") as $part) echo $part->getID(); // 1`,
	"->findByFileName":   `parts: foreach ($mail->findByFileName("\\.(exe|pdf)$") as $part) echo $part->getFileName(); // a.pdf`,
	"->getByID":          `parts: echo $mail->getByID("3") ?? "no third part"; // no third part`,
	"->getParts":         `parts: echo length($mail->getParts()); // 2`,
	"->getErrors":        `echo MailMessage::String("no field\r\n\r\n")->getErrors(); // [0=>"bad_header"]`,
	"->setHeader":        `text: $mail->setHeader("Subject", "Bye"); echo $mail->toString() =~ #/^Subject: Bye\r\n/; // true`,
	"->addHeader":        `text: $mail->addHeader("X-Seen", "yes"); echo length($mail->toString()); // 35`,
	"->delHeader":        `text: echo $mail->delHeader("Subject"); // 1`,
	"->renameHeader":     `text: echo $mail->renameHeader("Subject", "X-Subject"); // 1`,
	"->setDateLater":     `text: $mail->setDateLater(); echo MailMessage::String($mail->toString())->getHeaderNames(); // [0=>"subject",1=>"date"]`,
	"->setBody":          `text: $mail->setBody("Bye"); echo MailMessage::String($mail->toString())->getBody(); // Bye`,
	"->setPreamble":      `parts: $mail->setPreamble("1st"); echo MailMessage::String($mail->toString())->getPreamble(); // 1st`,
	"->setEpilogue":      `parts: $mail->setEpilogue("end"); echo MailMessage::String($mail->toString())->getEpilogue(); // end`,
	"->remove": `parts: foreach ($mail->findByFileName("\\.pdf$") as $part) $part->remove();
echo length(MailMessage::String($mail->toString())->getParts()); // 1`,
	"->prependPart": `parts: $mail->getByID("1")->prependPart(MIME()->setBody("notice")); echo MailMessage::String($mail->toString())->getByID("1")->getBody(); // notice`,
	"->appendPart":  `parts: $mail->getByID("2")->appendPart(MIME()->setBody("footer")); echo MailMessage::String($mail->toString())->getByID("3")->getBody(); // footer`,
	"->replacePart": `parts: $mail->getByID("2")->replacePart(MIME()->setBody("It was removed.")); echo MailMessage::String($mail->toString())->getByID("2")->getBody(); // It was removed.`,
})

// messageExamples are those of the methods of whole messages.
var messageExamples = withMessages(map[string]string{
	"->reset":         `text: $mail->setHeader("Subject", "Bye"); echo $mail->reset(); // 1`,
	"->snapshot":      `text: $id = $mail->snapshot(); $mail->delHeader("Subject"); $mail->restore($id); echo length($mail->toString()); // 22`,
	"->restore":       `text: echo $mail->restore(99); // false`,
	"->modifyContent": `text: $mail->modifyContent(9, 2, "Yo"); echo MailMessage::String($mail->toString())->getHeader("Subject"); // Yo`,
	"->toFile":        `text: echo $mail->toFile()->readline(); // Subject: Hi`,
	"->toString":      `text: echo length($mail->toString()); // 22`,
	"->signDKIM":      `text: $mail->signDKIM("mail", "example.com", "pki:mail"); echo $mail->toString() =~ #/^DKIM-Signature: /; // true`,
	"->verifyDKIM":    `text: echo length($mail->verifyDKIM()); // 0`,
	"->send":          `text: $answer = $mail->send("ann@example.com", ["joe@example.net"], ["host" => "mx.example.net"]); echo $answer["result"]["code"]; // 250`,
	"->queue":         `text: echo $mail->queue("ann@example.com", "joe@example.net", "out")["queue"]; // 1`,
})

// mailMessageExamples are those of what makes a MailMessage.
var mailMessageExamples = map[string]string{
	"::String": `echo MailMessage::String("Subject: Hi\r\n\r\n")->getHeader("Subject"); // Hi`,
	"::File":   `echo MailMessage::File(File::String("Subject: Hi\r\n\r\n"))->getHeader("Subject"); // Hi`,
}

// mimeExamples are those of the methods of MIME.
var mimeExamples = map[string]string{
	"->addHeader":      `$m = MIME()->addHeader("Subject", "Hi"); echo MailMessage::String($m->toString())->getHeader("Subject"); // Hi`,
	"->appendPart":     `$m = MIME()->appendPart(MIME()->setBody("one"))->appendPart(MIME()->setBody("two")); echo MailMessage::String($m->toString())->getType(); // multipart/mixed`,
	"->setBody":        `echo MailMessage::String(MIME()->setBody("Hello")->toString())->getBody(); // Hello`,
	"->setType":        `$m = MIME()->setType("text/html")->setBody("<b>Hello</b>"); echo MailMessage::String($m->toString())->getType(); // text/html`,
	"->setBoundary":    `$m = MIME()->setType("multipart/alternative")->setBoundary("b42")->appendPart(MIME()->setBody("x")); echo MailMessage::String($m->toString())->getTypeParameter("boundary"); // b42`,
	"->setDate":        `$m = MIME()->setDate(86400 * 2); echo MailMessage::String($m->toString())->getHeader("Date") =~ #/ Jan 1970 /; // true`,
	"->setFileName":    `$m = MIME()->setFileName("a.txt")->setBody("x"); echo MailMessage::String($m->toString())->getHeader("Content-Disposition"); // attachment; filename=a.txt`,
	"->setDisposition": `$m = MIME()->setFileName("a.txt")->setDisposition("inline"); echo MailMessage::String($m->toString())->getHeader("Content-Disposition"); // inline; filename=a.txt`,
	"->signDKIM":       `$m = MIME()->addHeader("Subject", "Hi")->setBody("Hello")->signDKIM("mail", "example.com", "pki:mail"); echo $m->toString() =~ #/^DKIM-Signature: /; // true`,
	"->toString":       `echo length(MIME()->addHeader("A", "b")->toString()) > 6; // true`,
	"->toFile":         `echo MIME()->addHeader("A", "b")->toFile()->readline(); // A: b`,
	"->queue":          `$ids = MIME()->addHeader("Subject", "Hi")->setBody("Hello")->queue("ann@example.com", "joe@example.net", "out"); echo $ids["queue"]; // 1`,
	"->send":           `$answer = MIME()->addHeader("Subject", "Hi")->setBody("Hello")->send("ann@example.com", ["joe@example.net"], "out"); echo $answer["result"]["code"]; // 250`,
}
