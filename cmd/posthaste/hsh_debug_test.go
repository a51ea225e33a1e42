package main

import (
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// TestDebugger plays the debugger that hsh -C connects to: it looks at two break
// points, lets the script go on after the first, is refused what an MTA would be
// asked, and hangs up at the second, after which the script ends by itself.
func TestDebugger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "d.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	type result struct {
		code            int
		stdout, message string
	}
	ended := make(chan result, 1)
	go func() {
		code, stdout, message := hsh(`$n = [1, "two"]; __debug ["d", "first"] echo "one"; __debug ["d", "second"] echo "two";`, "-C", path, "-")
		ended <- result{code, stdout, message}
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ask := func(text string, into proto.Message) (kind byte) {
		t.Helper()
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, binary.LittleEndian.Uint64(head[1:]))
		if _, err := io.ReadFull(c, body); err != nil {
			t.Fatal(err)
		}
		if head[0] == '+' {
			if err := proto.Unmarshal(body, into); err != nil {
				t.Fatal(err)
			}
		}
		return head[0]
	}
	var stop pb.HSLBreakPointResponse
	if ask("\x05\x07e", &stop); stop.Id != "first" || stop.Debugid != "d" || !stop.Held || string(stop.Values["n"].GetValue()) != `[1,"two"]` {
		t.Errorf("stopped at %v", &stop)
	}
	var going pb.HSLBreakPointContinueResponse
	if ask("f", &going); going.Continued != 1 {
		t.Errorf("%d go on", going.Continued)
	}
	if ask("e", &stop); stop.Id != "second" {
		t.Errorf("stopped at %v", &stop)
	}
	if kind := ask("q", nil); kind != 'E' {
		t.Errorf("another command is answered with %c", kind)
	}
	c.Close()
	if r := <-ended; r.code != 0 || r.stdout != "one\ntwo\n" {
		t.Errorf("ended with %+v", r)
	}
}
