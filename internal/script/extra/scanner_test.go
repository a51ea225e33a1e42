package extra_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
)

// serve answers one connection after the other until the end of the test.
func serve(t *testing.T, network, address string, f func(net.Conn)) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			c.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
	})
	return l.Addr()
}

func port(a net.Addr) string { return strconv.Itoa(a.(*net.TCPAddr).Port) }

// expect runs a script with names of a module and compares what it prints.
func expect(t *testing.T, m *extra.Modules, module, names, script, want string) {
	t.Helper()
	got, err := run(t, m, "import { "+names+` } from "extras://`+module+`"; `+script)
	if err != nil || got != want {
		t.Errorf("%s\n got %s, %v\nwant %s", script, got, err, want)
	}
}

// spamd is a server that finds spam in what has the word.
func spamd(c net.Conn) {
	r := textproto.NewReader(bufio.NewReader(c))
	command, err := r.ReadLine()
	if err != nil {
		return
	}
	fields, err := r.ReadMIMEHeader()
	if err != nil {
		return
	}
	n, _ := strconv.Atoi(fields.Get("Content-Length"))
	body := make([]byte, n)
	if _, err := io.ReadFull(r.R, body); err != nil {
		return
	}
	switch {
	case strings.Contains(string(body), "break"):
		io.WriteString(c, "SPAMD/1.1 76 Bad header line\r\n\r\n")
	case strings.HasPrefix(command, "REPORT "):
		fmt.Fprintf(c, "SPAMD/1.1 0 EX_OK\r\nSpam: True ; 6.5 / 5.0\r\n\r\nReport for %s\r\n 5.5 SPAM_WORD  Has the word\r\n-1.0 NICE       But nice\r\n", fields.Get("User"))
	case strings.Contains(string(body), "spam"):
		fmt.Fprintf(c, "SPAMD/1.1 0 EX_OK\r\nContent-length: 20\r\nSpam: True ; 6.5 / 5.0\r\n\r\nSPAM_WORD,%.11s", body)
	default:
		io.WriteString(c, "SPAMD/1.1 0 EX_OK\r\nSpam: False ; -0.1 / 5.0\r\n\r\n\r\n")
	}
}

func TestSpamAssassin(t *testing.T) {
	m := extra.New(extra.Options{})
	tcp := `"port" => ` + port(serve(t, "tcp", "127.0.0.1:0", spamd))
	path := filepath.Join(t.TempDir(), "s")
	serve(t, "unix", path, spamd)
	for _, tt := range []struct{ body, options, want string }{
		{"ham", tcp, `["spam"=>false,"score"=>-0.1,"threshold"=>5,"symbols"=>[]]`},
		{"spam", tcp + `, "sender" => "a@b"`, `["spam"=>true,"score"=>6.5,"threshold"=>5,"symbols"=>[0=>"SPAM_WORD",1=>"Return-Path"]]`},
		{"spam", `"path" => "` + path + `", "symbols_unparsed" => true`, `["spam"=>true,"score"=>6.5,"threshold"=>5,"symbols"=>"SPAM_WORD,spam"]`},
		{"spam", tcp + `, "report" => true, "user" => "joe"`, `["spam"=>true,"score"=>6.5,"threshold"=>5,"symbols"=>["SPAM_WORD"=>5.5,"NICE"=>-1]]`},
		{"break", tcp, `["error"=>''bad scan result: "SPAMD/1.1 76 Bad header line"'']`},
		{"spam", tcp + `, "size_limit" => 3`, `["error"=>"content too large"]`},
	} {
		expect(t, m, "spamassassin", "spamc", `echo spamc(File::String("`+tt.body+`"), [`+tt.options+`]);`, tt.want)
	}
}

// clamd is a server that finds a virus in what has the word.
func clamd(c net.Conn) {
	r := bufio.NewReader(c)
	if command, err := r.ReadString(0); err != nil || command != "zINSTREAM\x00" {
		return
	}
	var data []byte
	for {
		var size [4]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return
		}
		piece := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(r, piece); err != nil {
			return
		}
		if len(piece) == 0 {
			break
		}
		data = append(data, piece...)
	}
	switch text := string(data); {
	case strings.HasPrefix(text, "Return-Path: <>\r\nvirus"):
		io.WriteString(c, "stream: Mail.Test FOUND\x00")
	case strings.Contains(text, "virus"):
		io.WriteString(c, "stream: Eicar Test FOUND\x00")
	case strings.Contains(text, "large"):
		io.WriteString(c, "INSTREAM size limit exceeded. ERROR\x00")
	default:
		io.WriteString(c, "stream: OK\x00")
	}
}

func TestClamAV(t *testing.T) {
	m := extra.New(extra.Options{})
	path := filepath.Join(t.TempDir(), "s")
	serve(t, "unix", path, clamd)
	tcp := `"address" => "127.0.0.1", "port" => ` + port(serve(t, "tcp", "127.0.0.1:0", clamd))
	for _, tt := range []struct{ body, options, want string }{
		{`"clean"`, `"path" => "` + path + `"`, `[]`},
		{`"virus"`, `"path" => "` + path + `"`, `["virus"=>[0=>"Mail.Test"]]`},
		{`"virus"`, tcp + `, "rfc822" => false`, `["virus"=>[0=>"Eicar Test"]]`},
		{`str_repeat("x", 3000000)`, tcp, `[]`},
		{`"large"`, tcp, `["error"=>''clamd says "INSTREAM size limit exceeded."'']`},
	} {
		expect(t, m, "clamav", "clamav", `echo clamav(File::String(`+tt.body+`), [`+tt.options+`]);`, tt.want)
	}
}

// authd is Dovecot with one user, joe, whose password is secret.
func authd(c net.Conn) {
	io.WriteString(c, "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nDONE\n")
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if !strings.HasPrefix(line, "AUTH\t") {
			continue
		}
		switch {
		case strings.Contains(line, "\trip=192.0.2.66\t"):
			io.WriteString(c, "FAIL\t1\tuser=joe\ttemp\n")
		case strings.HasSuffix(line, "\tservice=smtp\tsecured\tlip=192.0.2.1\trip=192.0.2.2\tresp=AGpvZQBzZWNyZXQ=\n"):
			io.WriteString(c, "OK\t1\tuser=joe\n")
		default:
			io.WriteString(c, "FAIL\t1\tuser=joe\n")
		}
	}
}

func TestDovecot(t *testing.T) {
	m := extra.New(extra.Options{})
	at := `"port" => ` + port(serve(t, "tcp", "127.0.0.1:0", authd)) + `, "secured" => true, "lip" => "192.0.2.1", `
	silent := `"port" => ` + port(serve(t, "tcp", "127.0.0.1:0", func(c net.Conn) { io.Copy(io.Discard, c) })) + `, "timeout" => 0.05`
	for _, tt := range []struct{ options, user, password, want string }{
		{at + `"rip" => "192.0.2.2"`, "joe", "secret", "1"},
		{at + `"rip" => "192.0.2.2"`, "joe", "wrong", "0"},
		{at + `"rip" => "192.0.2.66"`, "joe", "secret", "-1"},
		{at + `"rip" => "192.0.2.2"`, `joe\x00`, "secret", "0"},
		{at + `"rip" => "192.0.2.2\nAUTH"`, "joe", "secret", "0"},
		{silent, "joe", "secret", "-1"},
	} {
		expect(t, m, "dovecot", "dovecot_auth", `echo dovecot_auth([`+tt.options+`], "`+tt.user+`", "`+tt.password+`");`, tt.want)
	}
}

func TestDLP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/scan", func(w http.ResponseWriter, r *http.Request) {
		options, message := r.FormValue("options"), r.FormValue("rfc822")
		if message == "broken" {
			w.WriteHeader(500)
			io.WriteString(w, `{"error":"cannot"}`)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"result": []any{map[string]string{"rule": options, "partid": message}}})
	})
	path := filepath.Join(t.TempDir(), "dlpd.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go s.Serve(l)
	tcp := httptest.NewServer(mux)
	t.Cleanup(func() { s.Close(); tcp.Close() })
	at := `"port" => ` + port(tcp.Listener.Addr())
	m := started(t, nil, map[string]plugin.Settings{"dlp": {"path": path}})
	for _, tt := range []struct{ body, options, want string }{
		{"x", ``, `["result"=>[0=>["rule"=>''{"recursion_limit":9,"short_circuit":false}'',"partid"=>"x"]]]`},
		{"x", at + `, "id" => "i", "time_limit" => 2, "short_circuit" => true, "rules" => ["A", ["name" => "B", "regex" => ["/x/"]]]`,
			`["result"=>[0=>["rule"=>''{"id":"i","recursion_limit":9,"rules":["A",{"name":"B","regex":["/x/"]}],"short_circuit":true,"time_limit":2}'',"partid"=>"x"]]]`},
		{"broken", ``, `["error"=>"dlpd: cannot"]`},
	} {
		expect(t, m, "dlp", "dlp", `echo dlp(File::String("`+tt.body+`"), [`+tt.options+`]);`, tt.want)
	}
	expect(t, m, "dlp", "dlp", `try { dlp(File::String("x"), ["rules" => [["regex" => []]]]); } catch ($e) { echo $e->message(); }`, "dlp: option rules: a rule has no name")
}

func TestRate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rated.sock")
	conn, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // allows the first of each count, and counts seven
		b := make([]byte, 1024)
		for {
			_, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			answer := append([]byte(nil), b[2:6]...)
			if b[1] == 2 {
				conn.WriteTo(binary.NativeEndian.AppendUint32(answer, 7), from)
				continue
			}
			allowed := byte(0)
			if b[13] == 3 && b[9] == 60 {
				allowed = 1
			}
			conn.WriteTo(append(answer, allowed, 0, 0, 0, 0, 0), from)
		}
	}()
	t.Cleanup(func() { conn.Close() })
	m := started(t, nil, map[string]plugin.Settings{"rate": {"path": path}})
	check(t, m, "rate", []stdlibtest.Case{
		{`rate("n", "e", 3, 60)`, `true`},
		{`rate("n", "e", 2.6, 59.7, ["sync" => false])`, `true`},
		{`rate("n", "e", 4, 60)`, `false`},
		{`rate("n", "e", 0, 60)`, `7`},
		{`rate(str_repeat("n", 64), "e", 0, 60)`, `none`},
		{`rate("n", "e", "many", 60)`, `!want number`},
	})
}
