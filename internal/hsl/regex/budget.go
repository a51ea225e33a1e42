package regex

// Budget bounds what matching may cost. A nil *Budget stands for the defaults.
// It may be used for many matches one after the other, not at once.
type Budget struct {
	// Steps is how many instructions one match may take, 0 for DefaultSteps.
	// Matches whose time is linear in the length of the subject are not bound
	// by it.
	Steps int64
	// Memory is how many bytes one match may use for the ways that it has still
	// to try and for remembering which have failed, 0 for DefaultMemory.
	Memory int
	// Stop is asked every few thousand steps, within some 100 µs. An error ends
	// the match and is returned as it is. It may be nil.
	Stop func() error
	// Used grows by the instructions that were taken.
	Used int64

	// eager lets matches remember failures from the first step on: the answers
	// must be the same, as a test finds out.
	eager bool
}

// What a match may cost if the caller does not say.
const (
	DefaultSteps  = 10_000_000
	DefaultMemory = 32 << 20
)

func (b *Budget) steps() int64 {
	if b == nil || b.Steps <= 0 {
		return DefaultSteps
	}
	return b.Steps
}

func (b *Budget) memory() int {
	if b == nil || b.Memory <= 0 {
		return DefaultMemory
	}
	return b.Memory
}

// patience is how many steps a match takes before it begins to remember which
// choices have failed. Most matches need fewer.
func (b *Budget) patience(length int) int64 {
	if b != nil && b.eager {
		return 0
	}
	return 64 + 4*int64(length)
}

func (b *Budget) stop() error {
	if b == nil || b.Stop == nil {
		return nil
	}
	return b.Stop()
}

func (b *Budget) use(steps int64) {
	if b != nil {
		b.Used += steps
	}
}
