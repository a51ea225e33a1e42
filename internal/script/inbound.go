package script

import (
	"encoding/binary"
	"net/netip"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// The functions of each phase of a session: one table per phase, as the pages
// of spec hsl-phases.md 2 to 9 have them.

var connectBuiltins = []*value.Builtin{
	accepting("Accept", "Lets the client in.", `if ($arguments["remoteip"] == "192.0.2.1")
	Accept(["remoteptr" => "mx.example.com", "reason" => "mail.example.net at your service"]);`,
		[]value.Option{
			{Name: "reason", Type: value.StringType | value.ArrayType, Doc: "the text of the banner"},
			{Name: "remoteip", Type: value.StringType, Doc: "address that stands for the client's from now on"},
			{Name: "remoteptr", Type: value.StringType, Doc: "name that stands for the client's from now on"},
			codesOption,
		}, acceptConnect),
	rejectBuiltin(`if ($arguments["remoteip"] == "192.0.2.1")
	Reject("we have enough of you", ["reply_codes" => ["code" => 554, "enhanced" => [5, 7, 1]]]);`, func(v session.Verdict) any { return session.ConnectVerdict{Verdict: v} }),
	deferBuiltin(`if (!isset($arguments["remoteptr"]))
	Defer("come back with a name", ["reply_codes" => ["enhanced" => [4, 7, 25]]]);`, func(v session.Verdict) any { return session.ConnectVerdict{Verdict: v} }),
}

func acceptConnect(o value.Options) (any, error) {
	v := session.ConnectVerdict{Verdict: accepted(o), RemotePTR: o.Get("remoteptr").Text()}
	if !o.Has("remoteptr") {
		v.RemotePTR = ""
	}
	if o.Has("remoteip") {
		ip, err := netip.ParseAddr(o.Str("remoteip"))
		if err != nil {
			return nil, value.Errorf("Accept: remoteip: %q is not an IP address", o.Str("remoteip"))
		}
		v.RemoteIP = ip
	}
	return v, nil
}

var proxyBuiltins = []*value.Builtin{
	accepting("Pass", "Hands the command to the server.", `// See each command until the client has logged in.
Pass(["next" => !isset($connection["auth"])]);`,
		[]value.Option{
			{Name: "command", Type: value.StringType, Doc: "line to interpret instead"},
			nextOption,
		}, func(o value.Options) (any, error) {
			v := session.ProxyVerdict{Next: o.Bool("next")}
			if o.Has("command") {
				v.Command = o.Str("command")
			}
			return v, nil
		}),
	{
		Name: "Reply", Doc: "Answers in place of the server. Ends the script.", Example: `if ($arguments["command"] =~ #/^(NOOP|EXPN)\b/i)
	Reply("not here", ["reply_codes" => ["code" => 502, "enhanced" => [5, 5, 1]], "next" => true]);`, Terminates: true, Returns: value.NoneType,
		Params: []value.Param{reasonParam, {Name: "options", Type: value.ArrayType, Optional: true,
			Options: []value.Option{disconnectOption, codesOption, nextOption}}},
		Func: func(c *value.Call) (value.Value, error) {
			o := c.Options(1)
			v := session.ProxyVerdict{Next: o.Bool("next")}
			v.Action, v.Disconnect, v.Reply = session.Reply, o.Bool("disconnect"), replyOf(o)
			v.Reply.Lines = linesOf(c.Args[0])
			return exit(c, v)
		},
	},
}

var nextOption = value.Option{Name: "next", Type: value.BooleanType, Default: value.False, Doc: "run for the next command too"}

var heloBuiltins = []*value.Builtin{
	accepting("Accept", "Takes the greeting.", `// It says that it can do pipelining, and cannot.
if ($arguments["host"] == "me.example")
	Accept(["extensions" => array_filter(function ($x) { return $x != "PIPELINING"; }, $arguments["extensions"])]);`,
		[]value.Option{
			reasonOption, codesOption,
			{Name: "extensions", Type: value.ArrayType, Doc: "exactly those to announce; ignored for HELO"},
			{Name: "host", Type: value.StringType, Doc: "name that stands for the client's from now on"},
		}, func(o value.Options) (any, error) {
			v := session.HeloVerdict{Verdict: accepted(o)}
			if o.Has("host") {
				v.Host = o.Str("host")
			}
			if list := o.Array("extensions"); list != nil {
				v.Extensions = []string{}
				for keyword := range list.Values() {
					v.Extensions = append(v.Extensions, keyword.Text())
				}
			}
			return v, nil
		}),
	rejectBuiltin(`if ($arguments["host"] == "me.example")
	Reject("that is our name", ["disconnect" => true]);`, func(v session.Verdict) any { return session.HeloVerdict{Verdict: v} }),
	deferBuiltin(`if (!isset($connection["remoteptr"]) and $arguments["verb"] == "EHLO")
	Defer(["who are you?", "try again later"]);`, func(v session.Verdict) any { return session.HeloVerdict{Verdict: v} }),
}

var authBuiltins = []*value.Builtin{
	accepting("Accept", "Takes the client for who it says it is.", `if ($arguments["username"] == "joe" and $arguments["password"] == "pw")
	Accept(["username" => "joe@example.net"]);`,
		[]value.Option{
			reasonOption, codesOption,
			{Name: "username", Type: value.StringType, Doc: "who it is; wanted for mechanisms that the server does not decode"},
		}, func(o value.Options) (any, error) {
			v := session.AuthVerdict{Verdict: accepted(o)}
			if o.Has("username") {
				v.Username = o.Str("username")
			}
			return v, nil
		}),
	rejectBuiltin(`if (!isset($connection["tls"]))
	Reject("not without TLS", ["reply_codes" => ["code" => 538, "enhanced" => [5, 7, 11]]]);`, func(v session.Verdict) any { return session.AuthVerdict{Verdict: v} }),
	deferBuiltin(`$accounts = none; // the database does not answer
if (!is_array($accounts))
	Defer("logins do not work at the moment");`, func(v session.Verdict) any { return session.AuthVerdict{Verdict: v} }),
	{
		Name: "Reply", Doc: "Sends a challenge; the script runs again with the client's response. Ends the script.", Example: `if ($arguments["mechanism"] == "LOGIN-TOKEN" and $arguments["state"] == 0)
	Reply("VG9rZW46"); // "Token:" in Base64`,
		Terminates: true, Returns: value.NoneType,
		Params: []value.Param{
			{Name: "reply", Type: value.StringType, Optional: true, Default: value.String("")},
			{Name: "options", Type: value.ArrayType, Optional: true, Options: []value.Option{disconnectOption, codesOption}},
		},
		Func: func(c *value.Call) (value.Value, error) {
			o := c.Options(1)
			v := session.AuthVerdict{}
			v.Action, v.Disconnect, v.Reply = session.Reply, o.Bool("disconnect"), replyOf(o)
			v.Reply.Lines = []string{c.Str(0)}
			return exit(c, v)
		},
	},
}

var mailBuiltins = []*value.Builtin{
	accepting("Accept", "Takes the sender.", `if ($arguments["address"]["domain"] == "example.org")
	Accept(["sender" => ["localpart" => str_lower($arguments["address"]["localpart"]), "domain" => "example.com"]]);`,
		[]value.Option{
			reasonOption, codesOption,
			{Name: "sender", Type: addressType, Doc: "stands for the sender in the whole transaction"},
		}, func(o value.Options) (any, error) {
			v := session.MailVerdict{Verdict: accepted(o)}
			var err error
			v.Sender, err = replacement(o, "sender")
			return v, err
		}),
	rejectBuiltin(`if (!isset($connection["auth"]) and $arguments["address"]["domain"] == "example.org")
	Reject("log in to send as one of us", ["reply_codes" => ["code" => 550, "enhanced" => [5, 7, 1]]]);`, func(v session.Verdict) any { return session.MailVerdict{Verdict: v} }),
	deferBuiltin(`if (isset($arguments["params"]["SIZE"]) and $arguments["params"]["SIZE"] > 9)
	Defer("no room for that much", ["reply_codes" => ["code" => 452, "enhanced" => [4, 3, 1]]]);`, func(v session.Verdict) any { return session.MailVerdict{Verdict: v} }),
}

var rcptBuiltins = []*value.Builtin{
	accepting("Accept", "Takes the recipient.", `if ($arguments["recipient"] == "joe@example.net")
	Accept(["recipient" => "joe.smith@example.net", "transportid" => "inside"]);`,
		[]value.Option{
			reasonOption, codesOption,
			{Name: "recipient", Type: addressType, Doc: "stands for the recipient from now on"},
			{Name: "transportid", Type: value.StringType, Doc: "transport for this recipient"},
		}, func(o value.Options) (any, error) {
			v := session.RcptVerdict{Verdict: accepted(o)}
			if o.Has("transportid") {
				v.Transport = o.Str("transportid")
			}
			var err error
			v.Recipient, err = replacement(o, "recipient")
			return v, err
		}),
	rejectBuiltin(`if (!array_includes($arguments["recipient"], ["ann@example.net", "bob@example.net"]))
	Reject("nobody of that name", ["reply_codes" => ["code" => 550, "enhanced" => [5, 1, 1]]]);`, func(v session.Verdict) any { return session.RcptVerdict{Verdict: v} }),
	deferBuiltin(`if (length($transaction["recipients"]) > 0)
	Defer("one recipient at a time", ["reply_codes" => ["code" => 452, "enhanced" => [4, 5, 3]]]);`, func(v session.Verdict) any { return session.RcptVerdict{Verdict: v} }),
}

var eodBuiltins = append([]*value.Builtin{
	accepting("Accept", "Takes the message, with everything that was queued.", `foreach ($transaction["recipients"] as $r)
	$arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["transportid"]);
Accept(["reason" => "it will be delivered"]);`,
		[]value.Option{reasonOption, codesOption},
		func(o value.Options) (any, error) { return accepted(o), nil }),
	rejectBuiltin(`if ($arguments["mail"]->getHeader("From") === none)
	Reject("it has no From", ["reply_codes" => ["code" => 550, "enhanced" => [5, 6, 0]]]);`, func(v session.Verdict) any { return v }),
	deferBuiltin(`$scanner = none; // no answer
if ($scanner === none)
	Defer("it cannot be scanned now");`, func(v session.Verdict) any { return v }),
}, mail.EODFunctions()...)

var disconnectBuiltins = []*value.Builtin{
	accepting("Pass", "Has nothing to decide.", `if (isset($arguments["error"]))
	echo "lost: " . $arguments["error"]["reason"];
Pass();`,
		nil, func(value.Options) (any, error) { return nil, nil }),
}

// replacement reads an address option; nil where it is not given.
func replacement(o value.Options, name string) (*address.Address, error) {
	if !o.Has(name) {
		return nil, nil
	}
	a, err := parseAddress(o.Get(name))
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// Arguments of the phases, each with the keys of its page.

func connectArguments(c *session.Connection) value.Value {
	return record(
		"remoteip", ip(c.Remote.Addr()), "remoteport", port(c.Remote),
		"remoteptr", optional(c.PTR.Name), "remoteuid", uid(c),
		"localip", ip(c.Local.Addr()), "localport", port(c.Local), "serverid", value.String(c.ServerID),
		"proxyip", ip(c.Proxy), "proxytlv", tlvs(c),
	)
}

// tlvs are the extra facts of a PROXY v2 header as its bytes, which the module
// proxytlv reads.
func tlvs(c *session.Connection) value.Value {
	if len(c.TLVs) == 0 {
		return value.Undefined
	}
	var b []byte
	for _, t := range c.TLVs {
		b = append(b, t.Type)
		b = binary.BigEndian.AppendUint16(b, uint16(len(t.Value)))
		b = append(b, t.Value...)
	}
	return value.Bytes(b)
}

func heloArguments(c *session.Connection, extensions []string) value.Value {
	list := value.Undefined
	if extensions != nil {
		list = value.FromArray(value.Strings(extensions))
	}
	return record("verb", value.String(c.Helo.Verb), "host", value.String(c.Helo.Host), "extensions", list)
}

func authArguments(a *session.Authentication) value.Value {
	if a.Mechanism == "PLAIN" || a.Mechanism == "LOGIN" {
		return record("mechanism", value.String(a.Mechanism),
			"username", value.String(a.Username), "password", value.String(a.Password))
	}
	response := value.Undefined
	if a.Response != nil {
		response = value.Bytes(a.Response)
	}
	return record("mechanism", value.String(a.Mechanism), "state", number(a.State), "response", response)
}

func mailArguments(t *session.Transaction) value.Value {
	return record("sender", folded(t.Sender), "address", addressValue(t.Sender), "params", params(t.Params))
}

func rcptArguments(r *session.Recipient) value.Value {
	return record("recipient", folded(r.Address), "address", addressValue(r.Address),
		"params", params(r.Params), "transportid", optional(r.Transport))
}

func disconnectArguments(end session.Closing) value.Value {
	who := "remote"
	if end.Local {
		who = "local"
	}
	return record("close", value.String(who), "reply", replyValue(end), "error", endError(end))
}

func replyValue(end session.Closing) value.Value {
	if end.Reply.IsZero() {
		return value.Undefined
	}
	return record("code", number(end.Reply.Code), "enhanced", enhanced(end.Reply.Enhanced),
		"reason", value.FromArray(value.Strings(end.Reply.Lines)), "state", value.String(end.State))
}

func endError(end session.Closing) value.Value {
	if end.Err == nil {
		return value.Undefined
	}
	kind := "socket"
	if end.TLS {
		kind = "tls"
	}
	return record("reason", value.String(end.Err.Error()), "type", value.String(kind), "code", errno(end.Err))
}

func enhanced(e smtp.EnhancedCode) value.Value {
	if e.IsZero() {
		return value.Undefined
	}
	return value.FromArray(value.List(number(e[0]), number(e[1]), number(e[2])))
}
