package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// client is one SMTP connection of a test, spoken by hand.
type client struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// dial connects and reads the greeting.
func dial(t testing.TB, address string) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	must(t, err)
	c := newClient(t, conn)
	c.expect("220")
	return c
}

func newClient(t testing.TB, conn net.Conn) *client {
	t.Helper()
	must(t, conn.SetDeadline(time.Now().Add(patience)))
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// reply reads one reply, of any number of lines.
func (c *client) reply() (string, error) {
	var all strings.Builder
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return all.String(), err
		}
		all.WriteString(line)
		if len(line) < 4 || line[3] != '-' {
			return strings.ReplaceAll(strings.TrimSpace(all.String()), "\r\n", "\n"), nil
		}
	}
}

// expect reads a reply that begins with want.
func (c *client) expect(want string) string {
	c.t.Helper()
	got, err := c.reply()
	if err != nil || !strings.HasPrefix(got, want) {
		c.t.Fatalf("reply %q, %v; want %s", got, err, want)
	}
	return got
}

func (c *client) write(text string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// say sends a command and expects a reply.
func (c *client) say(command, want string) string {
	c.t.Helper()
	c.write(command + "\r\n")
	got, err := c.reply()
	if err != nil || !strings.HasPrefix(got, want) {
		c.t.Fatalf("%s was answered %q, %v; want %s", command, got, err, want)
	}
	return got
}

// ehlo greets and returns the extensions that are announced.
func (c *client) ehlo() []string {
	c.t.Helper()
	var offered []string
	for line := range strings.Lines(c.say("EHLO client.test", "250")) {
		offered = append(offered, strings.TrimSpace(line[4:]))
	}
	return offered[1:]
}

// startTLS changes to TLS; the name goes into SNI.
func (c *client) startTLS(name string) *tls.Conn {
	c.t.Helper()
	c.say("STARTTLS", "220")
	conn := tls.Client(c.conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}) // the test compares the certificate itself
	must(c.t, conn.Handshake())
	c.conn, c.in = conn, bufio.NewReader(conn)
	return conn
}

// send sends one message after EHLO and returns the id that it is queued under.
func (c *client) send(from string, to ...string) (id string) {
	c.t.Helper()
	c.say("MAIL FROM:<"+from+">", "250")
	for _, r := range to {
		c.say("RCPT TO:<"+r+">", "250")
	}
	c.say("DATA", "354")
	reply := c.say("Subject: test\r\n\r\nText.\r\n.", "250")
	fields := strings.Fields(reply)
	return fields[len(fields)-1]
}

// submit sends one message on a connection of its own.
func submit(t testing.TB, address, from string, to ...string) (id string) {
	t.Helper()
	c := dial(t, address)
	c.ehlo()
	id = c.send(from, to...)
	c.say("QUIT", "221")
	c.conn.Close()
	return id
}

func expectOffered(t testing.TB, offered []string, name string, want bool) {
	t.Helper()
	has := slices.ContainsFunc(offered, func(s string) bool { return s == name || strings.HasPrefix(s, name+" ") })
	if has != want {
		t.Errorf("%s announced: %v, want %v; the list is %s", name, has, want, fmt.Sprint(offered))
	}
}
