package smtpd

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/posthaste-mta/posthaste/internal/session"
)

// debugPages are those below /debug/, for people on this host.
var debugPages = []struct {
	path, help string
	serve      func(*Daemon, http.ResponseWriter, *http.Request)
}{
	{"/debug/version", "what runs, and which configuration is in force", (*Daemon).serveVersion},
	{"/debug/sessions", "live sessions and what they are doing, as JSON lines", (*Daemon).serveSessions},
	{"/debug/groups", "the largest sub-queues, as JSON lines", (*Daemon).serveGroups},
}

// addDebugPages registers the pages and an index of them.
func (d *Daemon) addDebugPages() {
	for _, p := range debugPages {
		d.monitor.Debug(p.path, func(w http.ResponseWriter, r *http.Request) { p.serve(d, w, r) })
	}
	d.monitor.Debug("/debug/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for _, p := range debugPages {
			fmt.Fprintf(w, "<p><a href=%q>%s</a> %s</p>\n", p.path, p.path, p.help)
		}
		fmt.Fprintln(w, `<p><a href="/debug/pprof/">/debug/pprof/</a> profiles</p>`)
	})
}

func (d *Daemon) serveSessions(w http.ResponseWriter, _ *http.Request) {
	out := jsonLines(w)
	for _, s := range d.servers {
		for c := range s.Live {
			if live, ok := c.(*session.Session); ok && out.Encode(live.Status()) != nil {
				return
			}
		}
	}
}

// mostGroups bounds a page.
const mostGroups = 1000

func (d *Daemon) serveGroups(w http.ResponseWriter, r *http.Request) {
	groups, err := d.queue.Groups(r.Context(), mostGroups)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	out := jsonLines(w)
	for _, g := range groups {
		if out.Encode(g) != nil {
			return
		}
	}
}

func jsonLines(w http.ResponseWriter) *json.Encoder {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return json.NewEncoder(w)
}

func (d *Daemon) serveVersion(w http.ResponseWriter, _ *http.Request) {
	v := configuration{d}.Version()
	fmt.Fprintf(w, "program        %s, running for %s\nconfiguration  %s\nversion        %s\nloaded         %s, generation %d\nsha256         %s\n",
		v.Program, time.Since(d.began).Round(time.Second), v.Path, v.Schema, v.Loaded.Format(time.RFC3339), v.Generation, v.Digest)
}
