package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/posthaste-mta/posthaste/internal/config/schema"
)

var update = flag.Bool("update", false, "write generated files again")

const referencePage = "../../docs/reference/configuration.md"

// TestReference compares the reference page with the schemas.
func TestReference(t *testing.T) {
	page, err := Reference()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(referencePage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), page); diff != "" {
		t.Errorf("docs/reference/configuration.md is out of date; run go generate ./internal/config/... (-have +want):\n%s", diff)
	}
}

// TestStatus finds every setting of every schema in status.yaml, and nothing
// else there.
func TestStatus(t *testing.T) {
	all, err := readStatus()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range Kinds() {
		settings, err := Settings(kind)
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, s := range settings {
			known[s.Path] = true
			switch s.Status {
			case statusWorks, statusAccepted, statusIgnored:
			default:
				t.Errorf("%s: %s: status %q", kind, s.Path, s.Status)
			}
		}
		for path := range all[kind] {
			if !known[path] {
				t.Errorf("status.yaml: %s: %s is not in the schema", kind, path)
			}
		}
		delete(all, kind)
	}
	for kind := range all {
		t.Errorf("status.yaml: there is no kind %q", kind)
	}
}

// TestDescribed wants every property described, and a default of its own type.
func TestDescribed(t *testing.T) {
	for _, kind := range Kinds() {
		root, err := SchemaOf(kind)
		if err != nil {
			t.Fatal(err)
		}
		if root.Description == "" {
			t.Errorf("%s: no description", kind)
		}
		for path, s := range root.Walk() {
			if s.Description == "" {
				t.Errorf("%s: %s: no description", kind, path)
			}
			if s.Pattern != "" && s.Scalar == "" && s.Expected == "" {
				t.Errorf("%s: %s: a pattern without x-expected", kind, path)
			}
			if s.Default == nil {
				continue
			}
			n, err := jsonNode(s.Default)
			c := checker{}
			if err == nil {
				c.check(n, s, nil, "")
			}
			if err != nil || len(c.errors) > 0 {
				t.Errorf("%s: %s: default %s: %v %v", kind, path, s.Default, err, c.errors)
			}
		}
	}
}

// TestKeywords refuses what the checker does not know, and what JSON Schema
// would ignore: anything but annotations beside a reference.
func TestKeywords(t *testing.T) {
	known := map[string]bool{}
	for _, word := range strings.Fields("$schema $id $ref title description default type format enum pattern minLength maxLength " +
		"minimum maximum properties required additionalProperties propertyNames minProperties maxProperties items minItems " +
		"oneOf anyOf not definitions x-type x-expected x-unique x-moved-to x-default x-own x-secret") {
		known[word] = true
	}
	names, err := fs.Glob(schema.Files, "*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != len(Kinds())+1 {
		t.Errorf("%d schema files for %d kinds and common.json", len(names), len(Kinds()))
	}
	for _, name := range names {
		data, err := schema.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var root any
		if err := json.Unmarshal(data, &root); err != nil {
			t.Fatal(name, err)
		}
		checkKeywords(t, name, root, known)
	}
}

func checkKeywords(t *testing.T, path string, v any, known map[string]bool) {
	t.Helper()
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	_, isRef := object["$ref"]
	for word, value := range object {
		if !known[word] {
			t.Errorf("%s: unknown keyword %q", path, word)
		}
		if isRef && !slices.Contains([]string{"$ref", "description", "default", "x-default", "x-own", "x-secret", "x-moved-to"}, word) {
			t.Errorf("%s: %q beside $ref has no effect", path, word)
		}
		switch word {
		case "properties", "definitions":
			for name, child := range value.(map[string]any) {
				checkKeywords(t, path+"/"+name, child, known)
			}
		case "items", "additionalProperties", "propertyNames", "not":
			checkKeywords(t, path+"/"+word, value, known)
		case "oneOf", "anyOf":
			for i, child := range value.([]any) {
				checkKeywords(t, fmt.Sprintf("%s/%s/%d", path, word, i), child, known)
			}
		case "default", "enum":
		}
	}
}

func compileSchema(t testing.TB, kind Kind) *jsonschema.Schema {
	t.Helper()
	text, err := SchemaText(kind)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	url := "mem:///" + string(kind) + ".json"
	if err := c.AddResource(url, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(url)
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	return s
}

// TestSchemaText compiles what editors get with a complete implementation,
// which also checks it against the schema of schemas.
func TestSchemaText(t *testing.T) {
	for _, kind := range Kinds() {
		s := compileSchema(t, kind)
		if err := s.Validate(map[string]any{"version": "6.9"}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if err := s.Validate(map[string]any{}); err == nil {
			t.Errorf("%s: accepts a file without version", kind)
		}
	}
	if _, err := SchemaText("nonsense"); err == nil {
		t.Error("there is a schema of nonsense")
	}
}

// TestAgreement compares our judgement of files with that of a complete
// implementation of JSON Schema: files are made by the schemas and then damaged.
func TestAgreement(t *testing.T) {
	const rounds = 300
	for _, kind := range Kinds() {
		theirs := compileSchema(t, kind)
		root, err := SchemaOf(kind)
		if err != nil {
			t.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(1, uint64(len(kind))))
		var accepted int
		for range rounds {
			value := generate(rnd, root, 0).(map[string]any)
			value["version"] = kindVersion(kind)
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			_, _, ours := Parse("f", text, kind, LoadOptions{DeferEnv: true})
			instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			verdict := theirs.Validate(instance)
			if ours == nil {
				accepted++
			}
			if (ours == nil) != (verdict == nil) && !onlyOurs(ours) {
				t.Fatalf("%s: we say %v\nthey say %v\nabout %s", kind, ours, verdict, text)
			}
		}
		if accepted == 0 || accepted == rounds {
			t.Errorf("%s: %d of %d files accepted; the test shows nothing", kind, accepted, rounds)
		}
	}
}

func kindVersion(kind Kind) string {
	oldest, _ := kind.Versions()
	return oldest.String()
}

// onlyOurs reports whether all complaints are about what JSON Schema cannot say:
// ids that occur twice.
func onlyOurs(err error) bool {
	all, ok := err.(Errors)
	return ok && !slices.ContainsFunc(all, func(e *Error) bool { return !strings.Contains(e.Err.Error(), "duplicate") })
}

// generate makes a value that mostly satisfies s.
func generate(rnd *rand.Rand, s *Schema, depth int) any {
	odd := []any{"x", "", 1, -1, 0.5, true, nil, []any{}, []any{"1m"}, map[string]any{}, map[string]any{"no": 1}, 70000, "1h", "0660", "10.0.0.0/8"}
	if depth > 0 && rnd.IntN(60) == 0 {
		return odd[rnd.IntN(len(odd))]
	}
	if s.Scalar != "" {
		valid := map[string][]any{
			"duration": {90, 1.5, "1h30m", "0", "2d", "7s"}, "size": {0, "60MiB", "5B"}, "rate": {5, "120/60", "7"},
			"mode": {"0660", "027"}, "ip": {"192.0.2.1", "::1"}, "network": {"10.0.0.0/8", "::1", "2001:db8::/32"},
			"endpoint": {"192.0.2.1:53", "[::1]:5", "::1"}, "path": {"/a/b", "c"},
		}[s.Scalar]
		return valid[rnd.IntN(len(valid))]
	}
	if len(s.Enum) > 0 {
		return s.Enum[rnd.IntN(len(s.Enum))]
	}
	if len(s.Type) == 0 {
		return "any"
	}
	switch s.Type[rnd.IntN(len(s.Type))] {
	case "object":
		return generateObject(rnd, s, depth)
	case "array":
		list := []any{}
		for range rnd.IntN(3) {
			list = append(list, generate(rnd, s.Items, depth+1))
		}
		return list
	case "boolean":
		return rnd.IntN(2) == 0
	case "integer", "number":
		return 1 + rnd.IntN(200)
	}
	if s.Pattern != "" {
		return []any{"jobid", "0123456789abcdef0123456789abcdef", "zz"}[rnd.IntN(3)]
	}
	return []any{"a", "some text"}[rnd.IntN(2)]
}

func generateObject(rnd *rand.Rand, s *Schema, depth int) map[string]any {
	object := map[string]any{}
	for _, name := range s.Properties.Names {
		child := s.Properties.Schema[name]
		if child.MovedTo == "" && (slices.Contains(s.Required, name) || rnd.IntN(2+depth) == 0) {
			object[name] = generate(rnd, child, depth+1)
		}
	}
	if len(s.OneOf) > 0 && rnd.IntN(10) > 0 {
		keep := s.OneOf[rnd.IntN(len(s.OneOf))].Required[0]
		for _, alternative := range s.OneOf {
			delete(object, alternative.Required[0])
		}
		object[keep] = generate(rnd, s.Properties.Get(keep), depth+1)
	}
	if extra := s.AdditionalProperties; extra != nil && !extra.never {
		name := "free"
		if s.PropertyNames != nil && rnd.IntN(10) > 0 {
			name = "EHLO"
		}
		object[name] = generate(rnd, extra, depth+1)
	}
	if rnd.IntN(100) == 0 {
		object["stranger"] = 1
	}
	return object
}

// BenchmarkSchemaOf is what a program pays for the schema of its file at start:
// 3 ms for smtpd-app, the largest.
func BenchmarkSchemaOf(b *testing.B) {
	for b.Loop() {
		schemas.loaded, schemas.common = nil, nil
		if _, err := SchemaOf(SMTPDApp); err != nil {
			b.Fatal(err)
		}
	}
}
