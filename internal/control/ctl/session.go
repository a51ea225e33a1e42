package ctl

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// session is what the commands of one run share: the flags that every command
// takes, and the connection.
type session struct {
	place       place
	json        bool
	jsonRequest bool
	said        error // ends a command whose output says already what is wrong

	transport *http.Transport
	endpoint  endpoint
	dialError atomic.Pointer[error] // why there is no connection
}

// dialTimeout is how long to wait for the socket to be answered.
const dialTimeout = 5 * time.Second

// flags adds the flags that every command takes.
func (s *session) flags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&s.place.socket, "socket", "", "control socket: `PATH` of a Unix socket, or HOST:PORT")
	f.StringVar(&s.place.dir, "dir", "", "data `folder` of 'posthaste up'")
	f.StringVarP(&s.place.config, "config", "c", "", "`file` that says where the socket is: smtpd.yaml, phctl.yaml or halonctl.yaml")
	f.BoolVar(&s.place.env, "config-env-substitution", false, "allow the tag !Env in that file")
	f.BoolVar(&s.json, "json", false, "write JSON, one object per line")
	f.BoolVar(&s.jsonRequest, "json-request", false, "print the request as JSON and do not send it")
	for _, name := range []string{"dir", "config"} {
		_ = root.MarkPersistentFlagFilename(name)
	}
}

// open finds the socket. Nothing is sent yet.
func (s *session) open() error {
	if s.transport != nil {
		return nil
	}
	e, err := s.place.find()
	if err != nil {
		return err
	}
	s.endpoint = e
	s.transport = &http.Transport{
		DialContext:        s.dial,
		TLSClientConfig:    e.tls,
		DisableCompression: true,
	}
	return nil
}

func (s *session) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	c, err := d.DialContext(ctx, s.endpoint.network, s.endpoint.address)
	if err != nil {
		s.dialError.Store(&err)
	}
	return c, err
}

// base is the URL that the clients are made for.
func (s *session) base() string {
	if s.endpoint.tls != nil {
		return "https://control"
	}
	return "http://control"
}

// client makes a client of one service.
func client[C any](s *session, build func(connect.HTTPClient, string, ...connect.ClientOption) C) (C, error) {
	if err := s.open(); err != nil {
		var none C
		return none, err
	}
	return build(&http.Client{Transport: s.transport}, s.base(),
		connect.WithAcceptCompression("gzip", nil, nil)), nil // the socket is faster than gzip
}

func (s *session) queue() (pb.QueueServiceClient, error) {
	return client(s, pb.NewQueueServiceClient)
}

// failed makes of an error of a call what the user should read.
func (s *session) failed(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if interrupted(ctx) {
		return errors.New("interrupted")
	}
	if dial := s.dialError.Load(); dial != nil {
		return &unreachableError{s.endpoint, *dial}
	}
	var known *connect.Error
	if !errors.As(err, &known) {
		return err
	}
	text := errors.New(printableLines(known.Message()))
	switch known.Code() {
	case connect.CodeInvalidArgument:
		return usageError{text}
	case connect.CodeUnavailable:
		return &unreachableError{s.endpoint, text}
	case connect.CodeUnimplemented:
		return fmt.Errorf("the MTA does not know this command (%w)", text)
	case connect.CodeNotFound, connect.CodeFailedPrecondition, connect.CodeDataLoss, connect.CodeResourceExhausted, connect.CodeInternal:
		return text
	}
	return fmt.Errorf("%s: %w", known.Code(), text)
}

// unreachableError says why nobody answers and what to do about it.
type unreachableError struct {
	endpoint endpoint
	err      error
}

func (e *unreachableError) Unwrap() error { return e.err }

func (e *unreachableError) Error() string {
	at := e.endpoint.address
	var refused *tls.CertificateVerificationError
	switch {
	case errors.Is(e.err, fs.ErrNotExist):
		return "is posthaste running? Looked at " + e.endpoint.looked() + ".\n" + elsewhere
	case errors.Is(e.err, fs.ErrPermission):
		return fmt.Sprintf("permission denied at %s.\n%s", at, groupHint(at))
	case errors.Is(e.err, syscall.ECONNREFUSED):
		return fmt.Sprintf("is posthaste running? Nobody answers at %s.\n%s", at, elsewhere)
	case errors.As(e.err, &refused):
		return fmt.Sprintf("%s: %v\nSet verifyname, or trust its certificate, in the file given with --config.", at, e.err)
	}
	return fmt.Sprintf("%s: %v", at, e.err)
}

const elsewhere = "If it runs elsewhere, say where: --socket PATH, --config FILE, or --dir FOLDER of 'posthaste up'."

// groupHint says who may use a socket.
func groupHint(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "The folder of the socket is closed to you: use sudo."
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || info.Mode()&0o020 == 0 {
		return "Only its owner may use it: use sudo."
	}
	group := strconv.Itoa(int(st.Gid))
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return fmt.Sprintf("Members of the group %s may use it: join that group, or use sudo.", group)
}
