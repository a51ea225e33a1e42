package vfs

import (
	"io"
	"maps"
	"math/rand/v2"
	"slices"
)

// sectorSize is what a disk writes whole or not at all.
const sectorSize = 512

// inode is the content of one file: what is read now, and per sector what a
// crash might leave instead.
type inode struct {
	size    int64
	sectors [][]byte // as read now; nil: zeros that take up no room

	durableSize int64
	durable     [][]byte
	pending     map[int][]version // per sector, oldest first
	sizes       []sizeChange
}

// version is what a sector held after a write that was not synced.
type version struct {
	data  []byte
	op    int
	doubt bool // a sync failed after it: a later sync does not make it durable
}

type sizeChange struct {
	size int64
	op   int
}

func newInode() *inode { return &inode{pending: map[int][]version{}} }

func (i *inode) allocated() int {
	n := 0
	for _, s := range i.sectors {
		if s != nil {
			n++
		}
	}
	return n
}

// grows counts the sectors that a write would take up anew.
func (i *inode) grows(off int64, length int) int {
	n := 0
	for s := off / sectorSize; s*sectorSize < off+int64(length); s++ {
		if s >= int64(len(i.sectors)) || i.sectors[s] == nil {
			n++
		}
	}
	return n
}

func (i *inode) readAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off < i.size {
		chunk := p[n:min(int64(len(p)), int64(n)+i.size-off)]
		s, in := off/sectorSize, off%sectorSize
		chunk = chunk[:min(int64(len(chunk)), sectorSize-in)]
		if s < int64(len(i.sectors)) && i.sectors[s] != nil {
			copy(chunk, i.sectors[s][in:])
		} else {
			clear(chunk)
		}
		n += len(chunk)
		off += int64(len(chunk))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (i *inode) write(p []byte, off int64, op int) {
	if off+int64(len(p)) > i.size {
		i.setSize(off+int64(len(p)), op)
	}
	for len(p) > 0 {
		s, in := int(off/sectorSize), off%sectorSize
		data := make([]byte, sectorSize)
		copy(data, i.sectors[s])
		n := copy(data[in:], p)
		i.sectors[s] = data // never changed in place: versions share it
		i.pending[s] = append(i.pending[s], version{data: data, op: op})
		p, off = p[n:], off+int64(n)
	}
}

func (i *inode) setSize(size int64, op int) {
	i.size = size
	i.sizes = append(i.sizes, sizeChange{size, op})
	for int64(len(i.sectors))*sectorSize < size {
		i.sectors = append(i.sectors, nil)
	}
}

// resize cuts or extends; what is beyond the new end reads as zeros.
func (i *inode) resize(size int64, op int) {
	for s := range i.sectors {
		if int64(s)*sectorSize >= size && i.sectors[s] != nil {
			i.sectors[s] = nil
			i.pending[s] = append(i.pending[s], version{op: op})
		}
	}
	i.setSize(size, op)
}

// sync makes everything durable that is not in doubt, or puts it in doubt.
func (i *inode) sync(ok bool) {
	for s, versions := range i.pending {
		last := &versions[len(versions)-1]
		switch {
		case !ok:
			for v := range versions {
				versions[v].doubt = true
			}
		case !last.doubt:
			i.setDurable(s, last.data)
			delete(i.pending, s)
		}
	}
	if ok {
		i.durableSize, i.sizes = i.size, nil
	}
}

func (i *inode) setDurable(sector int, data []byte) {
	for len(i.durable) <= sector {
		i.durable = append(i.durable, nil)
	}
	i.durable[sector] = data
}

// Survival says which of the bytes that were not synced outlive a crash.
type Survival uint8

const (
	Nothing    Survival = iota // only what was synced
	Everything                 // a kill of the process, not of the machine
	InOrder                    // everything up to some step
	Scattered                  // each sector for itself
)

// CrashClone returns what a crash at this moment leaves behind. It is safe to
// call from Before. Locks are free in the clone. rnd is used by InOrder and
// Scattered. Changes of names survive in order, as a journal keeps them.
func (m *Mem) CrashClone(how Survival, rnd *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	pick := picker{how: how, rnd: rnd, until: m.ops}
	if how == InOrder {
		pick.until = rnd.IntN(m.ops + 1)
	}
	names := maps.Clone(m.durable)
	for _, op := range m.dirOps[:pick.count(len(m.dirOps))] {
		op.apply(names)
	}
	c := NewMem()
	copies := map[*inode]*inode{}
	for name, f := range names {
		if copies[f] == nil {
			copies[f] = f.crashed(pick)
		}
		c.names[name] = copies[f]
	}
	c.durable = maps.Clone(c.names)
	return c
}

type picker struct {
	how   Survival
	rnd   *rand.Rand
	until int
}

// count says how many of n things done in order survive.
func (p picker) count(n int) int {
	switch p.how {
	case Nothing:
		return 0
	case Everything:
		return n
	default:
		return p.rnd.IntN(n + 1)
	}
}

// version says which version of a sector survives; -1 is the durable one.
func (p picker) version(versions []version) int {
	switch p.how {
	case Nothing:
		return -1
	case Everything:
		return len(versions) - 1
	case Scattered:
		return p.rnd.IntN(len(versions)+1) - 1
	}
	last := -1
	for v := range versions {
		if versions[v].op <= p.until {
			last = v
		}
	}
	return last
}

func (i *inode) crashed(p picker) *inode {
	c := newInode()
	c.size = i.durableSize
	if n := p.count(len(i.sizes)); n > 0 {
		c.size = i.sizes[n-1].size
	}
	sectors := int((c.size + sectorSize - 1) / sectorSize)
	c.sectors = make([][]byte, sectors)
	copy(c.sectors, i.durable)
	for _, s := range sortedKeys(i.pending) {
		if v := p.version(i.pending[s]); s < sectors && v >= 0 {
			c.sectors[s] = i.pending[s][v].data
		}
	}
	c.durable = append([][]byte(nil), c.sectors...)
	c.durableSize = c.size
	return c
}

// sortedKeys keeps the choices of a seeded generator repeatable.
func sortedKeys(m map[int][]version) []int { return slices.Sorted(maps.Keys(m)) }
