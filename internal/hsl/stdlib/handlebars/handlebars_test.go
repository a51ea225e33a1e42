package handlebars_test

import (
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/handlebars"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

const context = `["name" => "Ann & Bo", "html" => "<b>", "yes" => true, "no" => false, "empty" => [], "zero" => 0,
	"list" => ["x", "y"], "map" => ["k" => 1, "l" => 2], "people" => [["n" => "A", "tags" => ["t", "u"]], ["n" => "B", "tags" => []]]]`

// render returns the text, or "!" and the error.
func render(t testing.TB, m *stdlibtest.Machine, template string) string {
	t.Helper()
	c, err := m.Eval(context)
	if err != nil {
		t.Fatal(err)
	}
	v, err := m.Call(value.FromFunction(m.Library.Function("handlebars")), value.String(template), c)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := v.Array().GetString("error"); ok {
		return "!" + text.Str()
	}
	text, _ := v.Array().GetString("result")
	return text.Str()
}

func TestRender(t *testing.T) {
	m := stdlibtest.New(t, handlebars.Library(), value.Setup{})
	for _, tt := range []struct{ template, want string }{
		{"plain } text", "plain } text"},
		{"{{name}} {{{name}}} {{&name}} {{html}} {{missing}}.", "Ann &amp; Bo Ann & Bo Ann & Bo &lt;b&gt; ."},
		{"{{! no }}a{{!-- {{no}} --}}b", "ab"},
		{"a  {{~name~}}  b {{!-- x --~}} c", "aAnn &amp; Bob c"},
		{"{{#if yes}}1{{/if}}{{#if no}}2{{else}}3{{/if}}{{#if empty}}4{{else if yes}}5{{else}}6{{/if}}{{#if zero}}7{{/if}}", "135"},
		{"{{#unless no}}1{{/unless}}{{#unless yes}}2{{else}}3{{/unless}}", "13"},
		{"{{#each list}}{{@index}}{{this}}{{#unless @last}},{{/unless}}{{/each}}", "0x,1y"},
		{"{{#each map}}{{@key}}={{.}}{{#if @first}};{{/if}}{{/each}}", "k=1;l=2"},
		{"{{#each empty}}x{{else}}none{{/each}}{{#each missing}}x{{else}}none{{/each}}", "nonenone"},
		{"{{#each people}}{{n}}:{{#each tags}}{{this}}{{../n}}{{@root.zero}}{{/each}} {{/each}}", "A:tA0uA0 B: "},
		{"{{#with map}}{{k}}{{../name}}{{/with}}{{#with missing}}x{{else}}y{{/with}}", "1Ann &amp; Boy"},
		{"{{#people}}{{n}}{{/people}}{{#map}}{{l}}{{/map}}{{#yes}}y{{/yes}}{{^no}}n{{/no}}{{^yes}}x{{/yes}}{{#no}}x{{^}}z{{/no}}", "AB2ynz"},
		{"{{people.0.n}} {{people/1/n}} {{list.length}} {{this.map.k}} {{list}}", "A B 2 1 x,y"},
		{"{{lookup map 'l'}} {{lookup list 1}} {{people.[0].n}}", "2 y A"},
	} {
		if got := render(t, m, tt.template); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.template, got, tt.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	m := stdlibtest.New(t, handlebars.Library(), value.Setup{})
	for template, want := range map[string]string{
		"a\n{{name": "line 2: {{ is not closed", "{{#if yes}}": "{{#if yes}} is not closed", "x{{/if}}": "{{/if}} without a block",
		"{{else}}": "{{else}} without a block", "{{}}": "an empty tag", "{{> part}}": "partials are not there", "{{shout name}}": "unknown helper shout",
		"{{#if}}{{/if}}": "if wants 1 arguments, got 0", "{{lookup map \"k}}": "a quote is not closed", "{{(name)}}": "want a path",
		strings.Repeat("{{#if yes}}", 200): "nested deeper than 100",
	} {
		if got := render(t, m, template); !strings.HasPrefix(got, "!") || !strings.Contains(got, want) {
			t.Errorf("%s: %s", template, got)
		}
	}
}

// TestBounds: a template cannot make more than the script may have.
func TestBounds(t *testing.T) {
	nested := strings.Repeat("{{#each list}}", 40) + "x" + strings.Repeat("{{/each}}", 40)
	for name, limits := range map[string]value.Limits{"memory": {Memory: 64 << 10}, "instructions": {Instructions: 100_000}} {
		m := stdlibtest.New(t, handlebars.Library(), value.Setup{Limits: limits})
		c := value.NewArray(0)
		list := value.FromArray(value.List(value.Int(1), value.Int(2)))
		for range 40 { // each level holds the one below twice
			inner := value.NewArray(0)
			inner.SetString("list", list)
			list = value.FromArray(value.List(value.FromArray(inner), value.FromArray(inner)))
		}
		c.SetString("list", list)
		if _, err := m.Call(value.FromFunction(m.Library.Function("handlebars")), value.String(nested), value.FromArray(c)); !value.Uncatchable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRender(f *testing.F) {
	f.Add("a {{#each people}}{{~n~}}{{else}}{{/each}} {{{x}}}")
	f.Add("{{!-- --}}{{lookup a 'b'}}{{^}}")
	f.Fuzz(func(t *testing.T, template string) {
		m := stdlibtest.New(t, handlebars.Library(), value.Setup{Limits: value.Limits{Instructions: 1 << 20}})
		if got := render(t, m, template); !strings.Contains(template, "{{") && got != template {
			t.Errorf("%q gives %q", template, got)
		}
	})
}
