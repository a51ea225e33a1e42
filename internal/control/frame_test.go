package control_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/control/controltest"
)

// framed is a client that speaks in frames.
type framed struct {
	net.Conn
	t *testing.T
}

func (r *running) frames(t *testing.T, version string) framed {
	t.Helper()
	c, err := net.Dial("unix", r.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, version); err != nil {
		t.Fatal(err)
	}
	return framed{c, t}
}

// ask sends a command, with a message unless it is nil, and returns the answer.
func (f framed) ask(command byte, request, into proto.Message) (kind byte, text string) {
	f.t.Helper()
	b := []byte{command}
	if request != nil {
		body, err := proto.Marshal(request)
		if err != nil {
			f.t.Fatal(err)
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(len(body)))
		b = append(b, body...)
	}
	if _, err := f.Write(b); err != nil {
		f.t.Fatal(err)
	}
	var head [9]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		f.t.Fatalf("command %c: %v", command, err)
	}
	body := make([]byte, binary.LittleEndian.Uint64(head[1:]))
	if _, err := io.ReadFull(f, body); err != nil {
		f.t.Fatal(err)
	}
	if head[0] == '+' && into != nil {
		if err := proto.Unmarshal(body, into); err != nil {
			f.t.Fatal(err)
		}
	}
	return head[0], string(body)
}

// TestFrames plays every command of Halon's protocol that there is, several on
// one connection, with both forms of the version.
func TestFrames(t *testing.T) {
	q := few(300)
	r := start(t, control.Options{Parts: controltest.Parts(q)})
	path := filepath.Join(t.TempDir(), "all.phqueue")
	if err := os.WriteFile(path, r.exported(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"\x05\x07", "53"} {
		f := r.frames(t, version)
		var stats pb.ProcessStatsResponse
		if kind, _ := f.ask('q', nil, &stats); kind != '+' || len(stats.Stats) != 4 {
			t.Errorf("q: %c %v", kind, &stats)
		}
		if kind, text := f.ask('r', nil, nil); kind != '+' {
			t.Errorf("r: %c %s", kind, text)
		}
		var list pb.QueueListResponse
		kind, text := f.ask('F', &pb.QueueListRequest{Conditions: []*pb.QueueCondition{{Field: "jobid", Values: []string{"job1"}}}}, &list)
		if kind != '+' || len(list.Entries) != 60 || list.Entries[59].Jobid != "job1" {
			t.Errorf("F: %c %s %d entries", kind, text, len(list.Entries))
		}
		if kind, text := f.ask('F', &pb.QueueListRequest{Sort: "nonsense"}, nil); kind != 'E' || !strings.Contains(text, "nonsense") {
			t.Errorf("F with a mistake: %c %s", kind, text)
		}
		var groups pb.QueueGroupByResponse
		if kind, _ := f.ask('D', &pb.QueueGroupByRequest{Fields: []string{"state"}}, &groups); kind != '+' || len(groups.Groups) != 4 {
			t.Errorf("D: %c %v", kind, &groups)
		}
		var update pb.QueueUpdateResponse
		kind, _ = f.ask('G', &pb.QueueUpdateRequest{All: true, Action: &pb.QueueAction{Verb: pb.QueueAction_VERB_ACTIVE}}, &update)
		if kind != '+' || update.Affected != 300 {
			t.Errorf("G: %c %v", kind, &update)
		}
		if kind, _ := f.ask('G', &pb.QueueUpdateRequest{Action: &pb.QueueAction{Verb: pb.QueueAction_VERB_DELETE}}, nil); kind != 'E' {
			t.Errorf("G of everything: %c", kind)
		}
		var quotas pb.QueueQuotaResponse
		if kind, _ := f.ask('I', &pb.QueueQuotaRequest{}, &quotas); kind != '+' || len(quotas.Quotas) != 2 || quotas.Quotas[0].Name != "a" {
			t.Errorf("I: %c %v", kind, &quotas)
		}
		var imported pb.QueueImportResponse
		if kind, text := f.ask('E', &pb.QueueImportRequest{Path: path}, &imported); kind != '+' || imported.Messages != 300 {
			t.Errorf("E: %c %s", kind, text)
		}
		var cleared pb.ResolverClearResponse
		if kind, _ := f.ask('C', &pb.ResolverClearRequest{}, &cleared); kind != '+' || cleared.Cleared != 42 {
			t.Errorf("C: %c %v", kind, &cleared)
		}
		if kind, text := f.ask('~', nil, nil); kind != 'E' || !strings.Contains(text, "unknown command") {
			t.Errorf("unknown: %c %s", kind, text)
		}
		if n, err := f.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("after an unknown command: %d, %v", n, err)
		}
	}
	for _, c := range r.called() {
		if c.Method == "" || c.Peer.UID != os.Getuid() {
			t.Errorf("call without method or peer: %+v", c)
		}
	}
}

// TestFrameBounds: lengths that are no lengths cost nothing.
func TestFrameBounds(t *testing.T) {
	r := start(t, control.Options{Parts: controltest.Parts(few(1))})
	f := r.frames(t, "\x05\x07")
	if _, err := f.Write(append([]byte{'F'}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Read(make([]byte, 1)); err == nil {
		t.Errorf("answered with %d bytes", n)
	}
	garbage := r.frames(t, "\x05\x07")
	if _, err := garbage.Write(append([]byte{'F'}, 3, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff)); err != nil {
		t.Fatal(err)
	}
	kind := make([]byte, 1)
	if _, err := io.ReadFull(garbage, kind); err != nil || kind[0] != 'E' {
		t.Errorf("a message that is none: %q, %v", kind, err)
	}
}

// FuzzFrames: whatever a client sends, the server answers or hangs up, and is
// there for the next one.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x05\x07q"))
	f.Add([]byte("53F\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("53D\x07\x00\x00\x00\x00\x00\x00\x00\x12\x05state"))
	f.Add([]byte("53G\xff\xff"))
	r := start(f, control.Options{Parts: controltest.Parts(few(20))})
	f.Fuzz(func(t *testing.T, sent []byte) {
		if len(sent) == 0 || sent[0] != 5 && sent[0] != '5' {
			return
		}
		c, err := net.Dial("unix", r.path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write(sent); err != nil {
			return // hung up already
		}
		if err := c.(*net.UnixConn).CloseWrite(); err != nil {
			return
		}
		answers, err := io.ReadAll(c)
		for len(answers) > 0 && err == nil {
			kind, length := answers[0], uint64(0)
			if len(answers) >= 9 {
				length = binary.LittleEndian.Uint64(answers[1:])
			}
			if kind != '+' && kind != 'E' || uint64(len(answers)) < 9+length {
				t.Fatalf("%q is no answer", answers)
			}
			answers = answers[9+length:]
		}
	})
}
