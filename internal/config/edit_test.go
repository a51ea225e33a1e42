package config

import (
	"strings"
	"testing"
)

func TestEdit(t *testing.T) {
	text := `# what this is
version: "6.9"
servers: [] # none yet
scripting: {hooks: {eod: [{id: old, data: x}]}}
`
	doc, _, err := Parse("f", []byte(text), SMTPDApp, LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	type script struct {
		ID   string `yaml:"id"`
		Data string `yaml:"data"`
	}
	source := "if (true) {\n\techo \"ä: #\";  \n}\n\n"
	if err := doc.Set("scripting.hooks.eod", []script{{"new", source}}); err != nil {
		t.Fatal(err)
	}
	if err := doc.Set("queues.pooling.size", 7); err != nil {
		t.Fatal(err)
	}
	out, err := doc.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# what this is", "# none yet"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is lost:\n%s", want, out)
		}
	}
	again, _, err := Parse("f", out, SMTPDApp, LoadOptions{})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	eod := again.Root.Get("scripting").Get("hooks").Get("eod").Items
	if len(eod) != 1 || eod[0].Get("data").Text != source {
		t.Errorf("got %s", out)
	}
	if again.Root.Get("queues").Get("pooling").Get("size").Text != "7" {
		t.Errorf("got %s", out)
	}
	again.Delete("scripting.hooks.eod")
	again.Delete("nothing.there")
	if out, err = again.YAML(); err != nil || strings.Contains(string(out), "scripting") {
		t.Errorf("%v: empty mappings stay:\n%s", err, out)
	}
}
