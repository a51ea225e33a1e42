package arc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/posthaste-mta/posthaste/internal/arc"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

type zone map[string]string

func (z zone) TXT(_ context.Context, name string) ([]string, error) {
	if text, ok := z[name]; ok {
		return []string{text}, nil
	}
	return nil, nil
}

// counting counts the look-ups of a zone.
type counting struct {
	zone
	mu sync.Mutex
	n  int
}

func (c *counting) TXT(ctx context.Context, name string) ([]string, error) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	return c.zone.TXT(ctx, name)
}

// suite is the form of the published suites.
type suite struct {
	Description string
	Domain      string
	Sel         string
	PrivateKey  string            `yaml:"privatekey"`
	Records     map[string]string `yaml:"txt-records"`
	Tests       yaml.Node
	Comment     string
}

type vector struct {
	Spec, Description, Message, CV string
	T                              int64
	Headers                        string `yaml:"sig-headers"`
	Server                         string `yaml:"srv-id"`
	AS                             string `yaml:"AS"`
	AMS                            string `yaml:"AMS"`
	AAR                            string `yaml:"AAR"`
}

// each runs f for each test of a suite. Names occur twice in them, so the tests
// are not read as a map.
func each(t *testing.T, file string, f func(t *testing.T, s *suite, v *vector)) {
	r, err := os.Open(filepath.Join(testenv.Vectors(t, "arc"), file))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	d := yaml.NewDecoder(r)
	for {
		var s suite
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(s.Tests.Content); i += 2 {
			t.Run(s.Tests.Content[i].Value, func(t *testing.T) {
				var v vector
				if err := s.Tests.Content[i+1].Decode(&v); err != nil {
					t.Fatal(err)
				}
				f(t, &s, &v)
			})
		}
	}
}

func (s *suite) zone() zone {
	z := zone{}
	for name, text := range s.Records {
		z[name] = strings.Join(strings.Fields(text), "")
	}
	return z
}

func crlf(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }

func validate(t testing.TB, r dkim.Resolver, msg []byte) arc.Result {
	t.Helper()
	result, err := arc.NewValidator(r, arc.Options{}).Message(t.Context(), bytes.NewReader(msg), int64(len(msg)))
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestValidationVectors(t *testing.T) {
	each(t, "arc-draft-validation-tests.yml", func(t *testing.T, s *suite, v *vector) {
		want := strings.ToLower(strings.TrimSpace(v.CV))
		if want == "" {
			// The suite leaves open what becomes of a chain that says cv=fail
			// itself. RFC 8617 §5.2 steps 2 and 3 do not.
			want = "fail"
		}
		if r := validate(t, s.zone(), crlf(v.Message)); string(r.Status) != want {
			t.Errorf("%s (%s), want %s: %s", r.Status, r.Reason(), want, v.Description)
		}
	})
}
