package mail

import (
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/build"
	"github.com/posthaste-mta/posthaste/internal/message/field"
)

// EODFunctions are functions of older scripts for the message at the end of its
// transaction (spec hsl-stdlib.md 21). The Host of the thread is a Current.
func EODFunctions() []*value.Builtin {
	of := func(f func(*value.Call, *Message) (value.Value, error)) declare.Func {
		return func(c *value.Call) (value.Value, error) {
			m := c.Host.(Current).CurrentMail()
			if err := m.check(c); err != nil {
				return value.None, err
			}
			return f(c, m)
		}
	}
	verify := declare.Function("DKIMVerify(string headerfield, [array options]) array",
		"Checks a signature of the message.",
		`$no_keys = function ($name) { return []; };
if (DKIMVerify("DKIM-Signature: v=1", ["dns_function" => $no_keys])["result"] != "pass")
	Reject("the signature is no good");`, of(verifyDKIM), verifyOptions...)
	verify.Deprecated = `Use verifyDKIM of $arguments["mail"].`
	sign := declare.Function("DKIMSign(string selector, string domain, resource or string key, [array options]) EODMailMessage or string or none",
		"Signs the message.",
		`if (DKIMSign("mail", "example.org", "no key") === none)
	Defer("the key cannot be read");`, of(signMessage), mailSignOptions...)
	sign.Deprecated = `Use signDKIM of $arguments["mail"].`
	return []*value.Builtin{verify, sign}
}

// mailFunction is the function mail of older scripts.
func (k *Kit) mailFunction() *value.Builtin {
	options := append([]value.Option{
		declare.Option("string sender_name", "The name of the sender in From."),
		declare.Option("string recipient_name", "The name of the recipient in To."),
		declare.Option("array headers", "Further fields, as name and value."),
	}, queueOptions...)
	b := declare.Function("mail(string or array sender, string or array recipient, string subject, string body, string transportid, [array options]) string",
		"Queues a text for one recipient and returns the id of the message.",
		`$id = mail("ann@example.com", "joe@example.net", "Hi", "Hello", "out"); echo length($id); // 36`, k.mailText, options...)
	b.Deprecated = "Use MIME and its queue."
	return b
}

func (k *Kit) mailText(c *value.Call) (value.Value, error) {
	// The arguments of queue stand in other places here.
	inner := *c
	inner.Args = []value.Value{c.Args[0], c.Args[1], c.Args[4], c.Args[5]}
	b := *c.Builtin
	b.Params = []value.Param{b.Params[0], b.Params[1], b.Params[4], b.Params[5]}
	inner.Builtin = &b
	r, err := recipient(&inner)
	if err != nil {
		return value.None, err
	}
	o := c.Options(5)
	p := build.New()
	p.SetDate(time.Now())
	p.SetBody(c.Str(3))
	fields := [][2]string{
		{"From", mailbox(o.Get("sender_name").Str(), r.Sender.String())},
		{"To", mailbox(o.Get("recipient_name").Str(), r.Address.String())},
		{"Subject", c.Str(2)},
	}
	if own := o.Array("headers"); own != nil {
		for name, v := range own.All() {
			fields = append(fields, [2]string{name.Text(), v.Text()})
		}
	}
	for _, f := range fields {
		if err := p.AddHeader(f[0], f[1], field.Q); err != nil {
			return value.None, failed(c, err)
		}
	}
	m, err := p.Message()
	if err != nil {
		return value.None, failed(c, err)
	}
	v, err := k.queue(c, r, m, m.Header())
	if err != nil {
		return value.None, err
	}
	id, _ := v.Array().GetString("transaction")
	return id, nil
}

// mailbox returns an address with a name.
func mailbox(name, address string) string {
	if name == "" {
		return "<" + address + ">"
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" <` + address + ">"
}
