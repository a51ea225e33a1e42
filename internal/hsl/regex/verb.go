package regex

import (
	"slices"
	"strings"
)

// verbAhead says whether "(*" begins a verb; if not, the star is a quantifier
// that follows nothing.
func (p *parser) verbAhead() bool {
	rest := p.src[p.pos+1:]
	return rest != "" && (rest[0] == ':' || isAlnum(rest[0]) && !isDigit(rest[0]))
}

// settings reads what only the start of a pattern may say: (*UTF), (*CRLF) …
func (p *parser) settings() {
	for {
		end := strings.IndexByte(p.src[p.pos:], ')')
		if !strings.HasPrefix(p.src[p.pos:], "(*") || end < 0 || !p.setting(p.src[p.pos+2:p.pos+end]) {
			return
		}
		p.pos += end + 1
	}
}

func (p *parser) setting(name string) bool {
	if k, ok := newlineNames[name]; ok {
		p.newline = k
		return true
	}
	switch name {
	case "UTF", "UTF8":
		p.flags |= UTF8
	case "UCP":
		p.flags |= Properties
	case "BSR_ANYCRLF":
		p.bounds.anyBreak = true
	case "BSR_UNICODE":
		p.bounds.anyBreak = false
	case "NOTEMPTY":
		p.bounds.notEmpty = true
	case "NOTEMPTY_ATSTART":
		p.bounds.notEmptyAtStart = true
	case "NO_AUTO_POSSESS", "NO_DOTSTAR_ANCHOR", "NO_JIT", "NO_START_OPT":
		// They turn off what cannot be seen from outside.
	default:
		return p.limit(name)
	}
	return true
}

// limit reads LIMIT_MATCH=n and its kin. A pattern may lower the bound of steps;
// the others have no counterpart here.
func (p *parser) limit(text string) bool {
	name, digits, _ := strings.Cut(text, "=")
	n := int64(0)
	for _, d := range []byte(digits) {
		if !isDigit(d) || n > 1<<32 {
			return false
		}
		n = n*10 + int64(d-'0')
	}
	if digits == "" {
		return false
	}
	switch name {
	case "LIMIT_MATCH":
		p.bounds.steps = n
	case "LIMIT_DEPTH", "LIMIT_HEAP", "LIMIT_RECURSION":
	default:
		return false
	}
	return true
}

// wordGroups are the names that stand for groups, as in (*pla:…).
var wordGroups = map[string]string{
	"pla": "=", "positive_lookahead": "=",
	"nla": "!", "negative_lookahead": "!",
	"plb": "<=", "positive_lookbehind": "<=",
	"nlb": "<!", "negative_lookbehind": "<!",
	"napla": "*", "non_atomic_positive_lookahead": "*",
	"naplb": "<*", "non_atomic_positive_lookbehind": "<*",
}

// verb reads the rest of (*NAME), (*NAME:text) or (*name:…).
func (p *parser) verb() (n node, repeatable bool) {
	offset := p.pos - 1
	p.pos++
	start := p.pos
	for p.more() && isWord(p.peek()) {
		p.pos++
	}
	name := p.src[start:p.pos]
	if name != "" && name[0] >= 'a' {
		return p.wordGroup(name, offset), true
	}
	text := ""
	if p.skip(":") {
		end := strings.IndexByte(p.src[p.pos:], ')')
		if end < 0 {
			p.fail("a verb is not closed")
		}
		text = p.src[p.pos : p.pos+end]
		p.pos += end
	}
	p.close()
	switch name {
	case "ACCEPT":
		return p.accept(text), true
	case "F", "FAIL":
		return p.marked(text, fail{}), false
	case "", "MARK":
		if text == "" {
			p.fail("(*MARK) has no name")
		}
		return verb{opMark, text}, false
	case "SKIP":
		if text != "" {
			return verb{opSkipTo, text}, false
		}
		return verb{opSkip, ""}, false
	case "COMMIT":
		return verb{opCommit, text}, false
	case "PRUNE":
		return verb{opPrune, text}, false
	case "THEN":
		return verb{opThen, text}, false
	}
	p.fail("(*%s) is no verb", name)
	return nil, false
}

// accept closes the groups that it stands in.
func (p *parser) accept(text string) node {
	return p.marked(text, &accept{open: slices.Clone(p.around[p.opened:])})
}

// marked is n, after a mark if the verb has a name.
func (p *parser) marked(text string, n node) node {
	if text == "" {
		return n
	}
	return sequence{[]node{verb{opMark, text}, n}}
}

func (p *parser) wordGroup(name string, offset int) node {
	if !p.skip(":") {
		p.fail("(*%s is not followed by a colon", name)
	}
	if kind, ok := wordGroups[name]; ok {
		l := looks[kind]
		l.offset = offset
		return p.look(l)
	}
	switch name {
	case "atomic":
		return atomic{p.plain()}
	case "sr", "script_run", "asr", "atomic_script_run":
		p.fail("script runs are not supported")
	}
	p.fail("(*%s: is no group", name)
	return nil
}
