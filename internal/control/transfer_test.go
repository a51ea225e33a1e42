package control_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/control/controltest"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// exported returns the archive of everything.
func (r *running) exported(t *testing.T) []byte {
	t.Helper()
	stream, err := r.queue().Export(t.Context(), connect.NewRequest(&pb.QueueExportRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var out bytes.Buffer
	for stream.Receive() {
		out.Write(stream.Msg().Data)
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func (r *running) importArchive(t *testing.T, raw []byte, piece int) (*pb.QueueImportResponse, error) {
	t.Helper()
	stream := r.queue().Import(t.Context())
	for len(raw) > 0 {
		n := min(piece, len(raw))
		if err := stream.Send(&pb.QueueImportRequest{Data: raw[:n]}); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		raw = raw[n:]
	}
	answer, err := stream.CloseAndReceive()
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

func TestExportImport(t *testing.T) {
	q := few(300)
	q.Body = strings.Repeat("0123456789abcdef", 10_000)
	r := start(t, control.Options{Parts: controltest.Parts(q)})
	raw := r.exported(t)
	done, err := r.importArchive(t, raw, 50_000)
	if err != nil || done.Messages != 300 || done.Entries != 300 || done.Damaged != 0 {
		t.Fatalf("%v, %v", done, err)
	}
	if n := len(q.Imported()); n != 300 {
		t.Errorf("%d messages arrived", n)
	}
	if done, err := r.importArchive(t, raw[:len(raw)-10], 50_000); connect.CodeOf(err) != connect.CodeDataLoss {
		t.Errorf("cut short: %v, %v", done, err)
	}
	if done, err := r.importArchive(t, []byte("From: a@b\r\n"), 1000); connect.CodeOf(err) != connect.CodeDataLoss {
		t.Errorf("no archive: %v, %v", done, err)
	}
	if done, err := r.importArchive(t, nil, 1); connect.CodeOf(err) != connect.CodeDataLoss {
		t.Errorf("nothing: %v, %v", done, err)
	}
}

func TestImportPath(t *testing.T) {
	q := few(3)
	r := start(t, control.Options{Parts: controltest.Parts(q)})
	path := filepath.Join(t.TempDir(), "three.phqueue")
	if err := os.WriteFile(path, r.exported(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]connect.Code{path: 0, "relative": connect.CodeInvalidArgument, path + ".no": connect.CodeNotFound} {
		stream := r.queue().Import(t.Context())
		if err := stream.Send(&pb.QueueImportRequest{Path: p}); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.CloseAndReceive()
		if want == 0 && (err != nil || answer.Msg.Messages != 3) || want != 0 && connect.CodeOf(err) != want {
			t.Errorf("%s: %v, %v", p, answer, err)
		}
	}
}

func TestShow(t *testing.T) {
	q := few(9)
	r := start(t, control.Options{Parts: controltest.Parts(q)})
	show := func(request *pb.QueueShowRequest) (first *pb.QueueShowResponse, content string, err error) {
		stream, err := r.queue().Show(t.Context(), connect.NewRequest(request))
		if err != nil {
			return nil, "", err
		}
		defer stream.Close()
		for stream.Receive() {
			if first == nil {
				first = stream.Msg()
			}
			content += string(stream.Msg().Content)
		}
		return first, content, stream.Err()
	}
	id := controltest.Entry(3).ID.String()
	for _, tt := range []struct {
		content pb.QueueShowRequest_Content
		want    string
	}{
		{pb.QueueShowRequest_CONTENT_NONE, ""},
		{pb.QueueShowRequest_CONTENT_HEADERS, "Subject: hi\r\nFrom: a@b.test\r\n\r\n"},
		{pb.QueueShowRequest_CONTENT_MESSAGE, message},
	} {
		first, content, err := show(&pb.QueueShowRequest{Id: id, Content: tt.content})
		if err != nil || content != tt.want || len(first.Entries) != 3 || first.Envelope.Id != id || first.Envelope.Body != "8BITMIME" {
			t.Errorf("%v: %v, %q, %v", tt.content, first, content, err)
		}
	}
	first, _, err := show(&pb.QueueShowRequest{Id: id, Queueid: 2})
	if err != nil || len(first.Entries) != 1 || first.Entries[0].Queueid != 2 {
		t.Errorf("one recipient: %v, %v", first, err)
	}
	if _, _, err := show(&pb.QueueShowRequest{Id: id, Queueid: 9}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("no such recipient: %v", err)
	}
	if _, _, err := show(&pb.QueueShowRequest{Id: "x"}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("no id: %v", err)
	}
	// Wherever the empty line falls, the header ends there.
	for pad := range 40 {
		q.Body = "Subject: " + strings.Repeat("x", 32*1024-30+pad) + "\r\n\r\nbody\r\n\r\n"
		_, content, err := show(&pb.QueueShowRequest{Id: id, Content: pb.QueueShowRequest_CONTENT_HEADERS})
		if err != nil || !strings.HasSuffix(content, "x\r\n\r\n") {
			t.Fatalf("header of %d bytes ends with %q, %v", len(content), content[max(0, len(content)-10):], err)
		}
	}
}

func TestUpdate(t *testing.T) {
	q := few(1000)
	r := start(t, control.Options{Parts: controltest.Parts(q)})
	update := func(request *pb.QueueUpdateRequest) (last *pb.QueueUpdateResponse, err error) {
		stream, err := r.queue().Update(t.Context(), connect.NewRequest(request))
		if err != nil {
			return nil, err
		}
		defer stream.Close()
		for stream.Receive() {
			last = stream.Msg()
		}
		return last, stream.Err()
	}
	some := []*pb.QueueCondition{{Field: "transportid", Values: []string{"mx"}}}
	last, err := update(&pb.QueueUpdateRequest{Conditions: some, Total: true, Action: &pb.QueueAction{
		Verb: pb.QueueAction_VERB_DEFER, DelaySeconds: 90, Reason: "not\nnow", Transportid: "backup", Metadata: map[string]string{"a": "b"},
	}})
	if err != nil || !last.Done || last.Affected != 500 {
		t.Fatalf("%v, %v", last, err)
	}
	a := q.Actions()[0]
	if a.Verb != queue.Postpone || a.Delay.Seconds() != 90 || a.Reason != "not now" || a.Transport != "backup" || a.Metadata["a"] != "b" {
		t.Errorf("action %+v", a)
	}
	for name, tt := range map[string]struct {
		request *pb.QueueUpdateRequest
		want    connect.Code
	}{
		"everything, unasked": {&pb.QueueUpdateRequest{Action: &pb.QueueAction{Verb: pb.QueueAction_VERB_DELETE}}, connect.CodeInvalidArgument},
		"no action":           {&pb.QueueUpdateRequest{Conditions: some}, connect.CodeInvalidArgument},
		"unknown action":      {&pb.QueueUpdateRequest{Conditions: some, Action: &pb.QueueAction{Verb: 99}}, connect.CodeInvalidArgument},
		"no delay":            {&pb.QueueUpdateRequest{Conditions: some, Action: &pb.QueueAction{Verb: pb.QueueAction_VERB_DEFER}}, connect.CodeInvalidArgument},
		"delay of a hold":     {&pb.QueueUpdateRequest{Conditions: some, Action: &pb.QueueAction{Verb: pb.QueueAction_VERB_HOLD, DelaySeconds: 1}}, connect.CodeInvalidArgument},
		"unknown transport":   {&pb.QueueUpdateRequest{Conditions: some, Action: &pb.QueueAction{Transportid: "unknown"}}, connect.CodeFailedPrecondition},
	} {
		if _, err := update(tt.request); connect.CodeOf(err) != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(q.Actions()); n != 1 {
		t.Errorf("%d updates were made, want 1", n)
	}
	last, err = update(&pb.QueueUpdateRequest{All: true, Action: &pb.QueueAction{Verb: pb.QueueAction_VERB_RELEASE}})
	if err != nil || last.Affected != 1000 {
		t.Errorf("everything, asked for: %v, %v", last, err)
	}
}
