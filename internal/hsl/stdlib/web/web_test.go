package web_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/web"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handler answers by its path.
var handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/status":
		w.Header().Set("X-Reply", "yes")
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, "nothing here")
	case r.URL.Path == "/redirect":
		http.Redirect(w, r, "/echo", http.StatusFound)
	case r.URL.Path == "/circle":
		http.Redirect(w, r, "/circle", http.StatusFound)
	case r.URL.Path == "/slow":
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	case r.URL.Path == "/endless":
		for b := make([]byte, 1<<16); ; {
			if _, err := w.Write(b); err != nil {
				return
			}
		}
	case r.URL.Path == "/form":
		r.ParseMultipartForm(1 << 20)
		f, h, _ := r.FormFile("file")
		text, _ := io.ReadAll(f)
		fmt.Fprintf(w, "%s %s %s %s %s", r.FormValue("plain"), h.Filename, h.Header.Get("Content-Type"), text, r.Header.Get("Content-Type")[:19])
	default:
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI)
		for _, name := range []string{"Accept", "User-Agent", "Content-Type", "X-Test"} {
			if v := strings.Join(r.Header.Values(name), "|"); v != "" {
				fmt.Fprintf(w, " %s=%s", name, v)
			}
		}
		fmt.Fprintf(w, " %d %v %s", r.ContentLength, r.TransferEncoding, body)
	}
})

// machine computes http calls, in which URL stands for that of a server.
type machine struct {
	*stdlibtest.Machine
	replace *strings.Replacer
}

func newMachine(t *testing.T, url string, limits value.Limits) machine {
	l := value.NewLibrary(nil, value.Declarations{Builtins: web.Builtins(web.Options{Source: func(id string) (netip.Addr, bool) {
		return netip.MustParseAddr("127.0.0.9"), id == "mine"
	}})})
	m := stdlibtest.New(t, l, value.Setup{Limits: limits})
	pieces := []string{"one ", "two ", "three"}
	m.Functions = map[string]func([]value.Value) (value.Value, error){
		"piece": func(args []value.Value) (value.Value, error) {
			if len(pieces) == 0 {
				pieces = []string{"one ", "two ", "three"}
				return value.String(""), nil
			}
			p := pieces[0]
			pieces = pieces[1:]
			return value.String(p), nil
		},
		"endless": func([]value.Value) (value.Value, error) { return value.String("more"), nil },
		"fail":    func([]value.Value) (value.Value, error) { return value.None, value.Errorf("failed") },
	}
	return machine{m, strings.NewReplacer("URL", url)}
}

func (m machine) check(t *testing.T, cases []stdlibtest.Case) {
	t.Helper()
	for i := range cases {
		cases[i][0], cases[i][1] = m.replace.Replace(cases[i][0]), m.replace.Replace(cases[i][1])
	}
	m.Check(t, cases)
}

func TestHTTP(t *testing.T) {
	s := httptest.NewServer(handler)
	defer s.Close()
	const form = "Content-Type=application/x-www-form-urlencoded"
	newMachine(t, s.URL, value.Limits{}).check(t, []stdlibtest.Case{
		{`http("URL/echo")`, `"GET /echo Accept=*/* 0 [] "`},
		{`http("URL/$1?q=$2$9$", [], ["a b/c", "ö"])`, `''GET /a%20b%2Fc?q=%C3%B6$9$ Accept=*/* 0 [] ''`},
		{`http("URL/", [], [], "text")`, `"POST / Accept=*/* ` + form + ` 4 [] text"`},
		{`http("URL/", ["method" => "PUT"], [], "text")`, `"PUT / Accept=*/* ` + form + ` 4 [] text"`},
		{`http("URL/", [], [], ["a" => "b c", "d" => 1])`, `"POST / Accept=*/* ` + form + ` 11 [] a=b%20c&d=1"`},
		{`http("URL/form", [], [], ["plain" => "p", "file" => ["data" => "content", "type" => "text/plain", "filename" => "a\"b.txt"]])`, `"p a%22b.txt text/plain content multipart/form-data"`},
		{`http("URL/", [], [], piece)`, `"POST / Accept=*/* ` + form + ` -1 [chunked] one two three"`},
		{`http("URL/", ["headers" => ["Content-Length: 13"]], [], piece)`, `"POST / Accept=*/* ` + form + ` 13 [] one two three"`},
		{`http("URL/", [], [], fail)`, `!failed`},
		{`http("URL/", ["headers" => ["X-Test: a: b", "Accept:", "User-Agent: me", "x-test: c"]])`, `"GET / User-Agent=me X-Test=a: b|c 0 [] "`},
		{`http("URL/", ["headers" => ["X-Test: a\r\nInjected: b"]])`, `none`},
		{`http("URL/status")`, `none`},
		{`http("URL/status", ["extended_result" => true])`, `["status"=>404,"content"=>"nothing here"]`},
		{`http("URL/redirect", ["extended_result" => true, "max_file_size" => 0])`, `none`},
		{`http("URL/redirect")`, `none`},
		{`http("URL/redirect", ["redirects" => 1])`, `"GET /echo Accept=*/* 0 [] "`},
		{`http("URL/circle", ["redirects" => 3, "extended_result" => true])`, `none`},
		{`http("URL/circle", ["redirects" => -1, "extended_result" => true])`, `none`},
		{`http("URL/echo", ["max_file_size" => 25])`, `none`},
		{`http("URL/echo", ["max_file_size" => 26])`, `"GET /echo Accept=*/* 0 [] "`},
		{`http("URL/slow", ["timeout" => 0.05])`, `none`},
		{`http("URL/echo", ["sourceip" => "127.0.0.8"])`, `"GET /echo Accept=*/* 0 [] "`},
		{`http("URL/echo", ["sourceipid" => "mine"])`, `"GET /echo Accept=*/* 0 [] "`},
		{`http("URL/echo", ["sourceipid" => "other"])`, `!http: option sourceipid: want the name of an address, got "other"`},
		{`http("URL/echo", ["sourceip" => "x"])`, `!http: option sourceip: want an address, got "x"`},
		{`http("URL/echo", ["proxy" => "http://"])`, `!http: option proxy: want a proxy, got "http://"`},
		{`http("URL/echo", ["proxy" => "URL"])`, `"GET URL/echo Accept=*/* 0 [] "`},
		{`http("http://127.0.0.1:1/")`, `none`},
		{`http("ftp://127.0.0.1/")`, `none`},
		{`http("http://[/")`, `none`},
		{`http("URL/echo", ["timeout" => "soon"])`, `!http: option timeout: want number, got string`},
	})
	m := newMachine(t, s.URL, value.Limits{})
	if got := m.Show(m.replace.Replace(`http("URL/status", ["response_headers" => true])`)); !strings.Contains(got, "HTTP/1.1 404 Not Found\r\n") ||
		!strings.Contains(got, "X-Reply: yes\r\n") || !strings.HasSuffix(got, "\r\n\r\nnothing here''") {
		t.Errorf("got %s", got)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	s.Start()
	defer s.Close()
	newMachine(t, path, value.Limits{}).check(t, []stdlibtest.Case{
		{`http("http://host/echo", ["unix_socket_path" => "URL"])`, `"GET /echo Accept=*/* 0 [] "`},
	})
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	newMachine(t, s.URL, value.Limits{}).check(t, []stdlibtest.Case{
		{`http("URL/echo")`, `none`},
		{`http("URL/echo", ["tls_default_ca" => true])`, `none`},
		{`http("URL/echo", ["tls_verify_peer" => false])`, `"GET /echo Accept=*/* 0 [] "`},
		{`http("URL/echo", ["ssl_verify_peer" => false])`, `"GET /echo Accept=*/* 0 [] "`},
		{`http("URL/echo", ["tls_verify_peer" => false, "tls_verify_host" => true])`, `"GET /echo Accept=*/* 0 [] "`},
		{`http("URL/echo", ["tls_client_cert" => "nobody"])`, `!http: option tls_client_cert: want a certificate with its key, got "nobody"`},
		{`http("URL/echo", ["tls_protocols" => "TLSv9"])`, `!http: option tls_protocols: want protocols, got "TLSv9"`},
	})
	// The certificate has the address 127.0.0.1, and not this name.
	host := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	newMachine(t, host, value.Limits{}).check(t, []stdlibtest.Case{
		{`http("URL/echo", ["tls_verify_peer" => false, "tls_verify_host" => true])`, `none`},
	})
}

// TestEnds: a call ends with the script, whatever server and callback do.
func TestEnds(t *testing.T) {
	s := httptest.NewServer(handler)
	defer s.Close()
	newMachine(t, s.URL, value.Limits{Time: 50 * time.Millisecond}).check(t, []stdlibtest.Case{
		{`http("URL/slow")`, `!script exceeded its time limit of 50ms`},
	})
	newMachine(t, s.URL, value.Limits{Time: 50 * time.Millisecond}).check(t, []stdlibtest.Case{
		{`http("URL/echo", [], [], endless)`, `!script exceeded its time limit of 50ms`},
	})
	newMachine(t, s.URL, value.Limits{Memory: 1 << 20}).check(t, []stdlibtest.Case{
		{`http("URL/endless")`, `!script exceeded its memory limit of 1 MiB`},
	})
}
