package sequence

import (
	"cmp"
	"slices"
	"sync"
)

// A page holds the bits of pageEntries consecutive entries in 8 KiB.
const (
	pageWords   = 1024
	pageEntries = pageWords * 64
)

// Bounds of a Ledger. A peer chooses runs and numbers, so both are limited:
// 4096 pages are 32 MiB and hold 268 million entries in a row.
const (
	maxRuns  = 64
	maxPages = 4096
)

// Ledger remembers which entries of which runs have arrived. Its memory is
// bounded by 32 MiB. The zero Ledger is ready; it is safe for concurrent use.
type Ledger struct {
	mu         sync.Mutex
	runs       map[string]*run
	pages      int
	unrecorded uint64
}

type run struct {
	name      string
	pages     map[uint64]*[pageWords]uint64
	last      *[pageWords]uint64 // page of the last entry, which the next one mostly shares
	lastIndex uint64
	distinct  uint64
	arrivals  uint64
	end       uint64 // highest entry seen, plus one
}

// Count sums up one run.
type Count struct {
	Run        string `json:"run"`
	Arrivals   uint64 `json:"arrivals"`   // entries that came, each time they came
	Distinct   uint64 `json:"distinct"`   // different entries
	Duplicates uint64 `json:"duplicates"` // Arrivals - Distinct
	End        uint64 `json:"end"`        // highest entry that came, plus one
	Gaps       uint64 `json:"gaps"`       // entries below End that have not come
}

// Record notes the arrival of an entry and reports whether it is the first.
// When the bounds of the ledger are reached the entry is only counted, see
// Unrecorded, and Record returns false.
func (l *Ledger) Record(name string, entry uint64) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runLocked(name)
	if r == nil {
		l.unrecorded++
		return false
	}
	page := l.pageLocked(r, entry/pageEntries)
	if page == nil {
		l.unrecorded++
		return false
	}
	r.arrivals++
	r.end = max(r.end, entry+1)
	word, bit := &page[entry%pageEntries/64], uint64(1)<<(entry%64)
	first = *word&bit == 0
	if first {
		*word |= bit
		r.distinct++
	}
	return first
}

func (l *Ledger) runLocked(name string) *run {
	r := l.runs[name]
	if r == nil && len(l.runs) < maxRuns {
		if l.runs == nil {
			l.runs = make(map[string]*run)
		}
		r = &run{name: name, pages: make(map[uint64]*[pageWords]uint64)}
		l.runs[name] = r
	}
	return r
}

func (l *Ledger) pageLocked(r *run, index uint64) *[pageWords]uint64 {
	if r.last != nil && r.lastIndex == index {
		return r.last
	}
	page := r.pages[index]
	if page == nil {
		if l.pages >= maxPages {
			return nil
		}
		l.pages++
		page = new([pageWords]uint64)
		r.pages[index] = page
	}
	r.last, r.lastIndex = page, index
	return page
}

// Has reports whether the entry has arrived.
func (l *Ledger) Has(name string, entry uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.runs[name]
	if r == nil {
		return false
	}
	page := r.pages[entry/pageEntries]
	return page != nil && page[entry%pageEntries/64]&(1<<(entry%64)) != 0
}

// Counts returns what is known of each run, by name.
func (l *Ledger) Counts() []Count {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := make([]Count, 0, len(l.runs))
	for _, r := range l.runs {
		counts = append(counts, Count{
			Run: r.name, Arrivals: r.arrivals, Distinct: r.distinct,
			Duplicates: r.arrivals - r.distinct, End: r.end, Gaps: r.end - r.distinct,
		})
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Compare(a.Run, b.Run) })
	return counts
}

// Unrecorded counts arrivals that did not fit into the bounds: as long as it is
// zero, the ledger knows everything.
func (l *Ledger) Unrecorded() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unrecorded
}
