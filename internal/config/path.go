package config

import (
	"strconv"
	"strings"
)

// Paths name a place in a file as an operator would: "servers[0].tls.cert". A
// key that is not a plain word is quoted: `lists["a.b"]`. A pattern has empty
// brackets for any item: "servers[].tls.cert".

func indexPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func keyPath(path, key string) string {
	if key == "" || strings.ContainsAny(key, `.[]"*@&`+"\n") {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// place is a path under construction: a list from the leaf to the root, so that
// walking a file costs no strings until there is something to say.
type place struct {
	up    *place
	key   string
	index int // of a list item, when key is empty and item is set
	item  bool
}

func (at *place) child(key string) *place { return &place{up: at, key: key} }

func (at *place) at(i int) *place { return &place{up: at, index: i, item: true} }

// String returns the path.
func (at *place) String() string {
	switch {
	case at == nil:
		return ""
	case at.item:
		return indexPath(at.up.String(), at.index)
	default:
		return keyPath(at.up.String(), at.key)
	}
}
