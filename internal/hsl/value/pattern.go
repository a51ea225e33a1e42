package value

import "sync"

// Pattern is a compiled regular expression. Its kind as a resource is "Regex".
// It is safe for concurrent use.
type Pattern interface {
	Resource
	// Match reports whether the subject contains a match. It keeps to the
	// limits of the thread.
	Match(t *Thread, subject string) (bool, error)
}

// PatternCompiler compiles a regular expression with modifiers out of imsxuUX.
type PatternCompiler func(pattern, modifiers string) (Pattern, error)

// Pattern compiles a regular expression.
func (l *Library) Pattern(pattern, modifiers string) (Pattern, error) {
	for ; l != nil; l = l.parent {
		if l.pattern != nil {
			return l.pattern(pattern, modifiers)
		}
	}
	return nil, Errorf("regular expressions are not available here")
}

// SplitPattern takes a pattern text apart: "/pattern/modifiers", where the last
// slash counts and only modifiers follow it, or else a pattern without
// modifiers.
func SplitPattern(text string) (pattern, modifiers string) {
	end := len(text) - 1
	for end > 0 && isModifier(text[end]) {
		end--
	}
	if end < 1 || text[0] != '/' || text[end] != '/' {
		return text, ""
	}
	return text[1:end], text[end+1:]
}

func isModifier(c byte) bool {
	switch c {
	case 'i', 'm', 'u', 's', 'x', 'U', 'X':
		return true
	}
	return false
}

// patterns are compiled regular expressions that scripts made of texts.
type patterns struct {
	mu       sync.Mutex
	compiled map[patternKey]Pattern
}

// patternKey tells texts apart, and the engines of libraries.
type patternKey struct {
	library *Library
	text    string
}

// maxPatterns is how many patterns are kept. When there are more, all are
// dropped: scripts that compile texts of others should not make it grow.
const maxPatterns = 1024

// Pattern returns the pattern that v is or spells; texts are compiled once for
// the process. Other values are an exception.
func (t *Thread) Pattern(v Value) (Pattern, error) {
	if p, ok := v.Resource().(Pattern); ok {
		return p, nil
	}
	if !v.IsString() {
		return nil, Errorf("want a regular expression, got %s", describe(v))
	}
	return t.Shared().patterns.get(t.Library, v.Str())
}

func (c *patterns) get(l *Library, text string) (Pattern, error) {
	key := patternKey{l, text}
	c.mu.Lock()
	p := c.compiled[key]
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := l.Pattern(SplitPattern(text))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.compiled == nil || len(c.compiled) >= maxPatterns {
		c.compiled = make(map[patternKey]Pattern)
	}
	c.compiled[key] = p
	return p, nil
}
