package delivery

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRebase(t *testing.T) {
	from := &Transport{
		ConnectTimeout: time.Second, Timeouts: map[Stage]time.Duration{StageMail: 1, StageData: 2},
		TLS: TLS{Mode: TLSOptional, VerifyNames: []string{"a"}}, Pooling: Pooling{Transactions: 5},
	}
	to := &Transport{
		ConnectTimeout: 2 * time.Second, Timeouts: map[Stage]time.Duration{StageMail: 10, StageData: 20},
		TLS: TLS{Mode: TLSRequire, SNIHost: true, VerifyNames: []string{"b"}}, Pooling: Pooling{Enabled: true, Transactions: 7},
	}
	own := *from
	own.Helo = "own.example"
	own.TLS.Mode = TLSDisabled
	own.Pooling.Transactions = 9
	own.Timeouts = map[Stage]time.Duration{StageMail: 1, StageData: 3}
	got := own.Rebase(from, to)
	want := &Transport{
		Helo: "own.example", ConnectTimeout: 2 * time.Second,
		Timeouts: map[Stage]time.Duration{StageMail: 10, StageData: 3},
		TLS:      TLS{Mode: TLSDisabled, SNIHost: true, VerifyNames: []string{"b"}},
		Pooling:  Pooling{Enabled: true, Transactions: 9},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
