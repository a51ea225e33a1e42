package proxyproto_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/proxyproto"
)

func TestAppend(t *testing.T) {
	for _, c := range []struct {
		version      int
		source, dest string
		want         string
	}{
		{1, "192.0.2.1:4000", "198.51.100.2:25", "PROXY TCP4 192.0.2.1 198.51.100.2 4000 25\r\n"},
		{1, "[2001:db8::1]:4000", "[2001:db8::2]:25", "PROXY TCP6 2001:db8::1 2001:db8::2 4000 25\r\n"},
		{1, "[::ffff:192.0.2.1]:4000", "198.51.100.2:25", "PROXY TCP4 192.0.2.1 198.51.100.2 4000 25\r\n"},
		{1, "[fe80::1%eth0]:1", "[2001:db8::2]:25", "PROXY TCP6 fe80::1 2001:db8::2 1 25\r\n"},
		{2, "192.0.2.1:4000", "198.51.100.2:25", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x0f\xa0\x00\x19"},
		{2, "[2001:db8::1]:4000", "[2001:db8::2]:25", "\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x24" +
			"\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x02\x0f\xa0\x00\x19"},
	} {
		got, err := proxyproto.Append([]byte("x"), c.version, netip.MustParseAddrPort(c.source), netip.MustParseAddrPort(c.dest))
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("version %d from %s to %s: %q, %v", c.version, c.source, c.dest, got, err)
		}
	}
	four, six := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("[2001:db8::1]:1")
	if b, err := proxyproto.Append(nil, 1, four, six); !errors.Is(err, proxyproto.ErrFamilies) || b != nil {
		t.Errorf("two families: %q, %v", b, err)
	}
	if _, err := proxyproto.Append(nil, 2, netip.AddrPort{}, four); !errors.Is(err, proxyproto.ErrFamilies) {
		t.Errorf("no source: %v", err)
	}
	if _, err := proxyproto.Append(nil, 3, four, four); err == nil || errors.Is(err, proxyproto.ErrFamilies) {
		t.Errorf("version 3: %v", err)
	}
}

// local is a header of version 2 with the command LOCAL and a TLV.
const local = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x04\x04\x00\x01x"

func TestRead(t *testing.T) {
	for text, want := range map[string]string{
		"PROXY TCP4 192.0.2.1 198.51.100.2 4000 25\r\nEHLO x\r\n": "192.0.2.1:4000 198.51.100.2:25",
		"PROXY UNKNOWN\r\nEHLO x\r\n":                             "local",
		local + "EHLO x\r\n":                                      "local",
		"EHLO x\r\n":                                              "error",
		"PROXY TCP4 192.0.2.1 198.51.100.2 4000\r\n":              "error",
		"PROXY TCP4 192.0.2.1 2001:db8::1 4000 25\r\n":            "error",
		"": "error",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x12\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x0f\xa0\x00\x19": "error", // UDP
	} {
		r := bufio.NewReaderSize(strings.NewReader(text), proxyproto.Buffer)
		h, err := proxyproto.Read(r)
		if (err != nil) != (want == "error") {
			t.Errorf("%q: %+v, %v", text, h, err)
			continue
		}
		if err != nil {
			if !errors.Is(err, proxyproto.ErrHeader) {
				t.Errorf("%q: %v is no ErrHeader", text, err)
			}
			continue
		}
		got := "local"
		if !h.Local {
			got = h.Source.String() + " " + h.Destination.String()
		}
		if got != want {
			t.Errorf("%q: %s", text, got)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "EHLO x\r\n" {
			t.Errorf("%q: %q is left", text, rest)
		}
	}
}

// FuzzRead: headers are refused or understood, without panic, in bounded memory;
// what is understood can be written again and reads the same.
func FuzzRead(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.2 4000 25\r\n"))
	f.Add([]byte("PROXY TCP6 2001:db8::1 2001:db8::2 4000 25\r\nrest"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(local))
	f.Add(binary.BigEndian.AppendUint16([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11"), 65535))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(data), proxyproto.Buffer))
		if err != nil || h.Local {
			return
		}
		for version := 1; version <= 2; version++ {
			b, err := proxyproto.Append(nil, version, h.Source, h.Destination)
			if errors.Is(err, proxyproto.ErrFamilies) {
				// An IPv4 address in the disguise of IPv6 counts as what it is.
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			again, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(b)))
			if err != nil || again.Source != h.Source || again.Destination != h.Destination {
				t.Errorf("version %d: %+v became %+v, %v", version, h, again, err)
			}
		}
	})
}

// FuzzAppend: whatever is written reads as it was meant.
func FuzzAppend(f *testing.F) {
	f.Add([]byte{192, 0, 2, 1}, []byte{198, 51, 100, 2}, uint16(4000), uint16(25))
	f.Add(bytes.Repeat([]byte{9}, 16), bytes.Repeat([]byte{8}, 16), uint16(0), uint16(65535))
	f.Fuzz(func(t *testing.T, from, to []byte, fromPort, toPort uint16) {
		a, _ := netip.AddrFromSlice(from)
		b, _ := netip.AddrFromSlice(to)
		source, destination := netip.AddrPortFrom(a, fromPort), netip.AddrPortFrom(b, toPort)
		for version := 1; version <= 2; version++ {
			out, err := proxyproto.Append(nil, version, source, destination)
			if err != nil {
				continue
			}
			h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(out)))
			if err != nil || h.Source.Addr() != a.Unmap() || h.Destination.Addr() != b.Unmap() || h.Source.Port() != fromPort || h.Destination.Port() != toPort {
				t.Errorf("version %d of %s and %s: %+v, %v", version, source, destination, h, err)
			}
		}
	})
}
