package extra

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func dovecotLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("dovecot_auth(array options, string username, string password) number",
			"Asks Dovecot whether a password is right. Returns 1 if it is, 0 if it is not, and -1 if Dovecot cannot say.",
			`echo dovecot_auth(["port" => 1], "joe", "secret"); // -1`, dovecot,
			declare.Option("string path", "The socket of Dovecot's authentication on this host, in place of an address."),
			declare.Option(`string address = "127.0.0.1"`, "The address of Dovecot."),
			declare.Option("number port = 12345", "Its port."),
			declare.Option("number timeout = 5", "Seconds for all of it."),
			declare.Option(`string service = "smtp"`, "What the user wants to use."),
			declare.Option("string rip", "The address of the client."),
			declare.Option("string lip", "The address that it came to."),
			declare.Option("boolean secured = false", "Whether the client uses TLS.")),
	})
}

// The answers of dovecot_auth.
const (
	passwordRight   = 1
	passwordWrong   = 0
	passwordUnknown = -1
)

func dovecot(c *value.Call) (value.Value, error) {
	o := c.Options(0)
	p := peer{path: o.Str("path"), address: o.Str("address"), port: o.Int("port"), timeout: span(o.Num("timeout"))}
	request, err := dovecotRequest(o, c.Str(1), c.Str(2))
	if err != nil {
		return value.Int(passwordWrong), nil
	}
	conn, err := p.dial(c.Context())
	if err == nil {
		defer conn.Close()
		var right bool
		if right, err = dovecotAsk(conn, request); err == nil {
			return value.Int(map[bool]int{true: passwordRight, false: passwordWrong}[right]), nil
		}
	}
	if c.Context().Err() != nil {
		return value.None, c.Interrupted(err)
	}
	return value.Int(passwordUnknown), nil
}

var errForbidden = errors.New("dovecot: a byte that the protocol cannot carry")

// dovecotRequest is the client's half of the protocol, version 1.
func dovecotRequest(o value.Options, user, password string) (string, error) {
	auth := "AUTH\t1\tPLAIN\tservice=" + o.Str("service")
	if o.Bool("secured") {
		auth += "\tsecured"
	}
	for _, name := range []string{"lip", "rip"} {
		if o.Has(name) {
			auth += "\t" + name + "=" + o.Str(name)
		}
	}
	if strings.ContainsAny(auth[len("AUTH\t1\tPLAIN\t"):], "\n\r\x00") || strings.ContainsRune(user+password, 0) {
		return "", errForbidden
	}
	response := base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + password))
	return fmt.Sprintf("VERSION\t1\t0\nCPID\t%d\n%s\tresp=%s\n", os.Getpid(), auth, response), nil
}

// dovecotAsk says the request once the server has greeted, and reads its answer.
func dovecotAsk(conn net.Conn, request string) (right bool, err error) {
	lines := bufio.NewReader(io.LimitReader(conn, 64<<10))
	sent := false
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return false, err
		}
		verb, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case verb == "VERSION" && !strings.HasPrefix(rest, "1\t"):
			return false, fmt.Errorf("dovecot: speaks version %s", rest)
		case verb == "DONE" && !sent:
			sent = true
			if _, err := io.WriteString(conn, request); err != nil {
				return false, err
			}
		case verb == "OK" && sent:
			return true, nil
		case verb == "FAIL" && sent:
			if strings.Contains(rest+"\t", "\ttemp\t") {
				return false, errors.New("dovecot: cannot tell now")
			}
			return false, nil
		case verb == "CONT" && sent:
			return false, errors.New("dovecot: wants more than PLAIN gives")
		}
	}
}
