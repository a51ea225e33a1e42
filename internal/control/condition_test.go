package control_test

import (
	"slices"
	"testing"

	"connectrpc.com/connect"

	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/control/controltest"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// TestConditionsAreThoseOfTheQueue: neither side knows one that the other does
// not.
func TestConditionsAreThoseOfTheQueue(t *testing.T) {
	var ours []string
	for _, c := range control.Conditions() {
		ours = append(ours, c.Field)
	}
	slices.Sort(ours)
	if theirs := queue.FilterFields(); !slices.Equal(ours, theirs) {
		t.Errorf("control has %v\nthe queue has %v", ours, theirs)
	}
}

// TestConditions asks for entries over the socket, with every condition and
// every operator.
func TestConditions(t *testing.T) {
	const total = 60
	r := start(t, control.Options{Parts: controltest.Parts(few(total))})
	type given map[string][]string
	for _, tt := range []struct {
		when given
		want int
	}{
		{given{}, 60},
		{given{"id": {"00000000-0000-4000-8000-000000000001"}}, 3},
		{given{"id": {"00000000-0000-4000-8000-000000000001:2"}}, 1},
		{given{"id": {"00000000-0000-4000-8000-000000000001:2", "00000000-0000-4000-8000-000000000002"}}, 4},
		{given{"id": {"00000000-0000-4000-8000-0000000000ff"}}, 0},
		{given{"state": {"DEFER"}}, 15},
		{given{"state": {"hold", "ACTIVE"}}, 30},
		{given{"state": {"!DEFER"}}, 45},
		{given{"transportid": {"backup"}}, 30},
		{given{"transportid": {"back*"}}, 30},
		{given{"transportid": {"BACKUP"}}, 0},
		{given{"jobid": {"job1"}}, 12},
		{given{"jobid": {"job1", "job2"}}, 24},
		{given{"jobid": {"job1"}, "transportid": {"mx"}}, 6},
		{given{"tenantid": {"t"}}, 60},
		{given{"serverid": {"other"}}, 0},
		{given{"saslusername": {"joe"}}, 60},
		{given{"senderhelo": {"CLIENT.test"}}, 60},
		{given{"sender": {"news@sender.test"}}, 60},
		{given{"sender": {"News@sender.test"}}, 60},
		{given{"sender": {"NEWS@sender.test"}}, 0},
		{given{"sender": {"@sender.test"}}, 60},
		{given{"sender": {"<>"}}, 0},
		{given{"senderdomain": {"*.test"}}, 60},
		{given{"recipient": {"user3@d3.test"}}, 1},
		{given{"recipient": {"user3@"}}, 1},
		{given{"recipient": {"user1*@*"}}, 11},
		{given{"recipientdomain": {"D3.test"}}, 9},
		{given{"recipientdomain": {"d3.*"}}, 9},
		{given{"recipientdomain": {"!d3.test"}}, 51},
		{given{"remotemx": {"mx.*"}}, 30},
		{given{"remoteip": {"198.51.100.0/24"}}, 30},
		{given{"senderip": {"192.0.2.7"}}, 1},
		{given{"senderip": {"192.0.2.0/29"}}, 8},
		{given{"reason": {"GREYLIST"}}, 15},
		{given{"priority": {"1"}}, 30},
		{given{"retrycount": {">3"}}, 20},
		{given{"retrycount": {">=3"}}, 30},
		{given{"retrycount": {"<=1"}}, 20},
		{given{"retrycount": {"!=0"}}, 50},
		{given{"retrycount": {"1..2"}}, 20},
		{given{"size": {"<=10KiB"}}, 10},
		{given{"size": {"!=1000"}}, 59},
		{given{"size": {"1000..3000"}}, 3},
		{given{"age": {">1d"}}, 60},
		{given{"age": {"<1h"}}, 0},
		{given{"ts": {"1760000000"}}, 1},
		{given{"ts": {"<1760000000"}}, 59},
		{given{"retrydelay": {"<=0"}}, 60},
		{given{"quota": {"q"}}, 60},
		{given{"quota": {"p"}}, 0},
		{given{"subject": {"offer 2"}}, 20},
		{given{"metadata": {"campaign=2"}}, 20},
		{given{"metadata": {"campaign>=2"}}, 40},
	} {
		request := &pb.QueueCountRequest{}
		for field, values := range tt.when {
			request.Conditions = append(request.Conditions, &pb.QueueCondition{Field: field, Values: values})
		}
		answer, err := r.queue().Count(t.Context(), connect.NewRequest(request))
		if err != nil {
			t.Errorf("%v: %v", tt.when, err)
			continue
		}
		if answer.Msg.Count != uint64(tt.want) {
			t.Errorf("%v selects %d, want %d", tt.when, answer.Msg.Count, tt.want)
		}
	}
	for field, value := range map[string]string{
		"id": "4711", "state": "DONE", "size": ">many", "age": "tomorrow", "retrycount": ">x", "remoteip": "host",
		"sender": "nobody", "metadata": "x", "nonsense": "1",
	} {
		request := &pb.QueueCountRequest{Conditions: []*pb.QueueCondition{{Field: field, Values: []string{value}}}}
		if _, err := r.queue().Count(t.Context(), connect.NewRequest(request)); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s=%s: %v", field, value, err)
		}
	}
}
