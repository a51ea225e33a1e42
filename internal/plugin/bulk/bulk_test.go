package bulk_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/plugin/backlog"
	"github.com/posthaste-mta/posthaste/internal/plugin/bulk"
)

// patience is for what happens soon, on any machine.
const patience = 30 * time.Second

// receiver is an HTTP server that remembers requests and answers as it is told.
type receiver struct {
	*httptest.Server
	got    chan *request
	mu     sync.Mutex
	status int
}

type request struct {
	body   string
	header http.Header
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{got: make(chan *request, 100), status: 200}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		status := r.status
		r.mu.Unlock()
		w.WriteHeader(status)
		fmt.Fprintf(w, "status %d\n", status)
		r.got <- &request{string(body), q.Header}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) next(t *testing.T) *request {
	t.Helper()
	select {
	case q := <-r.got:
		return q
	case <-time.After(patience):
		t.Fatal("no request")
		return nil
	}
}

func (r *receiver) expect(t *testing.T, bodies ...string) {
	t.Helper()
	for _, want := range bodies {
		if got := r.next(t).body; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

type keys map[string]any

func start(t *testing.T, url, path string, more keys) *bulk.Plugin {
	t.Helper()
	one := map[string]any{"id": "q", "path": path, "url": url}
	for k, v := range more {
		one[k] = v
	}
	p, err := bulk.New(plugin.Settings{"queues": []any{one}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(t.Context()) })
	return p
}

func add(t *testing.T, p *bulk.Plugin, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := p.Add("q", text); err != nil {
			t.Fatal(err)
		}
	}
}

func command(t *testing.T, p *bulk.Plugin, words string) string {
	t.Helper()
	said, err := p.Command(t.Context(), strings.Fields(words))
	if err != nil {
		t.Fatalf("%s: %v", words, err)
	}
	return said
}

// until waits for a line of the status.
func until(t *testing.T, p *bulk.Plugin, queue, line string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; <-tick.C {
		said := command(t, p, "status "+queue)
		if slices.Contains(strings.Split(said, "\n"), line) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %q in %s", line, said)
		}
	}
}

// TestFormats: what a request looks like.
func TestFormats(t *testing.T) {
	for _, tt := range []struct {
		name string
		keys keys
		want string
		kind string
	}{
		{"array", keys{"max_items": 3, "min_items": 3}, `[1,2,3]`, "application/json"},
		{"single", keys{}, `1`, "application/json"},
		{"lines", keys{"format": "ndjson", "max_items": 3, "min_items": 3}, "1\n2\n3\n", "application/x-ndjson"},
		{"custom", keys{"format": "custom", "max_items": 3, "min_items": 3, "preamble": "<", "postamble": ">", "headers": []any{"Content-Type: text/x"}}, "<123>", "text/x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newReceiver(t)
			p := start(t, r.URL, filepath.Join(t.TempDir(), "q"), tt.keys)
			add(t, p, "1", "2", "3")
			got := r.next(t)
			if got.body != tt.want || got.header.Get("Content-Type") != tt.kind {
				t.Errorf("got %q as %s", got.body, got.header.Get("Content-Type"))
			}
		})
	}
}

func TestFields(t *testing.T) {
	r := newReceiver(t)
	p := start(t, r.URL, filepath.Join(t.TempDir(), "q"), keys{"username": "u", "password": "p", "headers": []any{"X-A: 1", "X-A: 2", "Content-Type: x/y"}})
	add(t, p, "1")
	h := r.next(t).header
	if h.Get("Authorization") != "Basic dTpw" || strings.Join(h["X-A"], ",") != "1,2" || h.Get("Content-Type") != "x/y" {
		t.Errorf("got %v", h)
	}
	p = start(t, r.URL, filepath.Join(t.TempDir(), "q"), keys{"username": "u", "password": "p", "aws_sigv4": "aws:amz:us-east-1:es"})
	add(t, p, "1")
	if got := r.next(t).header.Get("Authorization"); !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=u/") || !strings.Contains(got, "/us-east-1/es/aws4_request") {
		t.Errorf("got %q", got)
	}
}

// TestVerify: a certificate that nobody vouches for is refused, unless the operator
// does not care.
func TestVerify(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	careless := start(t, s.URL, filepath.Join(t.TempDir(), "q"), keys{"tls_verify": false})
	add(t, careless, "1")
	until(t, careless, "q", "item-sent: 1")
	careful := start(t, s.URL, filepath.Join(t.TempDir(), "q"), nil)
	add(t, careful, "1")
	until(t, careful, "q", "requests-failed: 1")
	if got := command(t, careful, "last-error q"); !strings.Contains(got, "certificate") {
		t.Errorf("the last error is %q", got)
	}
}

// TestTimeout: a server that does not answer fails the request.
func TestTimeout(t *testing.T) {
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer s.Close()
	defer close(over)
	p := start(t, s.URL, filepath.Join(t.TempDir(), "q"), keys{"timeout": 0.05})
	add(t, p, "1")
	until(t, p, "q", "requests-failed: 1")
}

// TestBatches: a queue that was stopped sends what has gathered in as few requests
// as it may, and the rest after the interval.
func TestBatches(t *testing.T) {
	r := newReceiver(t)
	p := start(t, r.URL, filepath.Join(t.TempDir(), "q"), keys{"format": "ndjson", "max_items": 4, "min_items": 4, "max_interval": 0.05})
	command(t, p, "stop q")
	until(t, p, "q", "state: stopped")
	add(t, p, "1", "2", "3", "4", "5", "6")
	command(t, p, "start q")
	r.expect(t, "1\n2\n3\n4\n", "5\n6\n")
	until(t, p, "q", "item-sent: 6")
	until(t, p, "q", "waiting: 0")
}

// TestWaitsForMore: without an interval fewer than min_items wait for others.
func TestWaitsForMore(t *testing.T) {
	r := newReceiver(t)
	p := start(t, r.URL, filepath.Join(t.TempDir(), "q"), keys{"format": "ndjson", "max_items": 10, "min_items": 3})
	add(t, p, "1", "2")
	command(t, p, "start q")
	if n := command(t, p, "count q"); n != "2" {
		t.Errorf("%s wait", n)
	}
	add(t, p, "3")
	r.expect(t, "1\n2\n3\n")
}

// TestRetry: what fails is sent again, in order, and nothing is lost meanwhile.
func TestRetry(t *testing.T) {
	r := newReceiver(t)
	r.answer(503)
	p := start(t, r.URL, filepath.Join(t.TempDir(), "q"), nil)
	add(t, p, "1", "2")
	r.expect(t, "1")
	until(t, p, "q", "error: 503 status 503")
	if got := command(t, p, "last-error q"); got != "503 status 503" {
		t.Errorf("the last error is %q", got)
	}
	r.answer(200)
	command(t, p, "start q") // does not wait for the pause to be over
	r.expect(t, "1", "2")
	until(t, p, "q", "item-sent: 2")
	if _, err := p.Command(t.Context(), []string{"last-error", "q"}); err == nil {
		t.Error("there is an error after a success")
	}
}

// TestSurvives: what was not sent is sent by the next process.
func TestSurvives(t *testing.T) {
	r := newReceiver(t)
	path := filepath.Join(t.TempDir(), "q")
	p := start(t, "http://127.0.0.1:1/", path, keys{"max_items": 5}) // nobody listens there
	add(t, p, "1", "2")
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Add("q", "3"); !errors.Is(err, backlog.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	start(t, r.URL, path, keys{"max_items": 5})
	r.expect(t, "[1,2]")
}

// TestBound: a server that is gone fills no more than max_bytes.
func TestBound(t *testing.T) {
	p := start(t, "http://127.0.0.1:1/", filepath.Join(t.TempDir(), "q"), keys{"max_bytes": 100})
	refused := 0
	for range 50 {
		if err := p.Add("q", "0123456789"); errors.Is(err, backlog.ErrFull) {
			refused++
		}
	}
	if refused != 45 {
		t.Errorf("%d of 50 were refused", refused)
	}
	until(t, p, "q", "refused: 45")
	until(t, p, "q", "waiting-bytes: 90")
}

func TestCommands(t *testing.T) {
	r := newReceiver(t)
	p := start(t, r.URL, filepath.Join(t.TempDir(), "q"), keys{"concurrency": 2, "max_items": 10})
	for _, q := range []string{"q", "q.2"} {
		command(t, p, "stop "+q)
		until(t, p, q, "state: stopped")
	}
	add(t, p, "1", "2", "3", "4", "5") // in turns
	for words, want := range map[string]string{"count q": "3", "count q.2": "2", "head q": "1", "head q.2": "2"} {
		if got := command(t, p, words); got != want {
			t.Errorf("%s says %q, want %q", words, got, want)
		}
	}
	command(t, p, "pop q")
	command(t, p, "clear q.2")
	if _, err := p.Command(t.Context(), []string{"head", "q.2"}); err == nil || err.Error() != "the queue is empty" {
		t.Errorf("head of an empty queue: %v", err)
	}
	command(t, p, "start-one q")
	r.expect(t, "[3]", "[5]")
	command(t, p, "stop q")
	until(t, p, "q", "state: stopped")
	if all := command(t, p, "status"); !strings.Contains(all, "q\n  state: stopped\n") || !strings.Contains(all, "q.2\n  state: stopped\n") {
		t.Errorf("status says %s", all)
	}
	command(t, p, "start q.2")
	for words, want := range map[string]string{
		"pop q.2": "the queue is running; stop it first", "clear q.2": "stop it first", "head x": `no such queue: "x"; there are q, q.2`,
		"explode q": `unknown command "explode q"; want start, start-one`,
	} {
		if _, err := p.Command(t.Context(), strings.Fields(words)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", words, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, k := range []keys{
		{"format": "xml"}, {"url": "ftp://x"}, {"min_items": 5, "max_items": 3}, {"concurrency": 1000}, {"headers": []any{"nonsense"}},
		{"aws_sigv4": "aws:us-east-1"}, {"maxitems": 5},
	} {
		one := map[string]any{"id": "q", "path": "p", "url": "http://x"}
		for name, v := range k {
			one[name] = v
		}
		if _, err := bulk.New(plugin.Settings{"queues": []any{one}}, nil); err == nil {
			t.Errorf("%v is taken", k)
		}
	}
	twice := map[string]any{"id": "q", "path": "p", "url": "http://x"}
	if _, err := bulk.New(plugin.Settings{"queues": []any{twice, map[string]any{"id": "r", "path": "p", "url": "http://x"}}}, nil); err == nil {
		t.Error("two queues in one folder are taken")
	}
	p, err := bulk.New(plugin.Settings{"queues": []any{twice}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Add("r", "x"); !errors.Is(err, bulk.ErrUnknown) {
		t.Errorf("another queue: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Errorf("closed without a start: %v", err)
	}
}

// TestMany: from many writers to a server that fails now and then, each text
// arrives, and those of a writer in order.
func TestMany(t *testing.T) {
	var mu sync.Mutex
	var got []string
	count := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var texts []string
		err := json.NewDecoder(q.Body).Decode(&texts)
		mu.Lock()
		defer mu.Unlock()
		if count++; count == 3 || err != nil {
			w.WriteHeader(500)
			return
		}
		got = append(got, texts...)
	}))
	defer s.Close()
	p := start(t, s.URL, filepath.Join(t.TempDir(), "q"), keys{"max_items": 50})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 50 {
				if err := p.Add("q", fmt.Sprintf(`"%d %02d"`, w, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	until(t, p, "q", "item-sent: 200")
	mu.Lock()
	defer mu.Unlock()
	last := map[string]string{}
	for _, text := range got {
		writer, _, _ := strings.Cut(text, " ")
		if last[writer] >= text {
			t.Errorf("%q comes behind %q", text, last[writer])
		}
		last[writer] = text
	}
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != 200 {
		t.Errorf("%d of 200 arrived", n)
	}
}
