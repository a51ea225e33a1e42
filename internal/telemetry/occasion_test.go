package telemetry

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestOccasionally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		complain := Occasionally(log, 10*time.Second)
		for _, text := range []string{"a", "b", "c"} {
			complain(errors.New(text))
		}
		time.Sleep(10 * time.Second)
		complain(errors.New("d"))
		time.Sleep(10 * time.Second)
		complain(errors.New("e"))
		log.expect(t, "WARN a", "WARN d (2 complaints before it were not logged)", "WARN e")
	})
}
