package control_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/control/controltest"
)

// TestPolicyFrames plays the commands about policies, suspensions and delivery
// settings in Halon's framing.
func TestPolicyFrames(t *testing.T) {
	files := &controltest.Files{}
	parts := controltest.Parts(few(1))
	parts.Files = files
	r := start(t, control.Options{Parts: parts})
	f := r.frames(t, "\x05\x07")
	google := []*pb.FieldMatch{{Field: "grouping", Values: []string{"&google"}}}

	var policies pb.PolicyListResponse
	if kind, text := f.ask('v', &pb.PolicyListRequest{Match: google}, &policies); kind != '+' || len(policies.Rows) != 1 || policies.Rows[0].Used != 2 {
		t.Errorf("v: %c %s %v", kind, text, &policies)
	}
	add := &pb.PolicyAddRequest{Fields: []string{"localip", "grouping"}, Match: google, Limits: &pb.PolicyLimits{Concurrency: 1}, Ttl: 60, Type: "BACKOFF"}
	var added pb.PolicyAddResponse
	if kind, text := f.ask('w', add, &added); kind != '+' || added.Id == "" {
		t.Errorf("w: %c %s", kind, text)
	}
	if kind, _ := f.ask('v', &pb.PolicyListRequest{}, &policies); kind != '+' || len(policies.Rows) != 3 || !policies.Rows[0].Dynamic || policies.Rows[0].Type != "backoff" {
		t.Errorf("v: %v", &policies)
	}
	if kind, text := f.ask('w', &pb.PolicyAddRequest{Fields: []string{"tenantid"}, Limits: &pb.PolicyLimits{}}, nil); kind != 'E' || !strings.Contains(text, "no policy") {
		t.Errorf("w of other fields: %c %s", kind, text)
	}
	if kind, text := f.ask('x', &pb.PolicyDeleteRequest{Id: added.Id}, nil); kind != '+' {
		t.Errorf("x: %c %s", kind, text)
	}
	if kind, _ := f.ask('x', &pb.PolicyDeleteRequest{Id: added.Id}, nil); kind != 'E' {
		t.Errorf("x of what is gone: %c", kind)
	}
	var refilled pb.PolicyRefillResponse
	if kind, text := f.ask('B', &pb.PolicyRefillRequest{}, &refilled); kind != '+' || refilled.Refilled != 1 {
		t.Errorf("B: %c %s %v", kind, text, &refilled)
	}

	var suspension pb.SuspendAddResponse
	if kind, text := f.ask('t', &pb.SuspendAddRequest{Tag: "everything", Ttl: 60}, &suspension); kind != '+' || suspension.Id == "" {
		t.Errorf("t: %c %s", kind, text)
	}
	var suspensions pb.SuspendListResponse
	if kind, _ := f.ask('s', &pb.SuspendListRequest{}, &suspensions); kind != '+' || len(suspensions.Rows) != 2 || suspensions.Rows[1].Tag != "everything" {
		t.Errorf("s: %v", &suspensions)
	}
	if kind, text := f.ask('u', &pb.SuspendDeleteRequest{Id: suspension.Id}, nil); kind != '+' {
		t.Errorf("u: %c %s", kind, text)
	}
	for _, letter := range []byte("opH") {
		if kind, text := f.ask(letter, nil, nil); kind != '+' {
			t.Errorf("%c: %c %s", letter, kind, text)
		}
	}
	files.Err = errors.New("line 3: nonsense")
	for _, letter := range []byte("opH") {
		if kind, text := f.ask(letter, nil, nil); kind != 'E' || text != "line 3: nonsense" {
			t.Errorf("%c with a mistake: %c %s", letter, kind, text)
		}
	}
}
