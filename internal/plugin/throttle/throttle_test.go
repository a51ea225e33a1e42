package throttle_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/plugin/throttle"
)

func newPlugin(t *testing.T, total, host int) *throttle.Plugin {
	t.Helper()
	p, err := throttle.New(plugin.Settings{"threads": []any{map[string]any{"id": "p", "max_total": total, "max_host": host}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAdmit: requests of a second each, by how long all of them take.
func TestAdmit(t *testing.T) {
	for _, tt := range []struct {
		total, host int
		hosts       []string
		want        time.Duration
	}{
		{1, 1, []string{"a", "b", "c"}, 3 * time.Second},
		{3, 1, []string{"a", "b", "c"}, time.Second},
		{3, 1, []string{"a", "a", "b"}, 2 * time.Second},
		{3, 2, []string{"a", "a", "a", "a"}, 2 * time.Second},
		{2, 2, []string{"a", "a", "b", "b", "c"}, 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlugin(t, tt.total, tt.host)
			began := time.Now()
			var wg sync.WaitGroup
			for _, host := range tt.hosts {
				wg.Go(func() {
					release, err := p.Admit(t.Context(), "p", host)
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(time.Second)
					release()
				})
			}
			wg.Wait()
			if took := time.Since(began); took != tt.want {
				t.Errorf("%+v took %v", tt, took)
			}
		})
	}
}

func TestGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlugin(t, 1, 1)
		release, err := p.Admit(t.Context(), "p", "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"a", "b"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := p.Admit(ctx, "p", host); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", host, err)
			}
			cancel()
		}
		release()
		release() // does nothing
		for range 3 {
			again, err := p.Admit(t.Context(), "p", "a")
			if err != nil {
				t.Fatal(err)
			}
			again()
		}
	})
}

func TestMistakes(t *testing.T) {
	one := map[string]any{"id": "p"}
	if _, err := throttle.New(plugin.Settings{"threads": []any{one, one}}); err == nil {
		t.Error("two pools of one id are taken")
	}
	if _, err := throttle.New(plugin.Settings{"threads": []any{map[string]any{"id": "p", "max_total": 0}}}); err == nil {
		t.Error("a pool of nothing is taken")
	}
	if _, err := newPlugin(t, 1, 1).Admit(t.Context(), "q", "a"); !errors.Is(err, throttle.ErrUnknown) {
		t.Errorf("another pool: %v", err)
	}
}
