package extra_test

import (
	"bytes"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("EXTRA_TEST", "a b")
	check(t, extra.New(extra.Options{}), "env", []stdlibtest.Case{
		{`getenv("EXTRA_TEST")`, `"a b"`},
		{`getenv("EXTRA_TEST_MISSING")`, `none`},
	})
}

func TestInterfaces(t *testing.T) {
	loopback := ""
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 && i.Flags&net.FlagUp != 0 {
			loopback = i.Name
		}
	}
	if loopback == "" {
		t.Fatal("the host has no loopback interface")
	}
	check(t, extra.New(extra.Options{}), "interfaces", []stdlibtest.Case{
		{`array_includes(["name" => "` + loopback + `"], interfaces())`, `true`},
		{`array_includes(["address" => "127.0.0.1"], local_ips("` + loopback + `"))`, `true`},
		{`array_includes(["address" => "127.0.0.1"], local_ips())`, `false`},
		{`local_ips("none such")`, `[]`},
	})
}

func TestTime(t *testing.T) {
	check(t, extra.New(extra.Options{}), "time-rfc2822", []stdlibtest.Case{
		{`time_rfc2822(0, "UTC")`, `"Thu, 01 Jan 1970 00:00:00 +0000"`},
		{`time_rfc2822(1782900000.9, "Europe/Stockholm")`, `"Wed, 01 Jul 2026 12:00:00 +0200"`},
		{`length(time_rfc2822())`, `31`},
		{`time_rfc2822(0, "Nowhere/City")`, `!want a time zone`},
		{`time_rfc2822(1e300)`, `!want a time of this age`},
	})
}

func TestStdout(t *testing.T) {
	var out, errors bytes.Buffer
	check(t, extra.New(extra.Options{Stdout: &out, Stderr: &errors}), "stdout", []stdlibtest.Case{
		{`stdout("a\n")`, `2`},
		{`stderr("bcd")`, `3`},
	})
	if out.String() != "a\n" || errors.String() != "bcd" {
		t.Errorf("wrote %q and %q", &out, &errors)
	}
}

// TestULID: those of a process rise, whoever asks.
func TestULID(t *testing.T) {
	m := extra.New(extra.Options{})
	var mu sync.Mutex
	var all []string
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := run(t, m, `import { ulid } from "extras://ulid";
				$last = ""; $rising = true;
				for ($i = 0; $i < 200; $i++) { $next = ulid(); if ($next <= $last) $rising = false; $last = $next; }
				echo $rising; echo $last;`)
			if err != nil || got[:5] != "true\n" {
				t.Errorf("got %s, %v", got, err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, got[5:])
		})
	}
	wg.Wait()
	slices.Sort(all)
	if n := len(slices.Compact(all)); n != 4 {
		t.Errorf("%d of 4 are distinct", n)
	}
	for _, id := range all {
		if len(id) != 26 || id[0] != '0' {
			t.Errorf("%q is no ULID of this age", id)
		}
	}
}

func TestProxyTLV(t *testing.T) {
	const tls = `ProxyTLV("\x20\x00\x22\x07\x00\x00\x00\x00\x21\x00\x07TLSv1.3\x22\x00\x02me\x23\x00\x04AES1\x24\x00\x01s\x25\x00\x00")`
	check(t, extra.New(extra.Options{}), "proxytlv", []stdlibtest.Case{
		{`ProxyTLV("")->types()`, `[]`},
		{`ProxyTLV("\x01\x00\x02h2\x05\x00\x01x\xe0\x00\x00")->types()`, `[0=>"ALPN",1=>"UNIQUE_ID",2=>224]`},
		{`ProxyTLV("\x01\x00\x02h2")->value("ALPN")`, `"h2"`},
		{`ProxyTLV("\x01\x00\x02h2")->value(1)`, `"h2"`},
		{`ProxyTLV("\xe0\x00\x02ab")->value(224)`, `"ab"`},
		{`ProxyTLV("\xe0\x00\x02ab")->value("")`, `none`},
		{`ProxyTLV("\x03\x00\x04\x00\x00\x01\x02")->value("CRC32C")`, `258`},
		{`ProxyTLV("\x03\x00\x01\x00")->value("CRC32C")`, `none`},
		{`ProxyTLV("\x30\x00\x02ns")->value("NETNS")`, `"ns"`},
		{`ProxyTLV("\x30\x00\x02ns")->value("ALPN")`, `none`},
		{tls + `->value("SSL")`, `["VERSION"=>"TLSv1.3","CN"=>"me","CIPHER"=>"AES1","SIG_ALG"=>"s","KEY_ALG"=>""]`},
		{`ProxyTLV("\x20\x00\x01\x07")->value("SSL")`, `none`},
		{`ProxyTLV("\x01\x00\x05h2")`, `!want types, lengths and values`},
	})
}

func TestNormalizer(t *testing.T) {
	check(t, extra.New(extra.Options{}), "bounce-normalizer", []stdlibtest.Case{
		{`bounce_normalizer("550 5.7.1 Email quota exceeded.")`, `"550 5_7_1 email quota exceeded"`},
		{`bounce_normalizer("421-4.7.0 [192.0.2.1] Our system: see HTTP://x.test/a?b (v9)")`, `"421 4_7_0 __ip__ our system see __url__ v9"`},
		{`bounce_normalizer("<Joe.X@example.com>: User unknown, id f81d4fae-7dec-11d0-a765-00a0c91e6bf6")`, `"__email__ user unknown id __uuid__"`},
		{`bounce_normalizer("2001:db8::1 blocked; 4Q1B2C3D4z8Xyz - gsmtp")`, `"__ip__ blocked __uuid__ gsmtp"`},
		{`bounce_normalizer("d2e1a72fcca58-7c0 deferred")`, `"__uuid__ deferred"`},
		{`bounce_normalizer("Boîte pleine!")`, `"boîte pleine"`},
		{`bounce_normalizer("")`, `""`},
	})
}
