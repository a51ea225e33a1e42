// Package metric holds the plain counters that the other packages keep about
// themselves.
//
// A package declares a struct whose fields are Counter, Gauge or Func and
// describes each in its tag:
//
//	type Metrics struct {
//		Delivered metric.Counter `name:"queue_delivery_delivered" help:"Messages delivered."`
//	}
//
// Counting is one atomic add, with no registry or label look-up in the way.
// A Registry walks the structs it was given when somebody asks for values;
// Describe does the same for documentation. Names carry no product prefix:
// "halon_" is added where they leave the process, and a dotted form of the same
// name is what process-stats prints (spec operations.md 20.2).
package metric

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Counter only goes up. The zero value is ready; it is safe for concurrent use.
type Counter struct{ v atomic.Int64 }

// Inc adds one.
func (c *Counter) Inc() { c.v.Add(1) }

// Add adds n, which must not be negative.
func (c *Counter) Add(n int64) { c.v.Add(n) }

// Load returns the current value.
func (c *Counter) Load() int64 { return c.v.Load() }

// Gauge goes up and down. The zero value is ready; it is safe for concurrent use.
type Gauge struct{ v atomic.Int64 }

// Inc adds one.
func (g *Gauge) Inc() { g.v.Add(1) }

// Dec takes one away.
func (g *Gauge) Dec() { g.v.Add(-1) }

// Add adds n, which may be negative.
func (g *Gauge) Add(n int64) { g.v.Add(n) }

// Set replaces the value.
func (g *Gauge) Set(n int64) { g.v.Store(n) }

// Load returns the current value.
func (g *Gauge) Load() int64 { return g.v.Load() }

// Func is a gauge computed when it is read. A nil Func reads as zero. It is
// called by whoever gathers and must be safe for that.
type Func func() float64

// Kind says how a value moves.
type Kind uint8

const (
	CounterKind Kind = iota
	GaugeKind
)

func (k Kind) String() string {
	if k == CounterKind {
		return "counter"
	}
	return "gauge"
}

// Label is one name and value that tell instances of the same metric apart.
type Label struct{ Name, Value string }

// Desc describes one metric.
type Desc struct {
	Name string // without product prefix, words joined by underscores
	Help string // one sentence
	Unit string // "seconds", "bytes" or empty for a plain count
	Kind Kind
}

// Sample is one metric and its value at the moment of gathering.
type Sample struct {
	Desc
	Labels []Label
	Value  float64
}

// Registry knows the live metric structs of a process. It is safe for
// concurrent use.
type Registry struct {
	mu   sync.Mutex
	sets []*Set
}

// Set is one registered struct; Remove takes it out again.
type Set struct {
	registry *Registry
	labels   []Label
	value    reflect.Value
}

// Register adds the struct that v points to. Labels apply to all of its fields.
// It panics when v is not a pointer to a struct of described metrics, which is
// a programming error.
func (r *Registry) Register(v any, labels ...Label) *Set {
	Describe(v)
	s := &Set{registry: r, labels: labels, value: reflect.ValueOf(v).Elem()}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets = append(r.sets, s)
	return s
}

// Remove forgets the set, for a part that has been stopped.
func (s *Set) Remove() {
	r := s.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets = slices.DeleteFunc(r.sets, func(o *Set) bool { return o == s })
}

// Gather reads every metric. The order is that of registration and declaration.
func (r *Registry) Gather() []Sample {
	r.mu.Lock()
	sets := slices.Clone(r.sets)
	r.mu.Unlock()
	var out []Sample
	for _, s := range sets {
		for i := range s.value.NumField() {
			d, _ := describe(s.value.Type().Field(i))
			out = append(out, Sample{Desc: d, Labels: s.labels, Value: read(s.value.Field(i))})
		}
	}
	return out
}

// Describe lists the metrics of the struct that v points to.
func Describe(v any) []Desc {
	t := reflect.TypeOf(v)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("metric: %T is not a pointer to a struct", v))
	}
	var out []Desc
	for i := range t.Elem().NumField() {
		d, err := describe(t.Elem().Field(i))
		if err != nil {
			panic(fmt.Sprintf("metric: %T: %v", v, err))
		}
		out = append(out, d)
	}
	return out
}

func describe(f reflect.StructField) (Desc, error) {
	d := Desc{Name: f.Tag.Get("name"), Help: f.Tag.Get("help"), Unit: f.Tag.Get("unit")}
	switch reflect.Zero(reflect.PointerTo(f.Type)).Interface().(type) {
	case *Counter:
		d.Kind = CounterKind
	case *Gauge, *Func:
		d.Kind = GaugeKind
	default:
		return d, fmt.Errorf("field %s has type %s", f.Name, f.Type)
	}
	if f.Tag.Get("kind") == "counter" {
		d.Kind = CounterKind
	}
	if d.Name == "" || d.Help == "" || strings.ContainsAny(d.Name, ". -") {
		return d, fmt.Errorf("field %s needs a name and a help tag", f.Name)
	}
	return d, nil
}

func read(v reflect.Value) float64 {
	switch m := v.Addr().Interface().(type) {
	case *Counter:
		return float64(m.Load())
	case *Gauge:
		return float64(m.Load())
	case *Func:
		if *m != nil {
			return (*m)()
		}
	}
	return 0
}
