package plugin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

type queue struct {
	ID      string        `key:"id" required:"true"`
	Items   int           `key:"items" default:"3" min:"1"`
	Wait    time.Duration `key:"wait" default:"2"`
	Delay   time.Duration `key:"delay" unit:"1ms" default:"5000"`
	Verify  bool          `key:"verify" default:"true"`
	Headers []string      `key:"headers"`
	Port    uint16        `key:"port"`
	Ratio   float64       `key:"ratio"`
	Extra   map[string]any
	Any     map[string]any `key:"any"`
}

type settings struct {
	Queues []queue `key:"queues"`
	Name   string  `key:"name" default:"x"`
}

func TestDecode(t *testing.T) {
	var got settings
	err := plugin.Settings{
		"name": int64(7),
		"queues": []any{
			map[string]any{"id": "a"},
			map[string]any{
				"id": "b", "items": int64(5), "wait": 0.5, "delay": int64(20), "verify": false, "headers": "X: y",
				"port": 25, "ratio": 0.25, "any": map[string]any{"k": int64(1)},
			},
		},
	}.Decode(&got)
	want := settings{Name: "7", Queues: []queue{
		{ID: "a", Items: 3, Wait: 2 * time.Second, Delay: 5 * time.Second, Verify: true},
		{
			ID: "b", Items: 5, Wait: time.Second / 2, Delay: 20 * time.Millisecond, Headers: []string{"X: y"}, Port: 25, Ratio: 0.25,
			Any: map[string]any{"k": int64(1)},
		},
	}}
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("error %v, %s", err, cmp.Diff(want, got))
	}
}

func TestDecodeMistakes(t *testing.T) {
	for _, tt := range []struct {
		given plugin.Settings
		want  string
	}{
		{plugin.Settings{"queue": "x"}, "queue: unknown key; there are queues, name"},
		{plugin.Settings{"queues": map[string]any{}}, "queues[0].id: is missing"},
		{plugin.Settings{"queues": "x"}, "queues[0]: want a mapping"},
		{plugin.Settings{"name": true}, "name: want a text, got true"},
		{queueOf("items", int64(0)), "queues[0].items: want a number of at least 1, got 0"},
		{queueOf("items", 1.5), "queues[0].items: want a whole number"},
		{queueOf("items", 1e30), "queues[0].items: want a whole number that is not too large"},
		{queueOf("items", "many"), "queues[0].items: want a number of at least 1, got many"},
		{queueOf("port", int64(65536)), "queues[0].port: want a whole number"},
		{queueOf("port", int64(-1)), "queues[0].port: want a number of at least 0, got -1"},
		{queueOf("verify", "yes"), "queues[0].verify: want true or false, got yes"},
		{queueOf("headers", []any{true}), "queues[0].headers[0]: want a text, got true"},
		{queueOf("any", "x"), "queues[0].any: want a mapping"},
		{queueOf("idd", "x"), "queues[0].idd: unknown key"},
	} {
		var got settings
		if err := tt.given.Decode(&got); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v\n got %v\nwant %s", tt.given, err, tt.want)
		}
	}
}

func queueOf(key string, v any) plugin.Settings {
	return plugin.Settings{"queues": []any{map[string]any{"id": "a", key: v}}}
}

// part is a plug-in that writes down what happens to it.
type part struct {
	plugin.Base
	name   string
	events *[]string
	fails  error
}

func (p part) Start(context.Context) error {
	*p.events = append(*p.events, "start "+p.name)
	return p.fails
}

func (p part) Close(context.Context) error {
	*p.events = append(*p.events, "close "+p.name)
	return nil
}

func (p part) Prepare(s plugin.Settings) (func(), error) {
	if s["fail"] != nil {
		return nil, errors.New("fails")
	}
	return func() { *p.events = append(*p.events, "adopt "+p.name) }, nil
}

func (p part) Command(_ context.Context, args []string) (string, error) {
	if len(args) != 1 {
		return "", plugin.Usage(args, "greet")
	}
	return "hello", nil
}

func TestSet(t *testing.T) {
	var events []string
	var s plugin.Set
	s.Add("b", part{name: "b", events: &events})
	s.Add("a", part{name: "a", events: &events})
	s.Add("plain", plugin.Base{})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	adopt, err := s.Prepare(map[string]plugin.Settings{"a": {"x": 1}})
	if err != nil {
		t.Fatal(err)
	}
	adopt()
	if err := errors.Join(s.Reopen(), s.Close(t.Context())); err != nil {
		t.Error(err)
	}
	want := []string{"start b", "start a", "adopt b", "adopt a", "close b", "close a"}
	if !cmp.Equal(events, want) {
		t.Errorf("got %q, want %q", events, want)
	}
	_, err = s.Prepare(map[string]plugin.Settings{"a": {"fail": 1}, "plain": {"x": 1}})
	if err == nil || err.Error() != "plug-in a: fails\nplug-in plain: takes its settings from the startup configuration only" {
		t.Errorf("prepare ends with %v", err)
	}
}

func TestSetCommand(t *testing.T) {
	var s plugin.Set
	s.Add("b", part{})
	s.Add("plain", plugin.Base{})
	for _, tt := range []struct {
		id         string
		args       []string
		said, fail string
	}{
		{"b", []string{"greet"}, "hello", ""},
		{"b", nil, "", "plug-in b: no command given; want greet"},
		{"b", []string{"x", "y"}, "", `plug-in b: unknown command "x y"; want greet`},
		{"plain", []string{"x"}, "", "plug-in plain: this plug-in has no commands"},
		{"c", nil, "", `"c": no such plug-in; there are b, plain`},
	} {
		said, err := s.Command(t.Context(), tt.id, tt.args)
		if said != tt.said || tt.fail != "" && (err == nil || err.Error() != tt.fail) || tt.fail == "" && err != nil {
			t.Errorf("%s %q: %q, %v", tt.id, tt.args, said, err)
		}
	}
}

// TestSetStartFails: what was started is closed again.
func TestSetStartFails(t *testing.T) {
	var events []string
	var s plugin.Set
	s.Add("a", part{name: "a", events: &events})
	s.Add("b", part{name: "b", events: &events, fails: errors.New("no room")})
	s.Add("c", part{name: "c", events: &events})
	if err := s.Start(t.Context()); err == nil || err.Error() != "plug-in b: no room" {
		t.Errorf("start ends with %v", err)
	}
	if want := []string{"start a", "start b", "close a", "close b"}; !cmp.Equal(events, want) {
		t.Errorf("got %q, want %q", events, want)
	}
}
