package session

// Phase is a point of the conversation at which a hook may decide (spec
// hsl-phases.md).
type Phase uint8

const (
	PhaseConnect    Phase = iota // before the banner
	PhaseProxy                   // before a command is interpreted
	PhaseHelo                    // HELO, EHLO or LHLO
	PhaseAuth                    // AUTH, and each answer of the client to a challenge
	PhaseMailFrom                // MAIL
	PhaseRcptTo                  // RCPT, once per recipient
	PhaseEndOfData               // the whole message is here
	PhaseDisconnect              // the connection is over
)

var phaseNames = [...]string{"connect", "proxy", "helo", "auth", "mailfrom", "rcptto", "eod", "disconnect"}

// String returns the name that the configuration has for the phase.
func (p Phase) String() string { return phaseNames[p] }

// Phases is a set of phases.
type Phases uint8

// AllPhases has every phase.
const AllPhases Phases = 1<<(PhaseDisconnect+1) - 1

// PhaseSet returns the set of the phases given.
func PhaseSet(phases ...Phase) Phases {
	var s Phases
	for _, p := range phases {
		s |= 1 << p
	}
	return s
}

// Has reports whether p is in the set.
func (s Phases) Has(p Phase) bool { return s&(1<<p) != 0 }
