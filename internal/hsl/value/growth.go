package value

// Growth charges a script for something that grows while a builtin makes it.
//
// A thread that has allocated much counts what the script can reach, and what
// nobody can reach yet it takes for garbage. So each charge is for the whole
// thing, and there are few of them: one whenever it has grown by a quarter.
type Growth struct{ charged int }

// To says that the thing is size bytes now. It returns an uncatchable error when
// that is more than the script may have; t may be nil, as for Thread.Alloc.
func (g *Growth) To(t *Thread, size int) error {
	if size < g.charged+g.charged/4+growthStep {
		return nil
	}
	g.charged = size
	return t.Alloc(size)
}

// growthStep is how much is made before the first charge.
const growthStep = 4096
