package acme

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// haproxyTimeout bounds one command.
const haproxyTimeout = 5 * time.Second

// mostReply bounds what is read of an answer.
const mostReply = 64 << 10

// updateHAProxy gives the running HAProxy a certificate through its Runtime API:
// in place of the one that it has from that file, or as a new one of the folder
// (spec tls.md 14.1). The file on disk is what it reads at its next start.
func updateHAProxy(socket, folder, file string, pem []byte) error {
	shown, err := askHAProxy(socket, "show ssl cert "+file)
	if err != nil {
		return err
	}
	isNew := !strings.Contains(shown, "Filename:")
	if isNew {
		if err := haproxyDo(socket, "new ssl cert "+file, "New empty certificate"); err != nil {
			return err
		}
	}
	if err := haproxyDo(socket, "set ssl cert "+file+" <<\n"+payload(pem)+"\n", "Transaction"); err != nil {
		return err
	}
	if err := haproxyDo(socket, "commit ssl cert "+file, "Success!"); err != nil {
		_, _ = askHAProxy(socket, "abort ssl cert "+file)
		return err
	}
	if isNew {
		return haproxyDo(socket, "add ssl crt-list "+folder+" "+file, "Success!")
	}
	return nil
}

func removeFromHAProxy(socket, folder, file string) error {
	if _, err := askHAProxy(socket, "del ssl crt-list "+folder+" "+file); err != nil {
		return err
	}
	_, err := askHAProxy(socket, "del ssl cert "+file)
	return err
}

// payload is a PEM text without the blank lines that would end it.
func payload(pem []byte) string {
	var out []string
	for line := range bytes.Lines(pem) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			out = append(out, string(line))
		}
	}
	return strings.Join(out, "\n") + "\n"
}

// haproxyDo gives a command whose answer must hold want.
func haproxyDo(socket, command, want string) error {
	reply, err := askHAProxy(socket, command)
	if err == nil && !strings.Contains(reply, want) {
		err = errors.New(strings.Join(strings.Fields(reply), " "))
	}
	if err != nil {
		verb, _, _ := strings.Cut(command, " <<")
		return fmt.Errorf("haproxy: %s: %w", verb, err)
	}
	return nil
}

// askHAProxy gives one command on a connection of its own.
func askHAProxy(socket, command string) (string, error) {
	conn, err := net.DialTimeout("unix", socket, haproxyTimeout)
	if err != nil {
		return "", fmt.Errorf("haproxy: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(haproxyTimeout)); err != nil {
		return "", fmt.Errorf("haproxy: %w", err)
	}
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		return "", fmt.Errorf("haproxy: %w", err)
	}
	reply, err := io.ReadAll(io.LimitReader(conn, mostReply))
	if err != nil {
		return "", fmt.Errorf("haproxy: %w", err)
	}
	return string(reply), nil
}
