package stdlib_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/system"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// newLibrary returns the library with all that a program could give it.
func newLibrary(t testing.TB) *value.Library {
	t.Helper()
	return stdlib.New(stdlib.Options{
		System: system.Options{Hostname: "mx.example.com", Log: func(int, string) {}},
		Files: file.Folder{Virtual: map[string][]byte{
			"a.txt": []byte("one\ntwo\n"), "cert.pem": testdata(t, "cert.pem"), "list.pem": testdata(t, "list.pem"),
		}},
		Resolver: zone{},
		Engine:   engine.Options{Queue: nowhere{}, Quotas: nowhere{}, Servers: nowhere{}, Metrics: nowhere{}, Sender: nowhere{}},
	})
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// zone is a DNS of two names.
type zone struct{}

func (zone) Resolve(_ context.Context, q network.Question) (network.Answer, error) {
	if q.Host != "example.com" {
		return network.Answer{Status: "NXDOMAIN"}, nil
	}
	return network.Answer{Records: []network.Record{{TTL: time.Minute, Text: "192.0.2.1"}}}, nil
}

// nowhere is a program without messages, connections and metrics.
type nowhere struct{}

func (nowhere) Suspend(context.Context, engine.Suspension) (string, error)    { return "s1", nil }
func (nowhere) AddPolicy(context.Context, engine.Policy) (string, error)      { return "p1", nil }
func (nowhere) DeletePolicy(context.Context, string) (bool, error)            { return false, nil }
func (nowhere) Quota(string) (count, bytes int64)                             { return 0, 0 }
func (nowhere) Concurrency(string, string) (int, bool)                        { return 0, false }
func (nowhere) Add(string, []engine.Label, float64) bool                      { return false }
func (nowhere) Set(string, []engine.Label, float64) bool                      { return false }
func (nowhere) Get(string, []engine.Label) (engine.Metric, bool)              { return engine.Metric{}, false }
func (nowhere) CheckHost(context.Context, engine.SenderQuery) (r, why string) { return "none", "" }
