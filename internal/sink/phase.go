package sink

import "fmt"

// Phase is a point of the conversation at which a Rule may act: before the
// reply to a command, or while a body comes in.
type Phase uint8

const (
	PhaseConnect  Phase = iota // the greeting
	PhaseHelo                  // EHLO, HELO and LHLO
	PhaseStartTLS              // STARTTLS
	PhaseAuth                  // the final reply to AUTH
	PhaseMail                  // MAIL
	PhaseRcpt                  // RCPT
	PhaseData                  // DATA, and BDAT chunks but the last
	PhaseBody                  // bytes of the body are arriving
	PhaseEOD                   // after the final dot or the last BDAT chunk
	PhaseRset                  // RSET
	PhaseNoop                  // NOOP
	PhaseVrfy                  // VRFY
	PhaseQuit                  // QUIT
	phases
)

var phaseNames = [phases]string{
	"connect", "helo", "starttls", "auth", "mail", "rcpt", "data", "body", "eod", "rset", "noop", "vrfy", "quit",
}

// String returns the name of the phase as rules write it.
func (p Phase) String() string {
	if p < phases {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// Phases lists the names of all phases.
func Phases() []string { return phaseNames[:] }

func parsePhase(name string) (Phase, bool) {
	for i, n := range phaseNames {
		if n == name {
			return Phase(i), true
		}
	}
	return 0, false
}

// hasAddress reports whether there is an address at this phase that a pattern
// can be compared with.
func (p Phase) hasAddress() bool {
	return p == PhaseMail || p == PhaseRcpt || p == PhaseData || p == PhaseBody || p == PhaseEOD
}
