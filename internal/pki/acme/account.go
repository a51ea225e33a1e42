package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	wire "github.com/mholt/acmez/v3/acme"
)

// Directories of Let's Encrypt.
const (
	Production = "https://acme-v02.api.letsencrypt.org/directory"
	Staging    = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// NoEmail in place of an address registers without one.
const NoEmail = "none"

// Authority is a certificate authority and how to reach it.
type Authority struct {
	Directory string         // URL
	Roots     *x509.CertPool // nil: the system's
	Binding   *Binding       // nil: none
}

// Binding is an external account binding (RFC 8555 §7.3.4).
type Binding struct {
	KeyID   string
	HMACKey string // base64url
}

// public reports whether names must be public to be certified. An authority with
// roots of its own is private.
func (a *Authority) public() bool { return a.Roots == nil }

func (a *Authority) transport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.Roots}
	t.MaxIdleConnsPerHost = 8
	return t
}

// key is where things of this authority are kept: its host, as people look for
// it, and accounts by the whole URL, of which a host may have several.
func (a *Authority) key() string {
	host := "authority"
	if u, err := url.Parse(a.Directory); err == nil && u.Host != "" {
		host = strings.NewReplacer(":", "_", "[", "", "]", "").Replace(u.Host)
	}
	return host + "/accounts/" + fingerprint([]byte(a.Directory))[:8]
}

// accounts keeps the one account that we have at an authority. Its key is made
// once and kept, and stays when the address of the contact changes: certificates
// can only be replaced by the account that ordered them.
type accounts struct {
	acme      *wire.Client
	authority Authority
	email     string
	storage   Storage

	mu      sync.Mutex
	account *wire.Account // nil: not looked up yet
}

// storedAccount is what is kept besides the key.
type storedAccount struct {
	Location  string   `json:"uri"`
	Directory string   `json:"directory"`
	Contact   []string `json:"contact"`
	KeyID     string   `json:"eab_kid,omitempty"`
}

func (a *accounts) contact() []string {
	if a.email == "" || a.email == NoEmail {
		return nil
	}
	return []string{"mailto:" + a.email}
}

// forget makes the next get register anew, with the same key.
func (a *accounts) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.account = nil
	_ = a.storage.Delete(context.Background(), a.authority.key()+"/account.json")
}

// get returns the account, registering it when there is none.
func (a *accounts) get(ctx context.Context) (wire.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.account != nil {
		return *a.account, nil
	}
	unlock, err := a.storage.Lock(ctx, "account."+fingerprint([]byte(a.authority.Directory))[:8])
	if err != nil {
		return wire.Account{}, err
	}
	defer unlock()
	key, err := a.key(ctx)
	if err != nil {
		return wire.Account{}, err
	}
	account, err := a.known(ctx, key)
	if err != nil {
		return wire.Account{}, err
	}
	if account == nil {
		if account, err = a.register(ctx, key); err != nil {
			return wire.Account{}, err
		}
	}
	a.account = account
	return *account, nil
}

// known returns the account that is stored, with a new contact where that has
// changed; nil when there is none.
func (a *accounts) known(ctx context.Context, key crypto.Signer) (*wire.Account, error) {
	data, err := a.storage.Load(ctx, a.authority.key()+"/account.json")
	if errors.Is(err, ErrAbsent) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var stored storedAccount
	if err := json.Unmarshal(data, &stored); err != nil || stored.Location == "" {
		return nil, nil // damaged: registering with the same key finds it again
	}
	account := wire.Account{Status: wire.StatusValid, Location: stored.Location, Contact: stored.Contact, PrivateKey: key}
	if slices.Equal(stored.Contact, a.contact()) {
		return &account, nil
	}
	account.Contact = a.contact()
	updated, err := a.acme.UpdateAccount(ctx, account)
	if err != nil {
		return nil, accountProblem(ctx, err)
	}
	updated.PrivateKey, updated.Location = key, stored.Location
	return &updated, a.store(ctx, &updated)
}

func (a *accounts) register(ctx context.Context, key crypto.Signer) (*wire.Account, error) {
	account := wire.Account{Contact: a.contact(), TermsOfServiceAgreed: true, PrivateKey: key}
	if b := a.authority.Binding; b != nil {
		if err := account.SetExternalAccountBinding(ctx, a.acme, wire.EAB{KeyID: b.KeyID, MACKey: b.HMACKey}); err != nil {
			return nil, accountProblem(ctx, err)
		}
	}
	made, err := a.acme.NewAccount(ctx, account)
	if err != nil {
		return nil, accountProblem(ctx, err)
	}
	made.PrivateKey = key
	return &made, a.store(ctx, &made)
}

func (a *accounts) store(ctx context.Context, account *wire.Account) error {
	stored := storedAccount{Location: account.Location, Directory: a.authority.Directory, Contact: a.contact()}
	if a.authority.Binding != nil {
		stored.KeyID = a.authority.Binding.KeyID
	}
	data, err := json.MarshalIndent(stored, "", "  ")
	if err != nil {
		return fmt.Errorf("acme: account: %w", err)
	}
	return a.storage.Store(ctx, a.authority.key()+"/account.json", append(data, '\n'))
}

// key returns the private key of the account, making it the first time.
func (a *accounts) key(ctx context.Context) (crypto.Signer, error) {
	data, err := a.storage.Load(ctx, a.authority.key()+"/key.pem")
	if err == nil {
		return parseKey(data)
	}
	if !errors.Is(err, ErrAbsent) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("acme: account key: %w", err)
	}
	text, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return key, a.storage.Store(ctx, a.authority.key()+"/key.pem", text)
}

// accountProblem marks what concerns the account and so every name (spec tls.md
// 6.3, TLS-24).
func accountProblem(ctx context.Context, err error) error {
	p := translate(ctx, err)
	if p.Code == "acme:unauthorized" || p.Code == "acme:malformed" {
		p.Code = "account:" + strings.TrimPrefix(p.Code, "acme:")
	}
	p.Detail = "the authority refuses our account: " + p.Detail
	if p.Code == codeUnreached {
		p.Detail = strings.TrimPrefix(p.Detail, "the authority refuses our account: ")
	}
	return p
}

func parseKey(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("acme: a private key in storage is damaged")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("acme: a private key in storage is damaged: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("acme: a private key in storage is a %T", key)
	}
	return signer, nil
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("acme: private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
