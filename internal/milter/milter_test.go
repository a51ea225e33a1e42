package milter_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/milter"
)

// filter is a small milter: it answers a command with what stands under it, or with
// "c", and writes down what it was told.
type filter struct {
	actions, steps uint32
	answers        map[string][]string // by the command letter and the start of its data
	told           []string
}

func packet(say string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(say))), say...)
}

// serve plays the filter until the server ends the conversation.
func (f *filter) serve(conn net.Conn) {
	defer conn.Close()
	for {
		var size [4]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		data := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(conn, data); err != nil {
			return
		}
		cmd := string(data[:1])
		switch {
		case cmd == "O":
			b := binary.BigEndian.AppendUint32([]byte("O"), 6)
			b = binary.BigEndian.AppendUint32(b, f.actions)
			conn.Write(packet(string(binary.BigEndian.AppendUint32(b, f.steps))))
			continue
		case cmd == "Q":
			return
		}
		f.told = append(f.told, strings.ReplaceAll(string(data), "\x00", "|"))
		if cmd == "D" {
			continue
		}
		answers := []string{"c"}
		for prefix, own := range f.answers {
			if strings.HasPrefix(string(data), prefix) {
				answers = own
			}
		}
		for _, a := range answers {
			if _, err := conn.Write(packet(a)); err != nil {
				return
			}
		}
	}
}

func transaction(body string) milter.Transaction {
	return milter.Transaction{
		Hostname: "client.test", Client: netip.MustParseAddrPort("192.0.2.1:2525"), Helo: "helo.test", Sender: "a@b.test", ID: "id1",
		Recipients: []string{"c@d.test", "e@f.test"}, Fields: []milter.Field{{Name: "Subject", Value: "x\r\n y"}, {Name: "X-A"}}, Body: strings.NewReader(body),
	}
}

func run(t *testing.T, f *filter, body string) (milter.Verdict, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.serve(theirs)
	}()
	v, err := milter.Run(ours, milter.Options{Timeout: time.Minute, EndTimeout: time.Minute}, transaction(body))
	ours.Close()
	<-done
	return v, err
}

// TestTold: what a filter hears, in order.
func TestTold(t *testing.T) {
	f := &filter{}
	v, err := run(t, f, strings.Repeat("x", 70000))
	if err != nil || v.Action != milter.Accept {
		t.Errorf("%+v, %v", v, err)
	}
	want := []string{
		"Cclient.test|4\x09\xdd192.0.2.1|", "Hhelo.test|", "DMi|id1|{mail_addr}|a@b.test|", "M<a@b.test>|", "DR{rcpt_addr}|c@d.test|", "R<c@d.test>|",
		"DR{rcpt_addr}|e@f.test|", "R<e@f.test>|", "T", "LSubject|x\n y|", "LX-A||", "N",
		"B" + strings.Repeat("x", 65535), "B" + strings.Repeat("x", 70000-65535), "E",
	}
	if !reflect.DeepEqual(f.told, want) {
		t.Errorf("told was %.2000q", f.told)
	}
}

// TestSteps: a filter is not told what it declines, and need not answer to all.
func TestSteps(t *testing.T) {
	f := &filter{steps: 0x01 | 0x02 | 0x04 | 0x08 | 0x20 | 0x200, answers: map[string][]string{"B": {"s"}}}
	if _, err := run(t, f, strings.Repeat("x", 200000)); err != nil {
		t.Error(err)
	}
	for i, told := range f.told {
		f.told[i] = told[:1]
	}
	if got := strings.Join(f.told, ""); got != "DDDNBE" {
		t.Errorf("told was %s", got)
	}
	f = &filter{steps: 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x40000 | 0x80000, answers: map[string][]string{}}
	for _, cmd := range []string{"C", "H", "M", "R", "T", "L", "N", "B"} {
		f.answers[cmd] = nil
	}
	f.answers["E"] = []string{"r"}
	if v, err := run(t, f, strings.Repeat("x", 200000)); err != nil || v.Action != milter.Reject {
		t.Errorf("a quiet filter: %+v, %v", v, err)
	}
}

func TestVerdicts(t *testing.T) {
	type verdict = milter.Verdict
	for _, tt := range []struct {
		answers map[string][]string
		want    milter.Verdict
	}{
		{map[string][]string{"C": {"a"}}, verdict{Action: milter.Accept}},
		{map[string][]string{"H": {"r"}}, verdict{Action: milter.Reject}},
		{map[string][]string{"M": {"t"}}, verdict{Action: milter.TempFail}},
		{map[string][]string{"R": {"d"}}, verdict{Action: milter.Discard}},
		{map[string][]string{"R<c@": {"r"}}, verdict{Action: milter.Accept}}, // the other is taken
		{map[string][]string{"R": {"r"}}, verdict{Action: milter.Reject}},
		{map[string][]string{"LSub": {"y550 5.7.1 no\x00"}}, verdict{Action: milter.SetReply, Code: 550, Enhanced: "5.7.1", Reason: "no"}},
		{map[string][]string{"B": {"y451 later\x00"}}, verdict{Action: milter.SetReply, Code: 451, Reason: "later"}},
		{map[string][]string{"E": {"y550-5.7.1 a\r\n550 5.7.1 b\x00"}}, verdict{Action: milter.SetReply, Code: 550, Enhanced: "5.7.1", Reason: "a\nb"}},
		{map[string][]string{"E": {"p", "qwhy\x00", "c"}}, verdict{Action: milter.Quarantine, Reason: "why"}},
		{map[string][]string{"E": {"qwhy\x00", "a"}}, verdict{Action: milter.Quarantine, Reason: "why"}},
		{
			map[string][]string{"E": {"hX-New\x00v\x00", "i\x00\x00\x00\x00X-Top\x00v\x00", "m\x00\x00\x00\x01Subject\x00\x00", "bne", "bw", "a"}},
			verdict{Action: milter.Accept, NewBody: true, Body: []byte("new"), Edits: []milter.Edit{
				{Kind: milter.Add, Field: milter.Field{Name: "X-New", Value: "v"}}, {Kind: milter.Insert, Field: milter.Field{Name: "X-Top", Value: "v"}},
				{Kind: milter.Change, Index: 1, Field: milter.Field{Name: "Subject", Value: ""}},
			}},
		},
	} {
		got, err := run(t, &filter{actions: 0x33, answers: tt.answers}, "body\r\n")
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q\n got %+v, %v\nwant %+v", tt.answers, got, err, tt.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, tt := range []struct {
		filter *filter
		want   string
	}{
		{&filter{actions: 0x04}, "wants to do more than is offered: 0x4"},
		{&filter{answers: map[string][]string{"C": {"z"}}}, "unexpected answer 'z'"},
		{&filter{answers: map[string][]string{"E": {"hX"}}}, "malformed"},
		{&filter{answers: map[string][]string{"E": {"m\x00"}}}, "too short"},
		{&filter{answers: map[string][]string{"E": {"y999 x\x00"}}}, "malformed reply"},
		{&filter{answers: map[string][]string{"E": {"y5\x00"}}}, "malformed reply"},
	} {
		if _, err := run(t, tt.filter, "x"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v", tt.filter, err)
		}
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	if _, err := milter.Run(ours, milter.Options{Timeout: time.Millisecond}, transaction("x")); err == nil {
		t.Error("a filter that says nothing has decided")
	}
}

// FuzzAnswers: whatever a filter says, the conversation ends.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0dO\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01a"))
	f.Fuzz(func(t *testing.T, answers []byte) {
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs)
		go func() {
			theirs.Write(answers)
			theirs.Close()
		}()
		v, err := milter.Run(ours, milter.Options{Timeout: time.Minute, EndTimeout: time.Minute}, transaction("x"))
		if err != nil && !reflect.DeepEqual(v, milter.Verdict{}) {
			t.Errorf("%+v beside %v", v, err)
		}
	})
}
