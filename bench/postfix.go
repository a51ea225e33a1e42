package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// postfix is Debian's Postfix, run from a folder of its own on a port of its own.
// Its settings are Debian's defaults; what differs is where it runs, that nothing
// is in a chroot (which costs Postfix nothing here), and the one line that keeps
// or relays.
type postfix struct {
	dir     string
	address string
	master  int
}

const postfixProgram = "/usr/sbin/postfix"

// findPostfix says whether Postfix can take part, and as which version.
func findPostfix() (version string, err error) {
	if os.Geteuid() != 0 {
		return "", errors.New("only root can start it")
	}
	out, err := exec.Command("/usr/sbin/postconf", "-C", "builtin", "-h", "-d", "mail_version").Output()
	if err != nil {
		return "", fmt.Errorf("postconf: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func (p *postfix) name() string { return "Postfix" }

func (p *postfix) listen() string { return p.address }

func (p *postfix) tree() tree { return tree{p.master} }

func (p *postfix) spool() string { return filepath.Join(p.dir, "spool") }

// syncs: Postfix does not count them.
func (p *postfix) syncs(context.Context) (float64, bool) { return 0, false }

// start writes the folder and starts the master. An empty relay keeps all mail on
// hold, the cheapest thing that Postfix can do with it.
func (p *postfix) start(ctx context.Context, dir, relay string) error {
	p.dir = dir
	port, err := freePort()
	if err != nil {
		return err
	}
	p.address = net.JoinHostPort("127.0.0.1", port)
	if err := p.write(port, relay); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, postfixProgram, "-c", p.config(), "start").CombinedOutput(); err != nil {
		return fmt.Errorf("postfix start: %w: %s", err, out)
	}
	if p.master, err = p.readPID(ctx); err != nil {
		return err
	}
	return greeted(ctx, p.address)
}

func (p *postfix) config() string { return filepath.Join(p.dir, "etc") }

// write lays out the folder. Postfix's daemons run as the user postfix and must be
// able to walk to it.
func (p *postfix) write(port, relay string) error {
	for _, dir := range []string{p.dir, p.config(), p.spool(), filepath.Join(p.dir, "data")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	owner, err := user.Lookup("postfix")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	if err := os.Chown(filepath.Join(p.dir, "data"), uid, -1); err != nil {
		return err
	}
	services, err := os.ReadFile("/usr/share/postfix/master.cf.dist")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.config(), "main.cf"), []byte(p.mainCF(relay)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.config(), "master.cf"), []byte(masterCF(string(services), port)), 0o644)
}

func (p *postfix) mainCF(relay string) string {
	purpose := "smtpd_client_restrictions = check_client_access static:HOLD\n"
	if relay != "" {
		host, port, _ := net.SplitHostPort(relay)
		purpose = "relayhost = [" + host + "]:" + port + "\n"
	}
	return "compatibility_level = 3.6\nbiff = no\nappend_dot_mydomain = no\nreadme_directory = no\n" +
		"queue_directory = " + p.spool() + "\ndata_directory = " + filepath.Join(p.dir, "data") + "\n" +
		"myhostname = bench.example.com\nmydestination =\nalias_maps =\n" +
		"mynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\n" + purpose
}

var (
	chrooted = regexp.MustCompile(`(?m)^(\S+ +\S+ +\S+ +\S+ +)y`)
	smtpInet = regexp.MustCompile(`(?m)^smtp +inet.*$`)
)

// masterCF puts the listener on our port and takes services out of the chroot.
func masterCF(services, port string) string {
	services = chrooted.ReplaceAllString(services, "${1}n")
	return smtpInet.ReplaceAllString(services, "127.0.0.1:"+port+" inet n - n - - smtpd")
}

func (p *postfix) readPID(ctx context.Context) (pid int, err error) {
	err = eventually(ctx, 10*time.Second, "postfix: master.pid", func() error {
		text, err := os.ReadFile(filepath.Join(p.spool(), "pid", "master.pid"))
		if err != nil {
			return err
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err
	})
	return pid, err
}

// stop ends the master that start has started, and waits until it is gone.
func (p *postfix) stop(ctx context.Context) error {
	if p.master == 0 {
		return nil
	}
	if err := unix.Kill(p.master, unix.SIGTERM); err != nil {
		return fmt.Errorf("postfix stop: %w", err)
	}
	return eventually(ctx, 20*time.Second, "postfix: stop", func() error {
		if alive(p.master) {
			return fmt.Errorf("master %d still runs", p.master)
		}
		return nil
	})
}
