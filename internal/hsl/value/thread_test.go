package value

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// idle is a machine that runs nothing.
type idle struct{ reach []Value }

func (idle) Call(Value, ...Value) (Value, error) { return None, nil }
func (idle) Where() []Place                      { return nil }
func (i idle) Roots(f func(Value)) {
	for _, v := range i.reach {
		f(v)
	}
}

func newThread(ctx context.Context, setup Setup) *Thread {
	t := &Thread{}
	t.Begin(ctx, idle{}, setup)
	return t
}

// closer notes that it was closed.
type closer struct {
	name string
	log  *[]string
}

func (c *closer) Close() error {
	*c.log = append(*c.log, c.name)
	return nil
}

func TestOwned(t *testing.T) {
	var closed []string
	thread := newThread(t.Context(), Setup{})
	a, b, c := &closer{"a", &closed}, &closer{"b", &closed}, &closer{"c", &closed}
	thread.Own(a)
	thread.Own(b)
	thread.Own(c)
	thread.Disown(b)
	thread.End()
	if !slices.Equal(closed, []string{"c", "a"}) {
		t.Error(closed)
	}
}

func TestMemoryLimit(t *testing.T) {
	kept := FromArray(List(String(string(make([]byte, 500)))))
	thread := &Thread{}
	thread.Begin(t.Context(), idle{reach: []Value{kept, kept}}, Setup{Limits: Limits{Memory: 2000}})
	for range 100 { // garbage
		if err := thread.Alloc(1000); err != nil {
			t.Fatal(err)
		}
	}
	thread.Hold(String(string(make([]byte, 1000))))
	var limit *LimitError
	if err := thread.Alloc(1000); !errors.As(err, &limit) || limit.Error() != "script exceeded its memory limit of 2000 bytes" {
		t.Error(err)
	}
	thread.Unhold(0)
	if err := thread.Alloc(500); err != nil {
		t.Error(err)
	}
	if err := thread.AllocFloat(1e300); !errors.As(err, &limit) {
		t.Error(err)
	}
}

func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		thread := newThread(t.Context(), Setup{Limits: Limits{Time: time.Minute}})
		defer thread.End()
		<-thread.Context().Done()
		var limit *LimitError
		if err := thread.Interrupted(thread.Context().Err()); !errors.As(err, &limit) || limit.Limit != "time" {
			t.Error(err)
		}
		if time.Since(thread.Started()) != time.Minute {
			t.Error("the deadline came at another time")
		}
		if err := thread.Interrupted(errors.New("reset")); errors.As(err, new(*Cancelled)) {
			t.Error(err)
		}
	})
}

// TestLockWait: who waits for a lock goes on when it is free, and when he is
// cancelled.
func TestLockWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProcess(0)
		owner := newThread(t.Context(), Setup{Process: p})
		if err := p.Lock(owner, "l"); err != nil {
			t.Fatal(err)
		}
		if err := p.Lock(owner, "l"); err != nil { // again
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		results := make(chan error, 2)
		wait := func(ctx context.Context) {
			thread := newThread(ctx, Setup{Process: p})
			err := p.Lock(thread, "l")
			if err == nil {
				p.Unlock(thread, "l")
			}
			results <- err
		}
		go wait(ctx)
		go wait(t.Context())
		synctest.Wait()
		cancel()
		if err := <-results; !errors.As(err, new(*Cancelled)) {
			t.Error(err)
		}
		p.Unlock(owner, "l")
		synctest.Wait()
		if len(results) > 0 {
			t.Error("the lock was given away before the last Unlock")
		}
		p.Unlock(owner, "l")
		if err := <-results; err != nil {
			t.Error(err)
		}
		if p.Holds(owner, "l") {
			t.Error("the lock is still held")
		}
	})
}

func TestMemory(t *testing.T) {
	p := NewProcess(500)
	thread := newThread(t.Context(), Setup{Process: p})
	m := p.Memory
	v := FromArray(List(Int(1)))
	err := m.Do(thread, "k", func() error {
		if !m.Entered(thread, "k") {
			t.Error("not entered")
		}
		return m.Store(nil, "k", v)
	})
	if got, ok := m.Load("k"); err != nil || !ok || !Identical(got, v) || !v.Array().Frozen() || m.Len() != 1 || m.Entered(thread, "k") {
		t.Error(got.Text(), err)
	}
	if err := m.Store(nil, "l", String(string(make([]byte, 400)))); !errors.Is(err, ErrMemoryFull) {
		t.Error(err)
	}
	if !m.Delete("k") || m.Delete("k") {
		t.Error("Delete")
	}
	if err := m.Store(nil, "l", String(string(make([]byte, 400)))); err != nil {
		t.Error(err)
	}
}

// TestCacheKeys: equal data are one entry, identities are their own.
func TestCacheKeys(t *testing.T) {
	thread := newThread(t.Context(), Setup{})
	o, f := NewException("", Place{}), &Function{Builtin: sample}
	keys := map[string]int{}
	for i, v := range []Value{
		None, True, False, Int(1), Int(0), String("1"), String(""), FromArray(List(Int(1), Int(2))), FromArray(List(Int(1), FromArray(List(Int(2))))),
		o, NewException("", Place{}), FromFunction(f), FromFunction(&Function{Builtin: sample, This: o.Object()}),
	} {
		key, err := argumentKey(thread, []Value{v})
		if old, taken := keys[key]; err != nil || taken {
			t.Errorf("%s: same key as value %d, %v", v.Text(), old, err)
		}
		keys[key] = i
	}
	for _, v := range []Value{FromArray(List(Int(1), Int(2))), o, FromFunction(&Function{Builtin: sample}), Number(math.Copysign(0, -1))} {
		key, _ := argumentKey(thread, []Value{v})
		if _, known := keys[key]; !known {
			t.Errorf("%s: a key of its own", v.Text())
		}
	}
	a, _ := argumentKey(thread, []Value{String("a"), String("b")})
	if b, _ := argumentKey(thread, []Value{String("ab"), String("")}); a == b {
		t.Error("arguments run together")
	}
}

func TestCacheExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewProcess(0)
		thread := newThread(t.Context(), Setup{Process: p})
		calls := 0
		do := func(size int, arg int) {
			t.Helper()
			_, err := p.Cache.Do(thread, &CacheCall{
				Function: "f", Args: []Value{Int(arg)}, TTL: 60, Size: size, LRU: true,
				Call: func() (Value, error) { calls++; return Int(calls), nil },
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		want := func(n int) {
			t.Helper()
			if calls != n {
				t.Errorf("%d calls, want %d", calls, n)
			}
		}
		do(2, 1)
		do(2, 1)
		want(1)
		time.Sleep(time.Minute)
		do(2, 1)
		want(2)
		do(2, 2)
		do(2, 1)
		do(2, 3) // evicts 2
		do(2, 1)
		want(4)
		do(2, 2)
		want(5)
		p.Cache.Clear("")
		do(2, 2)
		want(6)
		if s := p.Cache.Stats(); s.Misses != 6 || s.Hits != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// TestTail: texts that grow share a buffer, and never see each other's ends.
func TestTail(t *testing.T) {
	thread := newThread(t.Context(), Setup{})
	s := String(string(make([]byte, growable)))
	var all []Value
	for i := range 2000 {
		var err error
		if s, err = thread.Join([]Value{s, Int(i % 10), String("x")}); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		if i%100 == 0 { // two ends of one text
			a, _ := thread.Join([]Value{s, String("left")})
			b, _ := thread.Join([]Value{s, String("right")})
			if a.Str() != s.Str()+"left" || b.Str() != s.Str()+"right" {
				t.Fatal("ends are mixed up")
			}
		}
	}
	for i, v := range all {
		if v.StrLen() != growable+2*(i+1) || v.Str()[v.StrLen()-2:] != string(rune('0'+i%10))+"x" {
			t.Fatalf("text %d changed", i)
		}
	}
}

// TestCacheTables: what operators see of the cache, and that namespaces made of
// anything do not fill memory.
func TestCacheTables(t *testing.T) {
	p := NewProcess(0)
	thread := new(Thread)
	thread.Begin(t.Context(), nil, Setup{Process: p})
	call := func(namespace string, args ...Value) {
		t.Helper()
		_, err := p.Cache.Do(thread, &CacheCall{
			Namespace: namespace, Function: "f", Args: args, TTL: 60, Size: 2, LRU: true,
			Call: func() (Value, error) { return True, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{1, 1, 2, 3} {
		call("a", Int(n))
	}
	call("b")
	want := []CacheTable{
		{Namespace: "a", Function: "f", MaxSize: 2, Size: 2, CacheStats: CacheStats{Hits: 1, Misses: 3, Evicts: 1}},
		{Namespace: "b", Function: "f", MaxSize: 2, Size: 1, CacheStats: CacheStats{Misses: 1}},
	}
	if got := p.Cache.Tables(); !slices.Equal(got, want) {
		t.Errorf("tables %+v", got)
	}
	if n := p.Cache.ClearTables(func(t CacheTable) bool { return t.Namespace == "a" }); n != 2 || len(p.Cache.Tables()) != 1 {
		t.Errorf("%d entries cleared, %d tables left", n, len(p.Cache.Tables()))
	}
	for i := range maxTables + 5 {
		call(strconv.Itoa(i))
	}
	if n := len(p.Cache.Tables()); n != maxTables {
		t.Errorf("%d tables", n)
	}
}
