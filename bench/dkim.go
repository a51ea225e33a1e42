package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/cipher"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
)

// signing is one thing that is done with a message.
type signing struct {
	what string
	do   func() error
}

// dkim measures what signatures cost, in processor time of this process, so that
// it does not matter what else the machine does.
func (b *bench) dkim(ctx context.Context) (string, error) {
	all, err := b.signings(ctx)
	if err != nil {
		return "", err
	}
	var t strings.Builder
	fmt.Fprintf(&t, "Messages of %d bytes, from their bytes to the finished field or result.\n\n| what | CPU µs | per second and core |\n|---|--:|--:|\n", b.size)
	for _, s := range all {
		took, err := processorTime(ctx, b.lasting/4, s.do)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.what, err)
		}
		fmt.Fprintf(&t, "| %s | %.0f | %.0f |\n", s.what, float64(took.Nanoseconds())/1e3, 1/took.Seconds())
	}
	if rate := b.openssl(ctx); rate > 0 {
		fmt.Fprintf(&t, "| for comparison: RSA-2048 of OpenSSL, the bare operation | %.0f | %.0f |\n", 1e6/rate, rate)
	}
	return t.String(), nil
}

func (b *bench) signings(ctx context.Context) ([]signing, error) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	letter := signedLetter(b.size)
	rsaSigner, err1 := dkim.NewSigner(rsaKey, dkim.Options{Domain: "example.com", Selector: "r"})
	edSigner, err2 := dkim.NewSigner(edKey, dkim.Options{Domain: "example.com", Selector: "e"})
	if err1 != nil || err2 != nil {
		return nil, fmt.Errorf("%w%w", err1, err2)
	}
	sign := func(signers ...*dkim.Signer) func() error {
		return func() error { _, err := signLetter(ctx, letter, signers...); return err }
	}
	all := []signing{
		{"sign, rsa-sha256 with 2048 bits", sign(rsaSigner)}, {"sign, ed25519-sha256", sign(edSigner)}, {"sign, both", sign(rsaSigner, edSigner)},
	}
	for _, key := range []crypto.Signer{rsaKey, edKey} {
		script, err := signingScript(ctx, letter, key)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(fmt.Sprintf("%T", key), "*")
		all = append(all, signing{"sign in a script and write the message, " + strings.TrimSuffix(name, ".PrivateKey"), script})
	}
	for _, s := range []*dkim.Signer{rsaSigner, edSigner} {
		check, err := verifyLetter(ctx, letter, s)
		if err != nil {
			return nil, err
		}
		all = append(all, signing{"verify, " + s.Key().Algorithm().String() + ", the key at hand", check})
	}
	return all, nil
}

// signedLetter is a message of about that size.
func signedLetter(size int) []byte {
	const header = "From: Joe <joe@example.com>\r\nTo: Ann <ann@example.org>\r\nSubject: hello\r\nDate: Mon, 30 Nov 2026 10:00:00 +0000\r\n" +
		"Message-ID: <1@example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
	const line = "The quick brown fox jumps over the lazy dog, again and again.\r\n"
	return []byte(header + strings.Repeat(line, max(size-len(header), 0)/len(line)))
}

func signLetter(ctx context.Context, letter []byte, signers ...*dkim.Signer) ([][]byte, error) {
	end, at, _ := message.Split(letter)
	body := new(dkim.Body)
	for _, s := range signers {
		body.Want(s.BodyHash())
	}
	if _, err := body.Write(letter[at:]); err != nil {
		return nil, err
	}
	if err := body.Close(); err != nil {
		return nil, err
	}
	return signingPool.Sign(ctx, dkim.NewHeader(letter[:end]), body, signers...)
}

var signingPool = dkim.NewPool(0)

// record is a DNS with one key.
type record string

func (r record) TXT(context.Context, string) ([]string, error) { return []string{string(r)}, nil }

func verifyLetter(ctx context.Context, letter []byte, s *dkim.Signer) (func() error, error) {
	fields, err := signLetter(ctx, letter, s)
	if err != nil {
		return nil, err
	}
	text, err := s.Key().Record()
	if err != nil {
		return nil, err
	}
	signed := append(fields[0], letter...)
	v := dkim.NewVerifier(record(text), dkim.VerifyOptions{})
	return func() error {
		results, err := v.Message(ctx, bytes.NewReader(signed), int64(len(signed)))
		if err == nil && results[0].Status != dkim.Pass {
			err = results[0].Err
		}
		return err
	}, nil
}

// signingScript runs the least script that signs.
func signingScript(ctx context.Context, letter []byte, key crypto.Signer) (func() error, error) {
	library := value.NewLibrary(mail.New(mail.Options{}).Library(stdlib.New(stdlib.Options{})), value.Declarations{
		Variables: []*value.Variable{{Name: "text", Type: value.StringType}, {Name: "key", Type: value.ResourceType}},
	})
	p, err := hsl.Compile("sign", `MailMessage::String($text)->signDKIM("s", "example.com", $key)->toString();`, hsl.Options{Library: library})
	if err != nil {
		return nil, err
	}
	process, text := value.NewProcess(0), string(letter)
	return func() error {
		_, err := p.Run(ctx, hsl.Execution{Setup: value.Setup{Process: process},
			Variables: map[string]value.Value{"text": value.String(text), "key": value.FromResource(&cipher.Key{Signer: key})}})
		return err
	}, nil
}

// processorTime repeats something until it took that long and returns what one
// time takes, user and system, garbage collection included.
func processorTime(ctx context.Context, lasting time.Duration, do func() error) (time.Duration, error) {
	runtime.GC()
	began, n := usedTime(), 0
	for usedTime()-began < lasting && ctx.Err() == nil {
		for range 20 {
			if err := do(); err != nil {
				return 0, err
			}
		}
		n += 20
	}
	return (usedTime() - began) / time.Duration(max(n, 1)), ctx.Err()
}

// usedTime is the processor time of this process so far.
func usedTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the call has no way to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// openssl returns how many RSA-2048 signatures OpenSSL makes per second, 0 if it
// is not here.
func (b *bench) openssl(ctx context.Context) float64 {
	out, err := exec.CommandContext(ctx, "openssl", "speed", "-seconds", "1", "rsa2048").Output()
	if err != nil {
		b.progress("without OpenSSL: %v", err)
		return 0
	}
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) > 5 && words[0] == "rsa" {
			rate, _ := strconv.ParseFloat(words[5], 64)
			return rate
		}
	}
	return 0
}
