package sink

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// TestOtherPrograms lets the clients that people test with speak to the sink.
func TestOtherPrograms(t *testing.T) {
	for name, test := range map[string]struct {
		options  Options
		args     string
		messages int64
	}{
		"smtp-source": {Options{}, "-c -l 10000 -m 100 -s 5 -r 2 ADDR", 100},
		"swaks":       {Options{Auth: true}, "--server ADDR --from a@x.example --to b@y.example --auth PLAIN --auth-user joe --auth-password x --pipeline", 1},
	} {
		t.Run(name, func(t *testing.T) {
			program := testenv.Program(t, name)
			s := start(t, test.options)
			args := strings.Fields(strings.Replace(test.args, "ADDR", s.Addr().String(), 1))
			if out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if st := s.Stats(); st.Messages != test.messages || st.Violations != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}
