package sink

import (
	"bytes"
	"errors"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// errExchange says that the peer gave up an exchange, or that what it sent makes
// no sense.
var errExchange = &smtp.SyntaxError{Code: 501, Enhanced: smtp.EnhancedCode{5, 5, 2}, Text: "cancelled or malformed"}

// auth accepts whoever comes (RFC 4954). Passwords are neither kept nor shown.
func (c *conn) auth(arg string) error {
	switch {
	case !c.sink.options.Auth:
		return c.violation("502 5.5.1 AUTH is not offered\r\n")
	case c.helo == "" || c.authenticated || c.tx.active: // RFC 4954 §4
		return c.violation("503 5.5.1 not now\r\n")
	}
	request, err := smtp.ParseAuth(arg)
	if err != nil {
		return c.syntaxError(err)
	}
	var username string
	switch request.Mechanism {
	case "PLAIN":
		username, err = c.authPlain(request.Initial)
	case "LOGIN":
		username, err = c.authLogin(request.Initial)
	default:
		return c.violation("504 5.5.4 unknown mechanism\r\n")
	}
	if err != nil {
		return c.syntaxError(err)
	}
	v := c.judge(PhaseAuth)
	if err := c.enact(v); err != nil {
		return err
	}
	if v.accepts(2) {
		c.authenticated, c.username = true, username
	}
	return c.answer(v, "235 2.7.0 whoever you are\r\n")
}

// authPlain reads authorisation identity, user name and password, with NULs
// between them (RFC 4616 §2).
func (c *conn) authPlain(initial []byte) (username string, err error) {
	response, err := c.challenge(initial, "334 \r\n")
	if err != nil {
		return "", err
	}
	fields := bytes.Split(response, []byte{0})
	if len(fields) != 3 {
		return "", errExchange
	}
	return string(fields[1]), nil
}

func (c *conn) authLogin(initial []byte) (username string, err error) {
	name, err := c.challenge(initial, "334 VXNlcm5hbWU6\r\n") // "Username:"
	if err != nil {
		return "", err
	}
	_, err = c.challenge(nil, "334 UGFzc3dvcmQ6\r\n") // "Password:"
	return string(name), err
}

// challenge returns the initial response, or asks for one if it is nil.
func (c *conn) challenge(initial []byte, prompt string) ([]byte, error) {
	if initial != nil {
		return initial, nil
	}
	if err := c.send(prompt); err != nil {
		return nil, err
	}
	line, err := c.in.ReadLine(smtp.MaxAuth)
	switch {
	case errors.Is(err, smtp.ErrLongLine), err == nil && string(line) == "*":
		return nil, errExchange
	case err != nil:
		return nil, err
	}
	return smtp.DecodeResponse(string(line))
}
