package control_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/control/controltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a server on a Unix socket and a way to its clients.
type running struct {
	*control.Server
	path string
	http *http.Client

	mu    sync.Mutex
	calls []control.Call
}

func start(t testing.TB, o control.Options) *running {
	t.Helper()
	r := &running{}
	if o.Path == "" && !o.Address.IsValid() && o.Listener == nil {
		o.Path = filepath.Join(t.TempDir(), "smtpd.ctl")
	}
	r.path = o.Path
	o.Events.Called = func(c control.Call) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls = append(r.calls, c)
	}
	r.Server = control.New(o)
	if err := r.Listen(); err != nil {
		t.Fatal(err)
	}
	r.Start(context.Background())
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", r.path)
	}}
	r.http = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return r
}

func (r *running) queue() pb.QueueServiceClient {
	return pb.NewQueueServiceClient(r.http, "http://control")
}

// called returns the calls that have ended.
func (r *running) called() []control.Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

func few(n int) *controltest.Queue {
	return &controltest.Queue{Len: n, At: controltest.Entry, Body: message}
}

const message = "Subject: hi\r\nFrom: a@b.test\r\n\r\nHello\r\n.\r\n"

// TestSocketMode: owner, group and mode are those asked for, whatever the umask
// is, and nothing else is left in the folder.
func TestSocketMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666} {
		r := start(t, control.Options{Mode: mode, Parts: controltest.Parts(few(1))})
		info, err := os.Lstat(r.path)
		if err != nil {
			t.Fatal(err)
		}
		want := mode
		if mode == 0 {
			want = 0o600
		}
		if info.Mode() != fs.ModeSocket|want {
			t.Errorf("mode %v, want %v", info.Mode(), fs.ModeSocket|want)
		}
		entries, err := os.ReadDir(filepath.Dir(r.path))
		if err != nil || len(entries) != 1 {
			t.Errorf("the folder holds %v, %v", entries, err)
		}
	}
}

func TestSocketOwner(t *testing.T) {
	for _, o := range []control.Options{
		{Owner: "no-such-user-here"},
		{Group: "no-such-group-here"},
	} {
		o.Path = filepath.Join(t.TempDir(), "smtpd.ctl")
		s := control.New(o)
		if err := s.Listen(); err == nil {
			t.Errorf("%+v: listens", o)
		}
		if entries, _ := os.ReadDir(filepath.Dir(o.Path)); len(entries) != 0 {
			t.Errorf("left behind: %v", entries)
		}
	}
}

func TestSocketInUse(t *testing.T) {
	r := start(t, control.Options{Parts: controltest.Parts(few(1))})
	second := control.New(control.Options{Path: r.path})
	if err := second.Listen(); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("another process answers there (pid %d)", os.Getpid())) {
		t.Fatalf("second server: %v", err)
	}
	if _, err := r.queue().Count(t.Context(), connect.NewRequest(&pb.QueueCountRequest{})); err != nil {
		t.Fatalf("the first one is disturbed: %v", err)
	}
}

func TestStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smtpd.ctl")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	r := start(t, control.Options{Path: path, Parts: controltest.Parts(few(1))})
	if _, err := r.queue().Count(t.Context(), connect.NewRequest(&pb.QueueCountRequest{})); err != nil {
		t.Fatal(err)
	}
}

func TestNoSocketInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smtpd.ctl")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := control.New(control.Options{Path: path}).Listen(); err == nil {
		t.Fatal("listens in the place of a file")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Fatalf("the file is now %q, %v", b, err)
	}
}

// TestStopLeavesAnother: a socket that another process put in our place stays.
func TestStopLeavesAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smtpd.ctl")
	s := control.New(control.Options{Path: path})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
}

func TestAudit(t *testing.T) {
	r := start(t, control.Options{Parts: controltest.Parts(few(30))})
	stream, err := r.queue().Update(t.Context(), connect.NewRequest(&pb.QueueUpdateRequest{
		Conditions: []*pb.QueueCondition{{Field: "jobid", Values: []string{"job1", "job2"}}},
		Action:     &pb.QueueAction{Verb: pb.QueueAction_VERB_DELETE},
	}))
	if err != nil {
		t.Fatal(err)
	}
	for stream.Receive() {
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	stream.Close()
	_, err = r.queue().Count(t.Context(), connect.NewRequest(&pb.QueueCountRequest{Conditions: []*pb.QueueCondition{{Field: "nonsense", Values: []string{"1"}}}}))
	if connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Fatalf("unknown condition: %v", err)
	}
	calls := r.called()
	if len(calls) != 2 {
		t.Fatalf("%d calls reported, want 2", len(calls))
	}
	c := calls[0]
	if c.Method != "QueueService/Update" || c.Detail != "delete jobid=job1|job2" || c.Affected != 12 || !c.Sensitive || c.Err != nil {
		t.Errorf("first call: %+v", c)
	}
	if c.Peer.UID != os.Getuid() || c.Peer.PID != os.Getpid() {
		t.Errorf("peer %+v, want uid %d and pid %d", c.Peer, os.Getuid(), os.Getpid())
	}
	if calls[1].Err == nil || calls[1].Sensitive {
		t.Errorf("second call: %+v", calls[1])
	}
}

// TestStopCutsCalls: a call that does not end is cut when the time is over, and
// a connection that says nothing does not hold up the end.
func TestStopCutsCalls(t *testing.T) {
	began := make(chan struct{})
	q := few(1 << 30)
	once := sync.OnceFunc(func() { close(began) })
	q.Step = func(int) { once() }
	r := start(t, control.Options{Parts: controltest.Parts(q)})
	silent, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := r.queue().Count(context.Background(), connect.NewRequest(&pb.QueueCountRequest{}))
		ended <- err
	}()
	<-began
	over, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Stop(over); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop: %v, want it to say that calls were cut short", err)
	}
	if err := <-ended; err == nil {
		t.Error("the call ended well")
	}
}

// TestBoundedRequest: a request that is too large is refused.
func TestBoundedRequest(t *testing.T) {
	r := start(t, control.Options{Parts: controltest.Parts(few(1))})
	huge := strings.Repeat("x", 2<<20)
	_, err := r.queue().Count(t.Context(), connect.NewRequest(&pb.QueueCountRequest{Conditions: []*pb.QueueCondition{{Field: "subject", Values: []string{huge}}}}))
	if connect.CodeOf(err) != connect.CodeResourceExhausted {
		t.Fatalf("%v", err)
	}
}

// TestMissingPart: a process without a resolver says so.
func TestMissingPart(t *testing.T) {
	r := start(t, control.Options{Parts: control.Parts{Queue: few(1)}})
	_, err := pb.NewResolverServiceClient(r.http, "http://control").Clear(t.Context(), connect.NewRequest(&pb.ResolverClearRequest{}))
	if connect.CodeOf(err) != connect.CodeUnimplemented {
		t.Errorf("resolver: %v", err)
	}
	_, err = pb.NewProcessServiceClient(r.http, "http://control").Stats(t.Context(), connect.NewRequest(&pb.ProcessStatsRequest{}))
	if connect.CodeOf(err) != connect.CodeUnimplemented {
		t.Errorf("process: %v", err)
	}
}
