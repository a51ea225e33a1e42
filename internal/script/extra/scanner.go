package extra

import (
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func spamLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("spamc(File fp, [array options]) array",
			"Asks SpamAssassin (spamd) about a message. Returns an array of spam (whether it is), score, threshold and symbols, or of error.",
			`echo array_keys(spamc(File::String("Subject: x\r\n\r\n"), ["port" => 1])); // [0=>"error"]`, spamc,
			declare.Option("string path", "The socket of spamd on this host."),
			declare.Option(`string address = "127.0.0.1"`, "The address of spamd."),
			declare.Option("number port = 783", "Its port."),
			declare.Option("string user", "For whom it is scanned."),
			declare.Option("string sender", "The envelope sender, which spamd sees as a field Return-Path."),
			declare.Option("number size_limit = 512000", "Larger messages are not scanned and give an error."),
			declare.Option("number timeout = 30", "Seconds for all of it."),
			declare.Option("array tls", "An array of enabled and opts, the options of TLSSocket."),
			declare.Option("boolean report = false", "Symbols is an array of scores by name instead of a list of names."),
			declare.Option("boolean symbols_unparsed = false", "Symbols is the text as spamd wrote it.")),
	})
}

// spamc speaks the protocol of spamd: SYMBOLS and REPORT of SPAMC/1.5.
func spamc(c *value.Call) (value.Value, error) {
	o := c.Options(1)
	message, err := content(c, 0)
	if err != nil {
		return value.None, err
	}
	if sender := o.Str("sender"); o.Has("sender") && !strings.ContainsAny(sender, "\r\n") {
		message = "Return-Path: <" + sender + ">\r\n" + message
	}
	if len(message) > o.Int("size_limit") {
		return failure(c, errors.New("content too large"))
	}
	p := peer{path: o.Str("path"), address: o.Str("address"), port: o.Int("port"), timeout: span(o.Num("timeout"))}
	if enabled, _ := o.Array("tls").GetString("enabled"); enabled.Truth() {
		given, _ := o.Array("tls").GetString("opts")
		if p.tls = given.Array(); p.tls == nil {
			p.tls = value.NewArray(0)
		}
	}
	command := "SYMBOLS"
	if o.Bool("report") {
		command = "REPORT"
	}
	head := fmt.Sprintf("%s SPAMC/1.5\r\nContent-length: %d\r\n", command, len(message))
	if user := o.Str("user"); user != "" && !strings.ContainsAny(user, "\r\n") {
		head += "User: " + user + "\r\n"
	}
	answer, err := p.converse(c.Context(), head+"\r\n", message)
	if err != nil {
		return failure(c, err)
	}
	result, err := spamResult(answer, o.Bool("report"), o.Bool("symbols_unparsed"))
	if err != nil {
		return failure(c, err)
	}
	return declare.Array(c, result)
}

// spamVerdict is the field Spam of an answer.
var spamVerdict = regexp.MustCompile(`(?im)^Spam: *(\w+) *; *(-?[\d.]+) */ *(-?[\d.]+)`)

// spamScore is a line of a report: points and the name of a rule.
var spamScore = regexp.MustCompile(`(?m)^\s*(-?\d+(?:\.\d+)?)\s+([A-Z][A-Z0-9_]+)\b`)

func spamResult(answer string, report, unparsed bool) (*value.Array, error) {
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	status, _, _ := strings.Cut(head, "\r\n")
	verdict := spamVerdict.FindStringSubmatch(head)
	switch {
	case answer == "":
		return nil, errors.New("no scan result")
	case !strings.HasSuffix(strings.TrimSpace(status), "EX_OK") || verdict == nil:
		return nil, fmt.Errorf("bad scan result: %q", status)
	}
	score, _ := strconv.ParseFloat(verdict[2], 64)
	threshold, _ := strconv.ParseFloat(verdict[3], 64)
	return value.Map("spam", value.Boolean(strings.EqualFold(verdict[1], "true")), "score", value.Number(score),
		"threshold", value.Number(threshold), "symbols", spamSymbols(body, report, unparsed)), nil
}

func spamSymbols(body string, report, unparsed bool) value.Value {
	switch {
	case unparsed:
		return value.String(body)
	case report:
		scores := value.NewArray(0)
		for _, m := range spamScore.FindAllStringSubmatch(body, -1) {
			points, _ := strconv.ParseFloat(m[1], 64)
			scores.SetString(m[2], value.Number(points))
		}
		return value.FromArray(scores)
	}
	return value.FromArray(value.Strings(strings.FieldsFunc(body, func(r rune) bool { return r == ',' || r <= ' ' })))
}

func clamLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("clamav(File fp, [array options]) array",
			"Has ClamAV (clamd) scan a file. Returns an empty array if it is clean, and otherwise one of virus, a list of names, or of error.",
			`echo array_keys(clamav(File::String("Subject: x\r\n\r\n"), ["address" => "127.0.0.1", "port" => 1])); // [0=>"error"]`, clamav,
			declare.Option(`string path = "/var/run/clamav/clamd.ctl"`, "The socket of clamd on this host."),
			declare.Option("string address", "The address of clamd, in place of a socket."),
			declare.Option("number port = 3310", "Its port."),
			declare.Option("number timeout = 5", "Seconds for all of it."),
			declare.Option("boolean rfc822 = true", "The file is a message: clamd is made to see that, whatever its first field is.")),
	})
}

// clamChunk is what one piece of INSTREAM holds at most.
const clamChunk = 1 << 20

// clamav speaks the protocol of clamd (clamd(8), INSTREAM).
func clamav(c *value.Call) (value.Value, error) {
	o := c.Options(1)
	data, err := content(c, 0)
	if err != nil {
		return value.None, err
	}
	p := peer{path: o.Str("path"), timeout: span(o.Num("timeout"))}
	if o.Has("address") {
		p = peer{address: o.Str("address"), port: o.Int("port"), timeout: p.timeout}
	}
	say := []string{"zINSTREAM\x00"}
	if o.Bool("rfc822") {
		say = append(say, clamPiece("Return-Path: <>\r\n")) // one of the fields that clamd knows mail by
	}
	for len(data) > 0 {
		n := min(len(data), clamChunk)
		say = append(say, clamPiece(data[:n]))
		data = data[n:]
	}
	answer, err := p.converse(c.Context(), append(say, clamPiece(""))...)
	if err != nil && answer == "" { // clamd may answer before it has read all
		return failure(c, err)
	}
	return clamResult(c, answer)
}

func clamPiece(text string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(text)))) + text
}

func clamResult(c *value.Call, answer string) (value.Value, error) {
	var found []string
	for line := range strings.SplitSeq(strings.TrimRight(answer, "\x00\n"), "\x00") {
		_, text, ok := strings.Cut(line, ": ")
		switch name, word := lastWord(text); {
		case ok && text == "OK":
		case ok && word == "FOUND":
			found = append(found, name)
		default:
			return failure(c, fmt.Errorf("clamd says %q", strings.TrimSuffix(line, " ERROR")))
		}
	}
	if found == nil {
		return value.FromArray(value.NewArray(0)), nil
	}
	return declare.Array(c, value.Map("virus", value.FromArray(value.Strings(found))))
}

func lastWord(text string) (before, last string) {
	i := strings.LastIndexByte(text, ' ')
	return text[:max(i, 0)], text[i+1:]
}
