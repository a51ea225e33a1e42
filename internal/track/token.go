// Package track makes links that tell who followed them: tokens, and the rewriting of
// the HTML of a message.
//
// The tokens are Halon's, so that links that were sent before a move go on working:
// the number of a secret, an HMAC-SHA-256, and the payload in JSON, deflated, all in
// base64 for URLs (spec operations.md 17.1). Whoever has one can read it and cannot
// make another.
package track

import (
	"bytes"
	"compress/flate"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Secret signs tokens.
type Secret struct {
	ID  byte // 1 to 254
	Key string
}

// Payload is what a token says.
type Payload struct {
	Recipient  string          `json:"r"`
	MessageID  string          `json:"m"`
	URL        string          `json:"u,omitempty"` // of a click
	Additional json.RawMessage `json:"a,omitempty"`
}

// ErrToken is for a token that nobody with the secret has made.
var ErrToken = errors.New("track: not a token of ours")

// largest bounds the payload of a token.
const largest = 64 << 10

// writers are costly to make: 0.8 MB each.
var writers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestCompression)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// Token returns the token of a payload.
func (s Secret) Token(p Payload) (string, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return "", fmt.Errorf("track: %w", err)
	}
	data := bytes.TrimSuffix(text.Bytes(), []byte("\n"))
	blob := bytes.NewBuffer(append([]byte{s.ID}, s.sum(data)...))
	w := writers.Get().(*flate.Writer)
	defer writers.Put(w)
	w.Reset(blob)
	if _, err := w.Write(data); err != nil {
		return "", fmt.Errorf("track: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("track: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(blob.Bytes()), nil
}

func (s Secret) sum(data []byte) []byte {
	h := hmac.New(sha256.New, []byte(s.Key))
	h.Write(data)
	return h.Sum(nil)
}

// Open returns the payload of a token, or ErrToken. secret finds the key of a
// number.
func Open(token string, secret func(id byte) (Secret, bool)) (Payload, error) {
	blob, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(blob) < 1+sha256.Size {
		return Payload{}, ErrToken
	}
	s, ok := secret(blob[0])
	if !ok {
		return Payload{}, ErrToken
	}
	data, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(blob[1+sha256.Size:])), largest+1))
	if err != nil || len(data) > largest || !hmac.Equal(s.sum(data), blob[1:1+sha256.Size]) {
		return Payload{}, ErrToken
	}
	var p Payload
	if err := json.Unmarshal(data, &p); err != nil {
		return Payload{}, ErrToken
	}
	return p, nil
}
