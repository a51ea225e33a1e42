package mime

import (
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/field"
)

// entry is one field of an edited header, in its place among the others.
type entry struct {
	name     string // in lower case; empty: the original's
	original int    // index of the field that stood here; -1: none did
	raw      []byte // the field with its line end; nil: the original's
	deleted  bool
	late     string // name of a field with the date at which the message is written
}

// All stands for every field of a name where an index is expected.
const All = -1

// entries returns the header of p as edited so far.
func (e *edits) entries(p *Part) []entry {
	if d := e.of(p); d.fields != nil {
		return d.fields
	}
	p.headerBytes()
	list := make([]entry, len(p.fields), len(p.fields)+1)
	for i := range p.fields {
		list[i] = entry{original: i}
	}
	return list
}

// is reports whether an entry of p has a name, given in lower case.
func (en *entry) is(p *Part, name string) bool {
	if en.name == "" && en.original >= 0 {
		return name != "" && p.fields[en.original].Is(name)
	}
	return en.name == name
}

// find returns the places of the fields with a name in lower case: all of them,
// or the one that has that name and index in the original. Deleted ones are found
// too.
func (p *Part) find(list []entry, name string, index int) (found []int) {
	namesakes := 0 // in the original, whose fields all keep their place in the list
	for i := range list {
		en := &list[i]
		here := index == All
		if en.original >= 0 && p.fields[en.original].Is(name) {
			here = here || namesakes == index
			namesakes++
		}
		if here && en.is(p, name) {
			found = append(found, i)
		}
	}
	return found
}

// headerEdit records a change of the header.
func (p *Part) headerEdit(apply func([]entry) []entry) {
	p.message.record(func(e *edits) {
		e.change(p).fields = apply(e.entries(p))
	})
}

// AddHeader adds a field on top of the part. It fails for a name that is none.
func (p *Part) AddHeader(name, value string, form field.Form) error {
	raw, err := field.Append(nil, name, value, form)
	if err != nil {
		return err
	}
	if p.gone() {
		return ErrGone
	}
	p.headerEdit(func(list []entry) []entry {
		return slices.Insert(list, p.top(list), entry{name: strings.ToLower(name), original: -1, raw: raw})
	})
	return nil
}

// top returns where a field can be put on top: behind lines that are no field
// and begin with white space, which would become part of it.
func (p *Part) top(list []entry) (i int) {
	for i < len(list) && list[i].original >= 0 && isContinuation(p.fields[list[i].original]) {
		i++
	}
	return i
}

func isContinuation(f message.Field) bool {
	return len(f.Name) == 0 && len(f.Value) > 0 && (f.Value[0] == ' ' || f.Value[0] == '\t')
}

// SetHeader gives a value to the field with that name and index in the original,
// or puts one field in the place of all with that name and drops the others.
// Where there is none of that name, one is made at the end of the header. It
// returns how many fields it replaced or made: 0 if there are such fields and
// none with that index.
func (p *Part) SetHeader(name, value string, index int, form field.Form) (int, error) {
	raw, err := field.Append(nil, name, value, form)
	if err != nil {
		return 0, err
	}
	return p.set(entry{name: strings.ToLower(name), original: -1, raw: raw}, index)
}

// SetDateLater sets the Date to the time at which the message is written.
func (p *Part) SetDateLater() (int, error) {
	return p.set(entry{name: "date", original: -1, late: "Date"}, All)
}

// SettleDate gives the fields of SetDateLater the date of now, as is needed
// before they are signed.
func (m *Message) SettleDate(now time.Time) {
	for p, d := range m.edits.parts {
		if slices.ContainsFunc(d.fields, func(en entry) bool { return en.late != "" }) {
			p.headerEdit(func(list []entry) []entry {
				for i := range list {
					list[i].settle(now)
				}
				return list
			})
		}
	}
}

// settle gives a late date the date of now.
func (en *entry) settle(now time.Time) {
	if en.late != "" {
		en.raw = field.AppendText(nil, en.late, message.FormatDate(now))
		en.late = ""
	}
}

func (p *Part) set(with entry, index int) (int, error) {
	if p.gone() {
		return 0, ErrGone
	}
	list := p.message.edits.entries(p)
	live := p.live(list, with.name, All)
	places := p.find(list, with.name, index)
	if len(live) > 0 && len(places) == 0 {
		return 0, nil
	}
	p.headerEdit(func(list []entry) []entry { return p.put(list, with, index) })
	if index != All || len(live) == 0 {
		return 1, nil
	}
	return len(live), nil
}

// put makes one field of those that are found, or a new one.
func (p *Part) put(list []entry, with entry, index int) []entry {
	places := p.find(list, with.name, index)
	if len(places) == 0 {
		return append(list, with)
	}
	for n, i := range places {
		with.original = list[i].original
		if n == 0 {
			list[i] = with
		} else {
			list[i].deleted = true
		}
	}
	return list
}

// live is find without deleted fields.
func (p *Part) live(list []entry, name string, index int) []int {
	return slices.DeleteFunc(p.find(list, name, index), func(i int) bool { return list[i].deleted })
}

// DelHeader deletes the field with that name and index in the original, or all
// with that name, also those that were added. It returns how many it deleted.
func (p *Part) DelHeader(name string, index int) int {
	name = strings.ToLower(name)
	return p.each(name, index, func(en *entry) { en.deleted = true })
}

// RenameHeader gives another name to all fields with that name and returns how
// many there were. It fails for a new name that is none.
func (p *Part) RenameHeader(name, newName string) (int, error) {
	if _, err := field.Append(nil, newName, "", field.Q); err != nil {
		return 0, err
	}
	name = strings.ToLower(name)
	lower := strings.ToLower(newName)
	return p.each(name, All, func(en *entry) {
		en.name = lower
		if en.late != "" {
			en.late = newName
			return
		}
		en.raw, _ = field.Rename(p.raw(en), newName) // both were looked at
	}), nil
}

// raw returns a field with its line end, which the last line of a part may lack.
func (p *Part) raw(en *entry) []byte {
	if en.raw != nil {
		return en.raw
	}
	f := &p.fields[en.original]
	return p.header[f.Start:f.End]
}

// each changes the fields that are there and returns how many they are.
func (p *Part) each(name string, index int, do func(*entry)) int {
	if p.gone() {
		return 0
	}
	places := p.live(p.message.edits.entries(p), name, index)
	if len(places) > 0 {
		p.headerEdit(func(list []entry) []entry {
			for _, i := range p.live(list, name, index) {
				do(&list[i])
			}
			return list
		})
	}
	return len(places)
}
