package config

import "strings"

// move takes each key that the schema calls an older spelling to its present
// place, so that the rest of the program knows only that.
func (d *Document) move(c *checker, n *Node, s *Schema, at *place) {
	switch n.Kind {
	case List:
		if s.Items != nil {
			for i, item := range n.Items {
				d.move(c, item, s.Items, at.at(i))
			}
		}
	case Map:
		kept := n.Entries[:0:0]
		var moved []Entry
		for _, e := range n.Entries {
			property := s.Properties.Get(e.Key)
			if property != nil && property.MovedTo != "" {
				moved = append(moved, e)
				continue
			}
			if property != nil {
				d.move(c, e.Value, property, at.child(e.Key))
			}
			kept = append(kept, e)
		}
		n.Entries = kept
		for _, e := range moved {
			to := s.Properties.Get(e.Key).MovedTo
			if !n.put(strings.Split(to, "."), e) {
				c.failAt(e.Line, e.Column, at.child(e.Key), "older spelling of %s, which is given as well", to)
			}
		}
	}
}

// put stores the value of e under a path beneath n, where "name[]" means every
// item of a list. It returns false when there is a value already.
func (n *Node) put(path []string, e Entry) bool {
	name, each := strings.CutSuffix(path[0], "[]")
	child := n.Get(name)
	switch {
	case each && child == nil:
		return true
	case each:
		for _, item := range child.Items {
			if !item.put(path[1:], e) {
				return false
			}
		}
		return true
	case len(path) == 1 && child != nil:
		return false
	case len(path) == 1:
		n.Entries = append(n.Entries, Entry{name, e.Line, e.Column, e.Value})
		return true
	case child == nil:
		child = &Node{Kind: Map, Line: e.Line, Column: e.Column}
		n.Entries = append(n.Entries, Entry{name, e.Line, e.Column, child})
	}
	return child.put(path[1:], e)
}
