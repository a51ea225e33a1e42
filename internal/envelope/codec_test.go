package envelope

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// same compares by what the codec promises to keep.
var same = cmp.Options{
	cmpopts.EquateEmpty(),
	cmpopts.EquateComparable(netip.Addr{}),
}

func typical() *Message {
	return &Message{
		ID:       ID{0x4f, 0x2a, 15: 0x01},
		Received: time.UnixMilli(1790000000123),
		ServerID: "inbound",
		Client: Client{
			IP: netip.MustParseAddr("192.0.2.17"), Port: 48112,
			PTR: "out-3.mail.example.net", Helo: "out-3.mail.example.net",
			TLS: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256",
		},
		Body:    Body8BitMIME,
		Size:    10240,
		Subject: "Your order 1234567 is on its way",
		Recipients: []Recipient{{
			Number:    1,
			Sender:    address.Address{Local: "bounce-77123", Domain: "news.example.com"},
			Address:   address.Address{Local: "jane.doe", Domain: "example.org"},
			Transport: "mx",
			Job:       "campaign-9",
		}},
	}
}

func genText() *rapid.Generator[string] { return rapid.StringN(0, 30, 200) }

func genTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero time") {
			return time.Time{}
		}
		return time.UnixMilli(rapid.Int64Range(1, 1<<45).Draw(t, "ms"))
	})
}

func genAddress() *rapid.Generator[address.Address] {
	return rapid.Custom(func(t *rapid.T) address.Address {
		return address.Address{
			Local:  genText().Draw(t, "local"),
			Domain: rapid.SampledFrom([]string{"", "a.example", "b.example"}).Draw(t, "domain"),
		}
	})
}

func genIP() *rapid.Generator[netip.Addr] {
	return rapid.SampledFrom([]netip.Addr{
		{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("fe80::1%eth0"),
	})
}

func genRecipient() *rapid.Generator[Recipient] {
	word := rapid.SampledFrom([]string{"", "mx", "lmtp"})
	return rapid.Custom(func(t *rapid.T) Recipient {
		return Recipient{
			Number:    rapid.Uint32().Draw(t, "number"),
			Sender:    genAddress().Draw(t, "sender"),
			Address:   genAddress().Draw(t, "address"),
			Transport: word.Draw(t, "transport"),
			Job:       word.Draw(t, "job"),
			Tenant:    word.Draw(t, "tenant"),
			Notify:    Notify(rapid.IntRange(0, int(notifyAll)).Draw(t, "notify")),
			ORcpt:     genText().Draw(t, "orcpt"),
			Quotas:    rapid.SliceOfN(word, 0, 3).Draw(t, "quotas"),
			Metadata:  rapid.MapOfN(genText(), genText(), 0, 20).Draw(t, "metadata"),
			Hold:      rapid.Bool().Draw(t, "hold"),
			NotBefore: genTime().Draw(t, "not before"),
			Patch:     rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "patch"),
			Priority:  rapid.Byte().Draw(t, "priority"),
			Ret:       Ret(rapid.IntRange(0, 2).Draw(t, "ret")),
			EnvID:     genText().Draw(t, "envid"),
		}
	})
}

func genMessage() *rapid.Generator[*Message] {
	return rapid.Custom(func(t *rapid.T) *Message {
		return &Message{
			ID:       ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")),
			Received: genTime().Draw(t, "received"),
			ServerID: genText().Draw(t, "server"),
			Client: Client{
				IP:       genIP().Draw(t, "ip"),
				Port:     rapid.Uint16().Draw(t, "port"),
				PTR:      genText().Draw(t, "ptr"),
				Helo:     genText().Draw(t, "helo"),
				TLS:      genText().Draw(t, "tls"),
				Cipher:   genText().Draw(t, "cipher"),
				Username: genText().Draw(t, "username"),
			},
			Priority:   rapid.Byte().Draw(t, "priority"),
			Body:       Body(rapid.IntRange(0, 2).Draw(t, "body")),
			SMTPUTF8:   rapid.Bool().Draw(t, "smtputf8"),
			RequireTLS: rapid.Bool().Draw(t, "requiretls"),
			Ret:        Ret(rapid.IntRange(0, 2).Draw(t, "ret")),
			EnvID:      genText().Draw(t, "envid"),
			Subject:    genText().Draw(t, "subject"),
			Size:       rapid.Int64().Draw(t, "size"),
			Recipients: rapid.SliceOfN(genRecipient(), 0, 5).Draw(t, "recipients"),
		}
	})
}

func TestMessageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := genMessage().Draw(t, "message")
		b := m.Append([]byte("before"))[len("before"):]
		var got Message
		if err := Decode(b, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, &got, same); diff != "" {
			t.Fatal(diff)
		}
		if again := got.Append(nil); !bytes.Equal(b, again) {
			t.Fatal("encoding the decoded message gives other bytes")
		}
	})
}

func TestStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := State{
			Retry:       rapid.Uint32().Draw(t, "retry"),
			Due:         genTime().Draw(t, "due"),
			Hold:        rapid.Bool().Draw(t, "hold"),
			Notified:    rapid.Bool().Draw(t, "notified"),
			Reason:      genText().Draw(t, "reason"),
			Transport:   genText().Draw(t, "transport"),
			Metadata:    rapid.MapOfN(genText(), genText(), 0, 20).Draw(t, "metadata"),
			MetadataSet: rapid.Bool().Draw(t, "metadata set"),
		}
		var got State
		if err := DecodeState(s.Append(nil), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, got, same); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestTypicalSize(t *testing.T) {
	if n := len(typical().Append(nil)); n > 220 {
		t.Errorf("a typical message takes %d bytes", n)
	}
	s := State{Retry: 3, Due: time.UnixMilli(1790000000123), Reason: "450 4.2.1 mailbox busy"}
	if n := len(s.Append(nil)); n > 40 {
		t.Errorf("a typical state takes %d bytes", n)
	}
}

func many(n int) *Message {
	m := typical()
	for i := 1; i < n; i++ {
		r := m.Recipients[0]
		r.Number = uint32(i + 1)
		r.Address.Local = fmt.Sprintf("user%d", i)
		m.Recipients = append(m.Recipients, r)
	}
	return m
}

func TestRecipientsShareWhatTheyHaveInCommon(t *testing.T) {
	one, all := len(typical().Append(nil)), len(many(1001).Append(nil))
	if per := (all - one) / 1000; per > 30 {
		t.Errorf("%d bytes for each further recipient", per)
	}
}

func TestDecodeRecipient(t *testing.T) {
	m := many(50)
	m.Recipients[20].Number = 1000
	m.Recipients[20].Transport = "other"
	m.Recipients[0].Hold = true
	b := m.Append(nil)
	for _, want := range m.Recipients {
		var got Message
		if err := (Decoder{}).DecodeRecipient(b, want.Number, &got); err != nil {
			t.Fatal(want.Number, err)
		}
		expect := *m
		expect.Recipients = []Recipient{want}
		if diff := cmp.Diff(&expect, &got, same); diff != "" {
			t.Fatal(want.Number, diff)
		}
	}
	for _, number := range []uint32{0, 21, 51} {
		var got Message
		if err := (Decoder{}).DecodeRecipient(b, number, &got); !errors.Is(err, ErrNoRecipient) {
			t.Errorf("recipient %d: %v", number, err)
		}
	}
}

func TestEachEndsWithItsError(t *testing.T) {
	stop := errors.New("stop")
	seen := 0
	err := Decoder{}.Each(many(10).Append(nil), &Message{}, func(r *Recipient) error {
		if seen++; r.Number == 4 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 4 {
		t.Errorf("error %v after %d recipients", err, seen)
	}
}

func TestIntern(t *testing.T) {
	table := map[string]string{}
	d := Decoder{Intern: func(b []byte) string {
		s, ok := table[string(b)]
		if !ok {
			s = string(b)
			table[s] = s
		}
		return s
	}}
	var m Message
	if err := d.Decode(many(3).Append(nil), &m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(many(3), &m, same); diff != "" {
		t.Error(diff)
	}
	for _, s := range []string{"mx", "campaign-9", "news.example.com", "example.org", "inbound", "TLSv1.3"} {
		if table[s] == "" {
			t.Errorf("%q was not interned", s)
		}
	}
	if table["jane.doe"] != "" {
		t.Error("a local part was interned")
	}
}

func TestVersions(t *testing.T) {
	b := typical().Append(nil)
	b[0] = version + 1
	if err := Decode(b, &Message{}); !errors.Is(err, ErrVersion) {
		t.Errorf("message of a newer version: %v", err)
	}
	if err := DecodeState([]byte{version + 1}, &State{}); !errors.Is(err, ErrVersion) {
		t.Errorf("state of a newer version: %v", err)
	}
}

// A later minor version writes more fields at the end of a section, an earlier
// one fewer.
func TestSectionsOfOtherLengths(t *testing.T) {
	m := typical()
	head := m.appendHead(nil)
	recipient := m.Recipients[0].append(nil, &Recipient{}, 1)
	record := func(head, recipient []byte) []byte {
		b := appendString([]byte{version}, head)
		return appendString(append(b, 1), recipient)
	}
	var got Message
	longer := record(append(bytes.Clone(head), "new field"...), append(bytes.Clone(recipient), "another"...))
	if err := Decode(longer, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, &got, same); diff != "" {
		t.Error(diff)
	}
	if err := Decode(record(head[:len(head)-1], recipient), &got); err != nil {
		t.Fatal(err) // without Stage
	}
	if diff := cmp.Diff(m, &got, same); diff != "" {
		t.Error(diff)
	}
}

func TestDamage(t *testing.T) {
	b := many(2).Append(nil)
	var m Message
	for n := range len(b) {
		if err := Decode(b[:n], &m); !errors.Is(err, ErrFormat) {
			t.Errorf("first %d bytes: %v", n, err)
		}
	}
	// A count of recipients that are not there ends at the first missing one.
	huge := append(appendString([]byte{version}, typical().appendHead(nil)),
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
	if err := Decode(huge, &m); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if err := (Decoder{}).DecodeRecipient(huge, 7, &m); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(typical().Append(nil))
	f.Add(many(3).Append(nil))
	m := typical()
	m.Recipients[0].Metadata = map[string]string{"a": "b"}
	m.Recipients[0].Quotas = []string{"q"}
	m.Recipients[0].NotBefore = time.UnixMilli(5)
	f.Add(m.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		if Decode(b, &m) == nil {
			if err := Decode(m.Append(nil), &again); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&m, &again, same); diff != "" {
				t.Fatal(diff)
			}
		}
		_ = Decoder{}.DecodeRecipient(b, 2, &m)
		var s State
		if DecodeState(b, &s) == nil {
			if err := DecodeState(s.Append(nil), &s); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// 100 ns/op, no allocation.
func BenchmarkAppend(b *testing.B) {
	m := typical()
	buf := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		buf = m.Append(buf[:0])
	}
}

// 480 ns/op, 4 allocations: the message, its recipients, two copies of text.
func BenchmarkDecode(b *testing.B) {
	record := typical().Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		var m Message
		if err := Decode(record, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// 47 µs/op for the recipient in the middle.
func BenchmarkDecodeRecipientOf10000(b *testing.B) {
	record := many(10000).Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		var m Message
		if err := (Decoder{}).DecodeRecipient(record, 5000, &m); err != nil {
			b.Fatal(err)
		}
	}
}
