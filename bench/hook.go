package main

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// filter is, with what signs and queues, an eod script of 50 statements: header
// fields and regular expressions.
//
//go:embed eod.hsl
var filter string

// signature is the line that signs, with the name of the key to be put in.
const signature = `$arguments["mail"]->signDKIM("s", "s0.example.com", "pki:%s");` + "\n"

// hooked is the binary with another script at the end of data.
type hooked struct {
	posthaste
	what string
	key  crypto.Signer // what one signature is made with; nil: nothing is signed
}

func (h *hooked) name() string { return h.what }

// hookVariants are the scripts, the one of the other parts first, which does
// nothing but queue.
func (b *bench) hookVariants() ([]hooked, error) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	keys := map[string]string{}
	for id, key := range map[string]crypto.Signer{"rsa": rsaKey, "ed25519": edKey} {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, err
		}
		keys[id] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	sign := func(id string) string { return fmt.Sprintf(signature, id) }
	made := func(what, eod string, key crypto.Signer) hooked {
		return hooked{posthaste{program: b.program, eod: eod, keys: keys}, what, key}
	}
	return []hooked{
		made("queue, nothing else", queueAll, nil),
		made("sign with RSA-2048, queue", sign("rsa")+queueAll, rsaKey),
		made("sign with Ed25519, queue", sign("ed25519")+queueAll, edKey),
		made("50 statements, no signature", filter+queueAll, nil),
		made("50 statements, RSA-2048", filter+sign("rsa")+queueAll, rsaKey),
		made("50 statements, Ed25519", filter+sign("ed25519")+queueAll, edKey),
	}, nil
}

// hook measures what scripts at the end of data cost: what is taken in, what is
// relayed, and the processor time that is theirs.
func (b *bench) hook(ctx context.Context) (string, error) {
	scripts, err := b.hookVariants()
	if err != nil {
		return "", err
	}
	systems := func() (all []mta) {
		for _, h := range scripts {
			all = append(all, &hooked{h.posthaste, h.what, h.key})
		}
		return all
	}
	alone := map[string]time.Duration{}
	for _, h := range scripts {
		took, err := b.bareSignature(ctx, h.key)
		if err != nil {
			return "", err
		}
		alone[h.what] = took / time.Duration(bareSignatures*runtime.GOMAXPROCS(0))
	}
	l := load{connections: 20, reuse: true, lasting: b.lasting}
	taken, err := b.compare(ctx, "eod script, intake", "", systems, func(ctx context.Context, m mta) (int64, time.Duration, error) {
		r, err := b.send(ctx, m.listen(), l)
		return r.messages, r.elapsed, err
	})
	if err != nil {
		return "", err
	}
	s, err := sink.New(sink.Options{Listen: []string{"127.0.0.1:0"}, Hostname: "sink.example.com"})
	if err != nil {
		return "", err
	}
	if err := s.Start(ctx); err != nil {
		return "", err
	}
	defer s.Stop()
	relayed, err := b.compare(ctx, "eod script, relay", s.Addr().String(), systems, func(ctx context.Context, m mta) (int64, time.Duration, error) {
		return b.through(ctx, s, m, l)
	})
	if err != nil {
		return "", err
	}
	empty, err := emptyHook()
	return hookTable("intake", scripts, alone, taken) + "\n" + hookTable("relay", scripts, alone, relayed) + empty, err
}

// hookTable writes the figures of each script, and its share: the processor time
// beyond that of the first script in the same round.
func hookTable(what string, scripts []hooked, alone map[string]time.Duration, found map[string][]figure) string {
	var t strings.Builder
	fmt.Fprintf(&t, "| %s, script at the end of data | msg/s | CPU µs per message | **the script's share, µs** | one signature alone, µs | **share beyond it, µs** |\n|---|--:|--:|--:|--:|--:|\n", what)
	base := found[scripts[0].what]
	micro := func(f figure) float64 { return f.cpuPerMessage() * 1e3 }
	for i, h := range scripts {
		all := found[h.what]
		fmt.Fprintf(&t, "| %s | %.0f | %.0f |", h.what, median(all, figure.rate), median(all, micro))
		if i == 0 {
			t.WriteString(" | | |\n")
			continue
		}
		shares := make([]float64, min(len(all), len(base)))
		for i := range shares {
			shares[i] = micro(all[i]) - micro(base[i])
		}
		share := median(shares, func(s float64) float64 { return s })
		bare := float64(alone[h.what].Nanoseconds()) / 1e3
		fmt.Fprintf(&t, " **%.0f** | %.0f | **%.0f** |\n", share, bare, share-bare)
	}
	return t.String()
}

// bareSignature is the processor time of one signature of a short text while all
// processors make such, 0 without a key: what no arrangement of the rest can save.
func (b *bench) bareSignature(ctx context.Context, key crypto.Signer) (time.Duration, error) {
	if key == nil {
		return 0, nil
	}
	private, err := dkim.NewPrivateKey(key, 0)
	if err != nil {
		return 0, err
	}
	text := make([]byte, 512)
	return processorTime(ctx, b.lasting, func() error {
		errs := make([]error, runtime.GOMAXPROCS(0))
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() {
				for range bareSignatures {
					_, err := private.Sign(text)
					errs[i] = cmp.Or(errs[i], err)
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
}

// bareSignatures are made by each processor at a time.
const bareSignatures = 8

// emptyHook measures what a hook costs whose script is empty: the turn in the
// pool, the variables of the phase, the script and its verdict.
func emptyHook() (string, error) {
	e, err := script.New(script.Options{
		Source:  script.Source{Hooks: map[string]map[string]string{"helo": {"empty": ""}}},
		Library: stdlib.New(stdlib.Options{}), Process: value.NewProcess(0), Limits: value.Limits{Time: time.Minute},
	})
	if err != nil {
		return "", err
	}
	s, err := e.Session(script.Server{
		ID: "inbound", Hooks: map[session.Phase]string{session.PhaseHelo: "empty"},
		Pool: script.NewPool("bench", 2, 128), Metrics: script.NewServerMetrics(),
	})
	if err != nil {
		return "", err
	}
	var c session.Connection
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if s.Helo(b.Context(), &c, nil).Action != session.Accept {
				b.Fatal(errors.New("an empty script does not accept"))
			}
		}
	})
	return fmt.Sprintf("\nA hook with an empty script, its turn in the pool included, takes %d ns and %d allocations of %d bytes in all.\n",
		r.NsPerOp(), r.AllocsPerOp(), r.AllocedBytesPerOp()), nil
}
