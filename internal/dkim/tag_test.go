package dkim_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthaste-mta/posthaste/internal/dkim"
)

var tagLists = []struct{ text, want string }{
	{"a=1", "a=1"},
	{" v = DKIM1 ;\r\n\tp= ab\r\n cd ; ", "v=DKIM1; p=ab\r\n cd"},
	{"a=;b=", "a=; b="},
	{"a_1=x=y;B=;", "a_1=x=y; B="},
	{"i=\xc3\xa4@x", "i=\xc3\xa4@x"},
	{"", ""}, {";", ""}, {"a", ""}, {"=b", ""}, {"a=1;;b=2", ""}, {"a=1;a=2", ""}, {"1a=2", ""}, {"a b=2", ""}, {"a=\x00", ""}, {"a=\x7f", ""},
}

func TestParseTags(t *testing.T) {
	for _, c := range tagLists {
		tags, err := dkim.ParseTags(c.text)
		if (err != nil) != (c.want == "") {
			t.Errorf("%q: %v", c.text, err)
		}
		if tags.String() != c.want {
			t.Errorf("%q: %q, want %q", c.text, tags, c.want)
		}
	}
	tags, _ := dkim.ParseTags("a=1; A=2")
	if v, ok := tags.Get("A"); v != "2" || !ok {
		t.Error("names are case-sensitive")
	}
	if _, ok := tags.Get("b"); ok {
		t.Error("found what is not there")
	}
}

func FuzzParseTags(f *testing.F) {
	for _, c := range tagLists {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags, err := dkim.ParseTags(s)
		if err != nil {
			return
		}
		again, err := dkim.ParseTags(tags.String())
		if err != nil || !cmp.Equal(tags, again, cmpopts.IgnoreUnexported(dkim.Tag{})) {
			t.Errorf("%q: %q, %v", tags, again, err)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	f.Add("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
	f.Add("h=sha256; s=email:*; t=y:s; n=hi; p=MIGJAoGBALVI635dLK4cJJAH3Lx6upo3X/Lm1tQz3mezcWTA3BUBnyIsdnRf57aD5BtNmhPrYYDlWlzw3UgnKisIxktkk5+iMQMlFtAS10JB8L3YadXNJY+JBcbeSi5TgJe4WFzNgW95FWDAuSTRXSWZfA/8xjflbTLDx0euFZOM7C4T0GwLAgMBAAE=")
	f.Fuzz(func(t *testing.T, s string) {
		k, err := dkim.ParseKey(s)
		if err != nil {
			return
		}
		again, err := dkim.ParseKey(k.Tags.String())
		if err != nil || !cmp.Equal(k, again, cmpopts.IgnoreUnexported(dkim.Tag{}, dkim.Key{})) {
			t.Errorf("%q: %+v, %v", s, again, err)
		}
		_ = k.Verify(dkim.RSASHA256, []byte("x"), []byte("y"))
		_ = k.Verify(dkim.Ed25519SHA256, []byte("x"), []byte("y"))
	})
}

func FuzzParseSignature(f *testing.F) {
	f.Add("DKIM-Signature: v=1; a=rsa-sha256; b=YQ==; bh=YQ==; c=relaxed; d=a.b; h=from; i=x@c.a.b; l=5; q=dns/txt; s=s; t=1; x=2; z=From:a|To:=20b\r\n")
	f.Add("arc-message-signature : a=ed25519-sha256; b=YQ==; bh=YQ==; d=a.b; h=; i=3; s=s\n")
	f.Add("ARC-Seal: a=rsa-sha256; b=YQ==; cv=none; d=a.b; i=1; s=s; t=1")
	f.Fuzz(func(t *testing.T, s string) {
		sig, err := dkim.ParseSignature([]byte(s))
		if err != nil {
			return
		}
		h := dkim.NewHeader([]byte(s))
		sig.Changed(h)
		line := "DKIM-Signature: " + sig.Tags.String()
		line = strings.Replace(line, "DKIM-Signature", sig.Kind.Field(), 1)
		again, err := dkim.ParseSignature([]byte(line))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if d := cmp.Diff(sig, again, cmpopts.IgnoreFields(dkim.Signature{}, "Field"), cmpopts.IgnoreUnexported(dkim.Tag{})); d != "" {
			t.Error(d)
		}
	})
}
