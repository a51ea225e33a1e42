package smtpd

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/data"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
)

// sharedByScripts is control.Scripts.
type sharedByScripts struct{ process *value.Process }

// How much of a value of shared memory is shown, in bytes.
const (
	shownInList = 256
	shownAlone  = 512 << 10
)

func memoryEntry(key string, v value.Value, size int64, limit int) control.MemoryEntry {
	return control.MemoryEntry{Key: key, Type: v.Kind().String(), JSON: script.JSON(v, limit), Size: size}
}

func (s sharedByScripts) Memory(prefix string, yield func(control.MemoryEntry) bool) {
	for _, key := range s.process.Memory.Keys(prefix) {
		v, size, ok := s.process.Memory.Size(key)
		if ok && !yield(memoryEntry(key, v, size, shownInList)) {
			return
		}
	}
}

func (s sharedByScripts) Fetch(key string) (control.MemoryEntry, bool) {
	v, size, ok := s.process.Memory.Size(key)
	if !ok {
		return control.MemoryEntry{}, false
	}
	return memoryEntry(key, v, size, shownAlone), true
}

func (s sharedByScripts) Store(key, json string) (replaced bool, err error) {
	v, err := data.ParseJSON(json)
	if err != nil {
		return false, err
	}
	_, replaced = s.process.Memory.Load(key)
	return replaced, s.process.Memory.Store(nil, key, v)
}

func (s sharedByScripts) Delete(key string) bool { return s.process.Memory.Delete(key) }

// perMessage stands in listings for the caches of single messages, which have
// namespaces of their own.
const perMessage = " (per message)"

func (s sharedByScripts) Caches() []control.ScriptCache {
	var all []control.ScriptCache
	index := map[[2]string]int{}
	for _, t := range s.process.Cache.Tables() {
		key := [2]string{cacheNamespace(t), t.Function}
		i, ok := index[key]
		if !ok {
			i = len(all)
			index[key] = i
			all = append(all, control.ScriptCache{Namespace: key[0], Function: t.Function, MaxSize: t.MaxSize})
		}
		c := &all[i]
		c.Size += t.Size
		c.Hits, c.Misses, c.Evicts, c.Waits = c.Hits+t.Hits, c.Misses+t.Misses, c.Evicts+t.Evicts, c.Waits+t.Waits
	}
	return all
}

func cacheNamespace(t value.CacheTable) string {
	if name, _, ok := strings.Cut(t.Namespace, "\x00"); ok {
		return name + perMessage
	}
	return t.Namespace
}

func (s sharedByScripts) ClearCaches(namespace, function *string) int {
	return s.process.Cache.ClearTables(func(t value.CacheTable) bool {
		return (namespace == nil || cacheNamespace(t) == *namespace) && (function == nil || t.Function == *function)
	})
}
