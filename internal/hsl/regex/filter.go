package regex

import "unicode/utf8"

// filter finds where a match can begin by the first few bytes of all branches at
// once. Every byte has a word with a lane of eight bits for each place, the first
// place lowest, where a branch, or several that share a bit, has a zero if it can
// have the byte in that place. A zero that gets from lane to lane is a branch
// that can begin there. It costs a load, a shift and an or for each byte of the
// subject.
type filter struct {
	barred [256]uint32
	width  int // bytes that are looked at
}

const (
	lanes     = 4
	lane      = 8  // bits of a lane
	mostHeads = 64 // more branches are not worth looking at
)

// head is what a branch begins with, a set for each byte. An open one goes on
// with what follows the node that it is of.
type head struct {
	bytes [lanes]bytesAhead
	count int
	open  bool
}

// newFilter returns the filter of a pattern, or nil if there is none that would
// tell much.
func newFilter(root node, utf bool) *filter {
	heads := headsOf(root, utf)
	width := lanes
	for _, h := range heads {
		width = min(width, h.count)
	}
	if len(heads) == 0 || width < 2 {
		return nil
	}
	f := &filter{width: width}
	for b := range f.barred {
		f.barred[b] = ^uint32(0)
	}
	for i, h := range heads {
		bit := uint32(1) << (i % lane)
		for j := range width {
			for b := range 256 {
				if h.bytes[j].has(byte(b)) {
					f.barred[b] &^= bit << (j * lane)
				}
			}
		}
	}
	return f
}

// seek returns the first place from pos on, all of it before end, or -1.
func (f *filter) seek(subject string, pos, end int) int {
	last := uint32(1<<lane-1) << ((f.width - 1) * lane)
	barred := ^uint32(0)
	for ; pos < end; pos++ {
		barred = barred<<lane | f.barred[subject[pos]]
		if barred&last != last {
			return pos - f.width + 1
		}
	}
	return -1
}

// headsOf returns what a node can begin with, nil if there is too much of it.
func headsOf(n node, utf bool) []head {
	switch n := n.(type) {
	case literal:
		return []head{literalHead(n)}
	case chars:
		return []head{charsHead(n.class, utf)}
	case sequence:
		heads := []head{{open: true}}
		for _, part := range n.parts {
			heads = extended(heads, headsOf(part, utf))
		}
		return heads
	case choice:
		var heads []head
		for _, branch := range n.branches {
			more := headsOf(branch, utf)
			if heads = append(heads, more...); more == nil || len(heads) > mostHeads {
				return nil
			}
		}
		return heads
	case *group:
		return headsOf(n.body, utf)
	case atomic:
		return headsOf(n.body, utf)
	case repeat:
		return repeatHeads(n, utf)
	case position, *look, keep:
		return []head{{open: true}}
	}
	return nil
}

func literalHead(l literal) (h head) {
	for ; h.count < min(lanes, len(l.text)); h.count++ {
		c := l.text[h.count]
		h.bytes[h.count].add(c)
		if l.fold && c >= 'a' && c <= 'z' {
			h.bytes[h.count].add(c - ('a' - 'A'))
		}
	}
	h.open = h.count < lanes
	return h
}

// charsHead has only the first byte of characters that have several.
func charsHead(c class, utf bool) head {
	h := head{count: 1, open: !utf || len(c) == 0 || c[len(c)-1].hi < utf8.RuneSelf}
	h.bytes[0] = newSet(c, utf).ahead()
	return h
}

// extended appends more to all heads that are open; if there is too much of it,
// they end there.
func extended(heads, more []head) []head {
	if more == nil {
		more = []head{{}}
	}
	var out []head
	for _, h := range heads {
		if !h.open {
			out = append(out, h)
			continue
		}
		for _, m := range more {
			out = append(out, h.followed(m))
		}
	}
	if len(out) > mostHeads {
		return nil
	}
	return out
}

func (h head) followed(by head) head {
	for i := 0; i < by.count && h.count < lanes; i++ {
		h.bytes[h.count] = by.bytes[i]
		h.count++
	}
	h.open = by.open && h.count < lanes
	return h
}

// repeatHeads writes out as much of a repeat as counts.
func repeatHeads(r repeat, utf bool) []head {
	heads := []head{{open: true}}
	if r.max == 0 {
		return heads
	}
	body := headsOf(r.body, utf)
	for range min(r.min, lanes) {
		heads = extended(heads, body)
	}
	if r.min == r.max {
		return heads
	}
	if r.min == 0 {
		heads = append(heads, ended(extended(heads, body))...)
		return heads
	}
	return ended(heads) // how often it goes on is open
}

// ended closes all heads.
func ended(heads []head) []head {
	for i := range heads {
		heads[i].open = false
	}
	return heads
}
