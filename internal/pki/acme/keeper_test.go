package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// stub is an authority without a network. Its answers come at once.
type stub struct {
	mu     sync.Mutex
	fail   func(name string) *Problem // nil: succeed
	window func() (Window, error)
	life   time.Duration
	orders []order
	serial int64
	key    crypto.Signer
}

type order struct {
	at time.Time
	Order
}

func newStub(t testing.TB) *stub {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &stub{life: 90 * day, key: key}
}

func (s *stub) Describe(context.Context) (Directory, error) { return Directory{}, nil }

func (s *stub) RenewalInfo(context.Context, *x509.Certificate) (Window, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.window == nil {
		return Window{}, errors.New("not offered")
	}
	return s.window()
}

func (s *stub) Obtain(_ context.Context, o *Order) (*Issued, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders = append(s.orders, order{time.Now(), *o})
	if s.fail != nil {
		if p := s.fail(o.Name); p != nil {
			return nil, p
		}
	}
	s.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(s.serial), DNSNames: []string{o.Name}, NotBefore: time.Now(), NotAfter: time.Now().Add(s.life),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, o.Key.Public(), s.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	return &Issued{Chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Leaf: leaf, Account: "acct", Directory: "https://stub"}, err
}

// answer sets how orders end from now on.
func (s *stub) answer(f func(name string) *Problem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// times returns when orders for a name were made.
func (s *stub) times(name string) (all []time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if o.Name == name {
			all = append(all, o.at)
		}
	}
	return all
}

func (s *stub) last() order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.orders[len(s.orders)-1]
}

func wants(names ...string) (all []Want) {
	for _, n := range names {
		all = append(all, Want{Name: n})
	}
	return all
}

// with are options under which everything but the authority is out of the way.
func with(names ...string) *Options {
	return &Options{
		Agreed: true, Email: NoEmail, Authorities: []Authority{{Directory: "https://stub", Roots: x509.NewCertPool()}},
		Check: Check{Mode: CheckOff}, Wants: wants(names...),
	}
}

// newKeeper starts a manager on a folder and the stub.
func newKeeper(t testing.TB, s *stub, dir string, o *Options) *Keeper {
	t.Helper()
	storage, err := OpenFileStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := New(Parts{Agent: "test", Connect: func(Authority) Issuer { return s }})
	m.Configure(o)
	if err := m.Start(context.Background(), storage); err != nil {
		t.Fatal(err)
	}
	return m
}

func statusOf(t testing.TB, m *Keeper, name string) Status {
	t.Helper()
	all, _, _ := m.Status()
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s is not listed", name)
	return Status{}
}

// TestDownForADay: an authority that does not answer for a day is asked by the
// ladder, across a restart in the middle, and then gives its certificate.
func TestDownForADay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.answer(func(string) *Problem { return &Problem{Code: codeUnreached, Detail: "connection refused"} })
		began := time.Now()
		m := newKeeper(t, s, dir, with("a.test"))
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		state := statusOf(t, m, "a.test")
		if state.State != Failed || !strings.Contains(state.LastFailure.Message, "Registration failed: connection refused") {
			t.Errorf("after ten hours: %s, %+v", state.State, state.LastFailure)
		}
		m.Stop()
		before := len(s.times("a.test"))
		m = newKeeper(t, s, dir, with("a.test"))
		synctest.Wait()
		if got := statusOf(t, m, "a.test"); len(s.times("a.test")) != before || !got.Next.Equal(state.Next) || got.FailuresInRow != state.FailuresInRow {
			t.Errorf("a restart changed the next attempt from %s to %s, with %d orders more", state.Next, got.Next, len(s.times("a.test"))-before)
		}
		time.Sleep(time.Until(began.Add(day)))
		s.answer(nil)
		for statusOf(t, m, "a.test").State != Valid && time.Since(began) < 3*day {
			time.Sleep(time.Minute)
			synctest.Wait()
		}
		m.Stop()
		waited := s.times("a.test")
		var waits []time.Duration
		for i := 1; i < len(waited); i++ {
			waits = append(waits, waited[i].Sub(waited[i-1]))
		}
		for i, want := range Intervals[:len(waits)] {
			if waits[i] < want || waits[i] > want+want/10+time.Minute {
				t.Errorf("wait %d was %s, want %s and at most a tenth more", i+1, waits[i], want)
			}
		}
		if len(m.Certificates("a.test")) != 1 || waits[0] != time.Minute {
			t.Errorf("no certificate in the end, or a first wait of %s", waits[0])
		}
		t.Logf("%d orders in %s: %s", len(waited), waited[len(waited)-1].Sub(began), waits)
	})
}

// TestYear lives through a year: renewals thirty days before the end, without
// a word of what was said in between, and a key of its own each time.
func TestYear(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		o := with("a.test", "kept.test")
		o.ReuseKey = func(name string) bool { return name == "kept.test" }
		began := time.Now()
		m := newKeeper(t, s, dir, o)
		time.Sleep(365 * day)
		synctest.Wait()
		m.Stop()
		for _, name := range []string{"a.test", "kept.test"} {
			for i, at := range s.times(name) {
				if got := at.Sub(began).Round(time.Minute); got != time.Duration(i)*60*day {
					t.Errorf("%s: order %d after %s", name, i+1, got)
				}
			}
			if n := len(s.times(name)); n != 7 {
				t.Errorf("%s: %d orders in a year", name, n)
			}
		}
		keys := map[string]map[string]bool{"a.test": {}, "kept.test": {}}
		for _, o := range s.orders {
			der, _ := x509.MarshalPKIXPublicKey(o.Key.Public())
			keys[o.Name][string(der)] = true
		}
		if len(keys["a.test"]) != 7 || len(keys["kept.test"]) != 1 {
			t.Errorf("%d keys and %d kept ones", len(keys["a.test"]), len(keys["kept.test"]))
		}
	})
}

// TestRenewalInfo renews when the authority says so, names what is replaced, and
// notices a window that moves earlier.
func TestRenewalInfo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		began := time.Now()
		s.window = func() (Window, error) {
			return Window{Start: began.Add(40 * day), End: began.Add(42 * day), RetryAfter: time.Now().Add(6 * time.Hour)}, nil
		}
		o := with("a.test")
		o.ARI = true
		var moved []string
		m := newKeeper(t, s, dir, o)
		m.parts.Events.Moved = func(name string, _ time.Time, url string) { moved = append(moved, name+" "+url) }
		time.Sleep(day)
		synctest.Wait()
		chosen := statusOf(t, m, "a.test").RenewAt
		if chosen.Before(began.Add(40*day)) || chosen.After(began.Add(42*day)) {
			t.Errorf("renewal in %s", chosen.Sub(began))
		}
		time.Sleep(day)
		synctest.Wait()
		if again := statusOf(t, m, "a.test").RenewAt; !again.Equal(chosen) {
			t.Errorf("the instant changed from %s to %s without a new window", chosen, again)
		}
		s.mu.Lock()
		s.window = func() (Window, error) {
			return Window{Start: began.Add(day), End: began.Add(day + time.Hour), URL: "https://ca.test/revoked"}, nil
		}
		s.mu.Unlock()
		time.Sleep(13 * time.Hour) // at least twice a day
		synctest.Wait()
		m.Stop()
		if n := len(s.times("a.test")); n < 2 {
			t.Fatalf("%d orders after the window moved to the past", n)
		}
		second := s.orders[1]
		if second.Replaces == nil || second.Replaces.SerialNumber.Int64() != 1 || second.ReplacesAccount != "acct" {
			t.Errorf("the order does not say what it replaces: %+v", second.Order)
		}
		if len(moved) == 0 || moved[0] != "a.test https://ca.test/revoked" {
			t.Errorf("told of %q", moved)
		}
	})
}

// TestRefusedReplacement orders without a word about the certificate before,
// once the authority did not like it.
func TestRefusedReplacement(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		o := with("a.test")
		o.ARI = true
		m := newKeeper(t, s, dir, o)
		synctest.Wait()
		s.answer(func(string) *Problem {
			if o := s.orders[len(s.orders)-1]; o.Replaces != nil {
				return &Problem{Code: "acme:unauthorized", Detail: "requester account did not request the certificate being replaced by this order"}
			}
			return nil
		})
		time.Sleep(61 * day)
		synctest.Wait()
		m.Stop()
		if got := statusOf(t, m, "a.test"); got.State != Valid || len(s.times("a.test")) != 3 || s.last().Replaces != nil {
			t.Errorf("%s after %d orders, the last of which replaces %v", got.State, len(s.times("a.test")), s.last().Replaces)
		}
	})
}

// TestOff: without consent nobody is asked, what there is serves, and it is said
// what is missing.
func TestOff(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		m := newKeeper(t, s, dir, with("a.test"))
		synctest.Wait()
		m.Stop()
		for missing, o := range map[string]*Options{"agreetos": {Email: "a@b.test"}, "email": {Agreed: true}} {
			o.Authorities, o.Wants, o.ARI = with().Authorities, wants("a.test", "b.test"), true
			m := newKeeper(t, s, dir, o)
			time.Sleep(200 * day)
			synctest.Wait()
			_, off, _ := m.Status()
			if n := len(s.orders); n != 1 || !strings.Contains(off, missing) {
				t.Errorf("%d orders, off because %q, want %s", n, off, missing)
			}
			if got := statusOf(t, m, "b.test").State; got != Disabled || len(m.Certificates("a.test")) != 1 {
				t.Errorf("state %s", got)
			}
			if _, err := m.Retry("b.test", false); !errors.Is(err, ErrDisabled) {
				t.Errorf("retry: %v", err)
			}
			m.Stop()
		}
	})
}

// TestHerd: hundreds of new names are ordered a few at a time, at most so many
// within hours, and renewals do not count towards that.
func TestHerd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		var names []string
		for i := range 60 {
			names = append(names, fmt.Sprintf("n%02d.test", i))
		}
		o := with(names...)
		o.Budget = Budget{Burst: 10, Every: time.Second, New: 25, Window: 3 * time.Hour}
		began := time.Now()
		m := newKeeper(t, s, dir, o)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(s.orders); n != 25 {
			t.Errorf("%d orders in the first hour", n)
		}
		m.Stop() // a restart does not make the budget new
		m = newKeeper(t, s, dir, o)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(s.orders); n != 25 {
			t.Errorf("%d orders after a restart", n)
		}
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		m.Stop()
		if n := len(s.orders); n != 60 {
			t.Errorf("%d orders in eight hours", n)
		}
		for i := range s.orders {
			if i >= 10 && s.orders[i].at.Sub(s.orders[i-10].at) < time.Second {
				t.Errorf("orders %d to %d within %s", i-10, i, s.orders[i].at.Sub(s.orders[i-10].at))
			}
		}
		t.Logf("60 names in %s", s.last().at.Sub(began))
	})
}

// TestAccountRefused stops all names with one message.
func TestAccountRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.answer(func(string) *Problem {
			return &Problem{Code: "acme:externalAccountRequired", Detail: "an account is needed"}
		})
		o := with("a.test", "b.test", "c.test")
		o.Concurrency = 1
		m := newKeeper(t, s, dir, o)
		time.Sleep(11 * time.Hour)
		synctest.Wait()
		if _, _, stopped := m.Status(); len(s.orders) != 1 || stopped != "an account is needed" {
			t.Errorf("%d orders, stopped by %q", len(s.orders), stopped)
		}
		s.answer(nil)
		done, err := m.Retry("b.test", false)
		if err != nil {
			t.Fatal(err)
		}
		if r := <-done; r.Failure != nil {
			t.Errorf("retry: %+v", r.Failure)
		}
		time.Sleep(day)
		synctest.Wait()
		m.Stop()
		for _, name := range []string{"a.test", "b.test", "c.test"} {
			if got := statusOf(t, m, name).State; got != Valid {
				t.Errorf("%s is %s", name, got)
			}
		}
	})
}

func TestRetry(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		s.answer(func(name string) *Problem {
			if name == "bad.test" {
				return &Problem{Code: "acme:unauthorized", Detail: "no"}
			}
			return nil
		})
		m := newKeeper(t, s, dir, with("good.test", "bad.test"))
		defer m.Stop()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if _, err := m.Retry("other.test", false); !errors.Is(err, ErrUnknownName) {
			t.Errorf("an unknown name: %v", err)
		}
		var early *NotDueError
		if _, err := m.Retry("GOOD.test.", false); !errors.As(err, &early) || !early.Until.Equal(statusOf(t, m, "good.test").RenewAt) {
			t.Errorf("a valid one: %v", err)
		}
		done, err := m.Retry("good.test", true)
		if err != nil {
			t.Fatal(err)
		}
		if r := <-done; r.Failure != nil || len(s.times("good.test")) != 2 {
			t.Errorf("a forced one: %+v, %d orders", r, len(s.times("good.test")))
		}
		// By now four failures have reached the authority within the hour.
		done, err = m.Retry("bad.test", false)
		if err != nil {
			t.Fatal(err)
		}
		r := <-done
		synctest.Wait()
		got := statusOf(t, m, "bad.test")
		if r.Failure == nil || got.FailuresInRow != 1 || got.Next.Sub(r.Failure.Time) != time.Minute {
			t.Errorf("the ladder did not begin anew: %+v", got)
		}
		if _, err := m.Retry("bad.test", false); !errors.Is(err, ErrTooMany) {
			t.Errorf("the sixth within an hour: %v", err)
		}
	})
}

// TestNames: a new one is tried at once, one that goes is renewed no more, serves
// on, and is put aside after thirty days.
func TestNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		m := newKeeper(t, s, dir, with("old.test"))
		time.Sleep(time.Hour)
		m.Configure(with("new.test"))
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if len(m.Certificates("new.test")) != 1 {
			t.Error("a new name has no certificate after five seconds")
		}
		time.Sleep(29 * day)
		synctest.Wait()
		if len(m.Certificates("old.test")) != 1 {
			t.Error("a name that went does not serve any more")
		}
		time.Sleep(2 * day)
		synctest.Wait()
		_, err := m.storage.LoadPair(context.Background(), "old.test")
		if !errors.Is(err, ErrAbsent) || m.Certificates("old.test") != nil || len(s.times("old.test")) != 1 {
			t.Errorf("after thirty days: %v, %d orders", err, len(s.times("old.test")))
		}
		m.Stop()
	})
}

// TestRemovedAndWantedAgain starts the thirty days anew.
func TestRemovedAndWantedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		m := newKeeper(t, s, dir, with("a.test"))
		for _, o := range []*Options{with(), with("a.test"), with()} {
			time.Sleep(20 * day)
			m.Configure(o)
		}
		time.Sleep(20 * day)
		synctest.Wait()
		if len(m.Certificates("a.test")) != 1 {
			t.Error("the time before counted")
		}
		m.Stop()
	})
}

// TestExpiring tells once for each mark.
func TestExpiring(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		s := newStub(t)
		m := newKeeper(t, s, dir, with("a.test"))
		var mu sync.Mutex
		var told []int
		m.parts.Events.Expiring = func(_ string, end time.Time) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, int(time.Until(end).Round(time.Hour)/day))
		}
		synctest.Wait()
		s.answer(func(string) *Problem { return &Problem{Code: codeUnreached} })
		time.Sleep(92 * day)
		synctest.Wait()
		m.Stop()
		if want := []int{14, 7, 3, 1}; !slices.Equal(told, want) {
			t.Errorf("told %v days before the end, want %v", told, want)
		}
		if got := statusOf(t, m, "a.test").State; got != Expired || len(m.Certificates("a.test")) != 1 {
			t.Errorf("state %s", got)
		}
	})
}

// TestFallback asks the second authority when the first fails for its own
// reasons, and only then.
func TestFallback(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	synctest.Test(t, func(t *testing.T) {
		first, second := newStub(t), newStub(t)
		codes := map[string]string{"a.test": codeLimited, "b.test": "acme:dns"}
		first.answer(func(name string) *Problem { return &Problem{Code: codes[name], Detail: "first says no"} })
		o := with("a.test", "b.test")
		o.Authorities = append(o.Authorities, Authority{Directory: "https://second"})
		storage, err := OpenFileStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		m := New(Parts{Connect: func(a Authority) Issuer {
			return map[string]*stub{"https://stub": first, "https://second": second}[a.Directory]
		}})
		m.Configure(o)
		if err := m.Start(t.Context(), storage); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		m.Stop()
		if len(second.times("a.test")) != 1 || len(second.times("b.test")) != 0 || len(m.Certificates("a.test")) != 1 {
			t.Errorf("the second was asked %d and %d times", len(second.times("a.test")), len(second.times("b.test")))
		}
	})
}

// TestTwoProcesses share a storage: one orders, the other finds it there.
func TestTwoProcesses(t *testing.T) {
	s, dir := newStub(t), filepath.Join(t.TempDir(), "acme")
	var both [2]*Keeper
	for i := range both {
		both[i] = newKeeper(t, s, dir, with("a.test"))
		defer both[i].Stop()
	}
	for _, m := range both {
		eventually(t, "both serve it", func() bool { return len(m.Certificates("a.test")) == 1 })
	}
	if n := len(s.times("a.test")); n != 1 {
		t.Errorf("%d orders", n)
	}
}

func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	end, ticker := time.After(30*time.Second), time.NewTicker(10*time.Millisecond)
	defer ticker.Stop()
	for !happened() {
		select {
		case <-ticker.C:
		case <-end:
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// TestDamagedState: what cannot be read costs its own name a warning and nobody
// anything else.
func TestDamagedState(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	storage, err := OpenFileStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	for key, text := range map[string]string{recordKey("a.test"): "{", budgetKey: "[", "certs/b.test/current/privkey.pem": "no key"} {
		if err := storage.Store(t.Context(), key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	s := newStub(t)
	m := newKeeper(t, s, dir, with("a.test"))
	defer m.Stop()
	eventually(t, "a certificate in spite of it", func() bool { return len(m.Certificates("a.test")) == 1 })
	data, err := storage.Load(t.Context(), recordKey("a.test"))
	if err != nil || !json.Valid(data) {
		t.Errorf("state afterwards: %q, %v", data, err)
	}
}
