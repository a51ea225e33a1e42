package envelope

import (
	"testing"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/message/dsn"
)

func TestWants(t *testing.T) {
	kinds := []dsn.Kind{dsn.Failed, dsn.Delayed, dsn.Delivered, dsn.Relayed, dsn.Expanded}
	for notify, want := range map[string][]bool{
		"":                      {true, true, false, false, false},
		"NEVER":                 {false, false, false, false, false},
		"FAILURE":               {true, false, false, false, false},
		"DELAY":                 {false, true, false, false, false},
		"SUCCESS":               {false, false, true, true, true},
		"SUCCESS,FAILURE,DELAY": {true, true, true, true, true},
	} {
		r := Recipient{Sender: address.Address{Local: "joe", Domain: "example.com"}}
		if notify != "" {
			var err error
			if r.Notify, err = ParseNotify(notify); err != nil {
				t.Fatal(err)
			}
		}
		for i, kind := range kinds {
			if got := r.Wants(kind); got != want[i] {
				t.Errorf("NOTIFY=%s, %v: %v", notify, kind, got)
			}
			null := r
			null.Sender = address.Address{}
			if null.Wants(kind) {
				t.Errorf("NOTIFY=%s, %v: the null sender gets a report", notify, kind)
			}
		}
	}
	if (&Recipient{Sender: address.Address{Local: "joe"}}).Wants(0) {
		t.Error("a report of no kind")
	}
}
