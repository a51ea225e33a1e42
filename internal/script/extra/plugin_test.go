package extra_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
)

// started returns the modules over plug-ins with these settings.
func started(t *testing.T, startup, running map[string]plugin.Settings) *extra.Modules {
	t.Helper()
	p, unknown, err := extra.NewPlugins(startup, extra.Host{})
	if err != nil || len(unknown) > 0 {
		t.Fatal(err, unknown)
	}
	adopt, err := p.Prepare(running)
	if err := errors.Join(err, p.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	adopt()
	t.Cleanup(func() { p.Close(t.Context()) })
	return extra.New(extra.Options{Plugins: p, Complain: func(err error) { t.Log(err) }})
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func lists(path string) plugin.Settings {
	return plugin.Settings{"lists": []any{map[string]any{"id": "l", "path": path}}}
}

func TestLists(t *testing.T) {
	m := started(t, map[string]plugin.Settings{
		"suppression-list": lists(file(t, "@gone.test\n/^x\\d+@/\n")),
		"bounce-list":      lists(file(t, "/(?<!soft )quota/,full\n/quota/,google,&google,EOD\n")),
		"ip-list":          lists(file(t, "192.0.2.0/24\n198.51.100.1 bad\n")),
	}, nil)
	check(t, m, "suppression-list", []stdlibtest.Case{
		{`suppression_list("l", "a@GONE.test")`, `true`},
		{`suppression_list("l", "X12@a.test")`, `true`},
		{`suppression_list("l", "a@b.test")`, `false`},
		{`suppression_list("other", "a@b.test")`, `none`},
	})
	check(t, m, "bounce-list", []stdlibtest.Case{
		{`bounce_list("l", "552 over QUOTA")`, `["pattern"=>"/(?<!soft )quota/","value"=>"full"]`},
		{`bounce_list("l", "552 soft quota", "&google", "EOD")`, `["pattern"=>"/quota/","value"=>"google"]`},
		{`bounce_list("l", "552 soft quota", none, "EOD")`, `none`},
		{`bounce_list("l", "\xff quota")`, `["pattern"=>"/(?<!soft )quota/","value"=>"full"]`},
		{`bounce_list("other", "x")`, `!no such list: "other"; there are l`},
	})
	check(t, m, "ip-list", []stdlibtest.Case{
		{`ip_list_lookup("l", "192.0.2.77")`, `true`},
		{`ip_list_lookup("l", "198.51.100.1")`, `"bad"`},
		{`ip_list_lookup("l", "198.51.100.2")`, `false`},
		{`ip_list_lookup("l", "nobody")`, `none`},
		{`ip_list_lookup("other", "192.0.2.77")`, `none`},
	})
}

func TestLogger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log")
	m := started(t, map[string]plugin.Settings{"logger": {"logs": []any{map[string]any{"id": "a", "path": path, "header": "x,y\n"}}}}, nil)
	check(t, m, "logger", []stdlibtest.Case{
		{`logger("a", "1,2\n")`, `true`},
		{`logger("b", "3,4\n")`, `none`},
	})
	if text, err := os.ReadFile(path); string(text) != "x,y\n1,2\n" || err != nil {
		t.Errorf("the log has %q, %v", text, err)
	}
}

func TestHTTPBackground(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.WriteHeader(404)
		}
		body, _ := io.ReadAll(r.Body)
		kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
		fmt.Fprintf(w, "%s %s %q", r.Method, kind, body)
	}))
	defer s.Close()
	m := started(t, map[string]plugin.Settings{"http-background": {"threads": []any{map[string]any{"id": "p", "max_total": 2}}}}, nil)
	check(t, m, "http-background", []stdlibtest.Case{
		{`http_background("p", "` + s.URL + `")`, `["status"=>200,"content"=>''GET  ""'']`},
		{`http_background("p", "` + s.URL + `/missing")`, `["status"=>404,"content"=>''GET  ""'']`},
		{`http_background("p", "` + s.URL + `", ["method" => "PUT"], "x")`, `["status"=>200,"content"=>''PUT application/x-www-form-urlencoded "x"'']`},
		{`http_background("p", "` + s.URL + `", ["encoder" => "base64"], "x")`, `["status"=>200,"content"=>''POST application/x-www-form-urlencoded "eA=="'']`},
		{`http_background("p", "` + s.URL + `", ["encoder" => "rot13"], "x")`, `!option encoder: want base64, got "rot13"`},
		{`array_keys(http_background("p", "http://127.0.0.1:1/"))`, `[0=>"error"]`},
		{`array_keys(http_background("p", ":"))`, `[0=>"error"]`},
		{`http_background("q", "` + s.URL + `")`, `["error"=>''no such pool: "q"'']`},
	})
	for _, tt := range []struct{ post, want string }{
		{`["a" => "1"]`, `name=\"a\"\r\n\r\n1\r\n`},
		{`["a" => ["data" => "x", "encoder" => "base64", "filename" => "f", "type" => "a/b"]]`, `name=\"a\"; filename=\"f\"\r\nContent-Type: a/b\r\n\r\neA==\r\n`},
		{`File::String("from a file")`, `"from a file"`},
	} {
		got, err := run(t, m, `import { http_background } from "extras://http-background"; echo http_background("p", "`+s.URL+`", [], `+tt.post+`)["content"];`)
		if err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s, %v", tt.post, got, err)
		}
	}
}

func TestHTTPBulk(t *testing.T) {
	got := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	defer s.Close()
	path := filepath.Join(t.TempDir(), "q")
	m := started(t, map[string]plugin.Settings{"http-bulk": {"queues": []any{
		map[string]any{"id": "q", "path": path, "url": s.URL, "min_items": 2, "max_items": 5},
		map[string]any{"id": "small", "path": path + "2", "url": s.URL, "max_bytes": 10},
	}}}, nil)
	check(t, m, "http-bulk", []stdlibtest.Case{
		{`http_bulk("q", json_encode(["a" => 1]))`, `true`},
		{`http_bulk("q", "2")`, `true`},
		{`http_bulk("small", "more than there is room for")`, `false`},
		{`http_bulk("none", "2")`, `none`},
	})
	if body := <-got; body != `[{"a":1},2]` {
		t.Errorf("sent was %q", body)
	}
}

// TestPluginSettings: mistakes name the plug-in and the place.
func TestPluginSettings(t *testing.T) {
	for _, tt := range []struct {
		id, want string
		settings plugin.Settings
	}{
		{"logger", "plug-in logger: logs[0].path: is missing", plugin.Settings{"logs": []any{map[string]any{"id": "a"}}}},
		{"ip-list", "plug-in ip-list: list: unknown key; there are lists", plugin.Settings{"list": 1}},
	} {
		if _, _, err := extra.NewPlugins(map[string]plugin.Settings{tt.id: tt.settings}, extra.Host{}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.id, err)
		}
	}
}
