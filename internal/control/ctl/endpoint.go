package ctl

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// place is what the user said about where the MTA listens.
type place struct {
	socket, dir, config string
	env                 bool
}

// endpoint is where to connect.
type endpoint struct {
	network, address string
	tls              *tls.Config
	tried            []string // all paths that were looked at
}

func (e endpoint) looked() string {
	if len(e.tried) > 0 {
		return strings.Join(e.tried, ", ")
	}
	return e.address
}

// upSocket is the socket of `posthaste up` in its data folder.
const (
	upFolder = "posthaste-data"
	upSocket = "run/smtpd.ctl"
)

// find looks in this order: what was said in flags; a file of our own
// (phctl.yaml, halonctl.yaml); then the first of these that is there: the
// socket that smtpd.yaml names, those of the usual places, and that of a data
// folder beside us.
func (p place) find() (endpoint, error) {
	switch {
	case p.socket != "":
		return parseSocket(p.socket), nil
	case p.dir != "":
		return unixEndpoint(filepath.Join(p.dir, upSocket)), nil
	case p.config != "":
		return p.load(p.config)
	}
	for _, file := range clientFiles() {
		if exists(file) {
			return p.load(file)
		}
	}
	return p.guess()
}

// parseSocket reads a path, or HOST:PORT.
func parseSocket(s string) endpoint {
	if _, _, err := net.SplitHostPort(s); err == nil && !strings.Contains(s, "/") {
		return endpoint{network: "tcp", address: s}
	}
	return unixEndpoint(strings.TrimPrefix(s, "unix:"))
}

func unixEndpoint(path string) endpoint { return endpoint{network: "unix", address: path} }

func clientFiles() (files []string) {
	for _, l := range []config.Layout{config.OwnLayout, config.HalonLayout} {
		files = append(files, l.File("phctl"), l.File(config.HalonCtl))
	}
	return files
}

// guess takes the first socket that is there.
func (p place) guess() (endpoint, error) {
	var tried []string
	layout := config.FindLayout(config.SMTPD, nil)
	if file := layout.File(config.SMTPD); exists(file) {
		e, err := p.load(file)
		switch {
		case errors.Is(err, fs.ErrPermission): // members of the group need not be able to read it
		case err != nil:
			return endpoint{}, err
		case e.network != "unix" || exists(e.address):
			return e, nil
		default:
			tried = append(tried, e.address)
		}
	}
	for _, path := range []string{
		config.OwnLayout.RunDir + "/smtpd.ctl", config.HalonLayout.RunDir + "/smtpd.ctl", filepath.Join(upFolder, upSocket),
	} {
		e := unixEndpoint(path)
		if _, err := os.Stat(path); err == nil || errors.Is(err, fs.ErrPermission) {
			return e, nil
		}
		tried = append(tried, path)
	}
	return endpoint{}, &unreachableError{endpoint{network: "unix", tried: tried}, fs.ErrNotExist}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// clientFile is halonctl.yaml (spec config.md 8).
type clientFile struct {
	Environment struct {
		ControlSocket struct {
			Path    string                     `yaml:"path"`
			Port    uint16                     `yaml:"port"`
			Address string                     `yaml:"address"`
			TLS     config.Optional[clientTLS] `yaml:"tls"`
		} `yaml:"controlsocket"`
	} `yaml:"environment"`
}

// serverFile is the part of smtpd.yaml that clients read (spec config.md 2.2).
type serverFile struct {
	Environment struct {
		ControlSocket struct {
			Path    string `yaml:"path"`
			Port    uint16 `yaml:"port"`
			Address string `yaml:"address"`
			TLS     struct {
				Server config.Optional[struct {
					Certificate config.Source `yaml:"certificate"`
				}] `yaml:"server"`
				Client clientTLS `yaml:"client"`
			} `yaml:"tls"`
		} `yaml:"controlsocket"`
	} `yaml:"environment"`
}

// clientTLS is how we present ourselves and what we expect.
type clientTLS struct {
	Certificate config.Source `yaml:"certificate"`
	PrivateKey  config.Source `yaml:"privatekey"`
	Verify      bool          `yaml:"verify"`
	VerifyName  string        `yaml:"verifyname"`
}

// load reads the endpoint from a file of either kind.
func (p place) load(file string) (endpoint, error) {
	options := config.LoadOptions{EnvSubstitution: p.env, Layout: config.FindLayout(config.SMTPD, nil)}
	if strings.HasSuffix(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), "ctl") {
		var f clientFile
		if _, err := config.Load(file, config.HalonCtl, &f, options); err != nil {
			return endpoint{}, err
		}
		c := f.Environment.ControlSocket
		return c.TLS.Value.endpoint(c.Path, c.Address, c.Port, c.TLS.Set, config.Source{})
	}
	var f serverFile
	if _, err := config.Load(file, config.SMTPD, &f, options); err != nil {
		return endpoint{}, err
	}
	c := f.Environment.ControlSocket
	return c.TLS.Client.endpoint(c.Path, c.Address, c.Port, c.TLS.Server.Set, c.TLS.Server.Value.Certificate)
}

// endpoint joins what a file says. trust is a certificate of the server to be
// trusted besides those of the system.
func (t clientTLS) endpoint(path, address string, port uint16, secure bool, trust config.Source) (endpoint, error) {
	if port == 0 {
		return unixEndpoint(path), nil
	}
	switch address { // where a server listens on all addresses, we are on the same host
	case "", "0.0.0.0", "::":
		address = "localhost"
	}
	e := endpoint{network: "tcp", address: net.JoinHostPort(address, strconv.Itoa(int(port)))}
	if !secure {
		return e, nil
	}
	var err error
	e.tls, err = t.config(address, trust)
	return e, err
}

func (t clientTLS) config(host string, trust config.Source) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, NextProtos: []string{"http/1.1"}}
	if t.VerifyName != "" {
		c.ServerName = t.VerifyName
	}
	c.InsecureSkipVerify = !t.Verify // asked for in the file
	if !trust.IsZero() {
		pem, err := trust.Read()
		if err != nil {
			return nil, err
		}
		if c.RootCAs, err = x509.SystemCertPool(); err != nil {
			c.RootCAs = x509.NewCertPool()
		}
		c.RootCAs.AppendCertsFromPEM(pem)
	}
	if t.Certificate.IsZero() {
		return c, nil
	}
	certificate, err := t.Certificate.Read()
	if err != nil {
		return nil, err
	}
	key := certificate // both may be in one file
	if !t.PrivateKey.IsZero() {
		if key, err = t.PrivateKey.Read(); err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("client certificate %s: %w", t.Certificate, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
