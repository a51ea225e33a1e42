package spool

// Handle names a living message. It is small, stable as long as the message
// lives, and used again after that. Zero is never given out.
type Handle uint32

// place is all that the store remembers of a living message: 32 bytes.
type place struct {
	number   uint64
	offset   uint32 // of the record, in units of recordAlign
	slot     uint32 // of the segment
	envelope uint32 // length
	body     uint32 // length
	left     uint32 // entries that are not done; 0: nobody's place
	bodyCRC  uint32
}

// leaving stands in place.left when no entry is left but the mark that says so
// is not on disk yet.
const leaving = 1<<32 - 1

func (p *place) alive() bool { return p.left != 0 && p.left != leaving }

func (p *place) record() record {
	return record{envelope: p.envelope, body: p.body}
}

func (p *place) start() int64 { return int64(p.offset) * recordAlign }

const (
	chunkBits   = 12
	chunkPlaces = 1 << chunkBits
)

// table maps handles to places. It grows by chunks, so that nothing moves and
// a million messages cost no copying. Guarded by Store.mu.
type table struct {
	chunks []*[chunkPlaces]place
	next   Handle // the first that was never given out
	free   Handle // head of a list linked through place.offset; 0: empty
	living int
}

// at returns the place of h, or nil when h was never given out.
func (t *table) at(h Handle) *place {
	if h == 0 || h >= t.next {
		return nil
	}
	return &t.chunks[h>>chunkBits][h&(chunkPlaces-1)]
}

// add puts p in and returns its handle.
func (t *table) add(p place) Handle {
	h := t.free
	if h != 0 {
		t.free = Handle(t.at(h).offset)
	} else {
		t.next = max(t.next, 1)
		if int(t.next>>chunkBits) == len(t.chunks) {
			t.chunks = append(t.chunks, new([chunkPlaces]place))
		}
		h = t.next
		t.next++
	}
	*t.at(h) = p
	t.living++
	return h
}

// release takes h out; it may be given out again at once.
func (t *table) release(h Handle) {
	*t.at(h) = place{offset: uint32(t.free)}
	t.free = h
	t.living--
}
