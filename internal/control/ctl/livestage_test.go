package ctl

import (
	"fmt"
	"testing"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// FuzzParsePoints: what is taken for a break point says the same when it is
// written down again.
func FuzzParsePoints(f *testing.F) {
	for _, s := range []string{"eod/default.hsl:12", "a:b:3", ":1", "x:0", "x", "x:-1", "x:4294967296"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		points, err := parsePoints([]string{text})
		if err != nil {
			return
		}
		again, err := parsePoints([]string{fmt.Sprintf("%s:%d", points[0].File, points[0].Line)})
		if err != nil || again[0].File != points[0].File || again[0].Line != points[0].Line || points[0].Line == 0 || points[0].File == "" {
			t.Errorf("%q is %v, and that %v, %v", text, points[0], again, err)
		}
	})
}

// TestStageLine: the form that status prints.
func TestStageLine(t *testing.T) {
	for want, st := range map[string]*pb.ConfigGreenStage{
		"t1: 2 connections(s), 30/3600 runtime":                                             {Id: "t1", Connections: 2, Runtime: 30, Conditions: &pb.ConfigGreenConditions{Time: 3600}},
		"a: 1/5 connections(s), 7 runtime, 2 of 9 scripts failed, 1 held, ended: cancelled": {Id: "a", Connections: 1, Runtime: 7, Runs: 9, Errors: 2, Held: 1, Ended: "cancelled", Conditions: &pb.ConfigGreenConditions{Count: 5}},
	} {
		if got := stageLine(st); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
