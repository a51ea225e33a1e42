package syntax

import (
	"fmt"
)

// maxErrors is how many mistakes of one file are worth reading.
const maxErrors = 20

// maxDepth bounds how deep statements and expressions nest, maxChain how long a
// chain of operators, calls or else-ifs is: the passes that follow recur.
const (
	maxDepth = 2000
	maxChain = 50000
)

// Parse reads a file of the sources. It returns as much of the tree as could be
// read, and the mistakes, or nil if there are none.
func Parse(s *Sources, f *File) (*Script, Errors) {
	p := &parser{sources: s}
	p.lexer = NewLexer(f, func(at Pos, message string) { p.report(at, "%s", message) })
	p.next()
	script := &Script{File: f}
	p.script = script
	for p.tok != EOF && !p.exhausted() {
		if stmt := p.guarded(true); stmt != nil {
			script.Statements = append(script.Statements, stmt)
		}
	}
	return script, p.errors.Sort()
}

// parser is a recursive-descent parser with a token of look-ahead, and a second
// one where statements need it. A mistake unwinds to the statement it is in.
type parser struct {
	sources *Sources
	lexer   *Lexer
	Lexeme          // current token
	tok     Token   // its kind, again
	prevEnd Pos     // end of the token before
	ahead   *Lexeme // token after the current one, once it was looked at
	errors  Errors
	depth   int
	script  *Script
	element Pos           // where the last element of an array literal began
	writes  int           // assignments and the like read so far
	calls   int           // calls read so far
	fn      *FunctionExpr // under way; nil at top level
}

// bailout unwinds to the statement that holds a mistake.
type bailout struct{}

func (p *parser) exhausted() bool { return len(p.errors) >= maxErrors }

// report notes a mistake, unless one on the same line was noted before: the
// second is usually a consequence of the first.
func (p *parser) report(at Pos, format string, args ...any) {
	n := len(p.errors)
	if p.exhausted() || n > 0 && p.errors[n-1].Line == p.sources.Position(at).Line {
		return
	}
	p.errors = append(p.errors, p.sources.Errorf(at, format, args...))
}

// fail reports a mistake and gives the statement up.
func (p *parser) fail(at Pos, format string, args ...any) {
	p.report(at, format, args...)
	panic(bailout{})
}

func (p *parser) next() {
	p.prevEnd = p.End
	if p.ahead != nil {
		p.Lexeme, p.ahead = *p.ahead, nil
	} else {
		p.Lexeme = p.lexer.Next()
	}
	p.tok = p.Lexeme.Token
}

// peek returns the kind of the token after the current one.
func (p *parser) peek() Token {
	if p.ahead == nil {
		lx := p.lexer.Next()
		p.ahead = &lx
	}
	return p.ahead.Token
}

// got takes the token if it is t.
func (p *parser) got(t Token) bool {
	if p.tok != t {
		return false
	}
	p.next()
	return true
}

// want takes the token t, or reports that it is missing.
func (p *parser) want(t Token, context string) Pos {
	if p.tok != t {
		p.wanted(t.String(), context)
	}
	at := p.Pos
	p.next()
	return at
}

// wanted reports that something else stands where what should.
func (p *parser) wanted(what, context string) {
	if context != "" {
		context = " " + context
	}
	at := p.Pos
	if p.tok == EOF {
		at = p.prevEnd
	}
	p.fail(at, "want %s%s, got %s", what, context, p.describe())
}

// describe names the current token.
func (p *parser) describe() string {
	switch p.tok {
	case Ident:
		return fmt.Sprintf("name %q", p.Text)
	case Reserved:
		return fmt.Sprintf("reserved word %q", p.Text)
	case VariableName:
		return "$" + p.Text
	}
	return p.tok.String()
}

// name takes an identifier that may become a name.
func (p *parser) name(what string) string {
	switch {
	case p.tok == Ident:
	case p.tok == Reserved:
		p.fail(p.Pos, "%q is a reserved word and cannot be a name", p.Text)
	case p.tok.word():
		p.fail(p.Pos, "keyword %q cannot be a name", p.Text)
	default:
		p.wanted(what, "")
	}
	name := p.Text
	p.next()
	return name
}

// member takes the name of a member, for which all words are allowed.
func (p *parser) member() string {
	if !p.tok.word() {
		p.wanted("a member name", "")
	}
	name := p.Text
	p.next()
	return name
}

// variable takes a variable.
func (p *parser) variable(context string) *Variable {
	v := &Variable{Name: p.Text}
	v.Pos = p.want(VariableName, context)
	return v
}

// enter counts one level of nesting; leave takes it back.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.Pos, "source nests too deeply")
	}
}

func (p *parser) leave() { p.depth-- }

// guarded reads a statement. After a mistake it skips to where the next one
// probably begins and returns nil.
func (p *parser) guarded(top bool) (stmt Stmt) {
	depth, fn, start := p.depth, p.fn, p.Pos
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, ok := r.(bailout); !ok {
			panic(r)
		}
		stmt, p.depth, p.fn = nil, depth, fn
		p.synchronise(start, top)
	}()
	if top && p.tok == Import {
		return p.importStmt()
	}
	if p.tok == RightBrace {
		p.fail(p.Pos, `unexpected "}"`)
	}
	return p.statement()
}

// synchronise skips behind the next semicolon, or over the next block, always
// at least one token of the statement that began at start.
func (p *parser) synchronise(start Pos, top bool) {
	braces := 0
	for p.tok != EOF {
		switch p.tok {
		case Semicolon:
			if braces == 0 {
				p.next()
				return
			}
		case LeftBrace:
			braces++
		case RightBrace:
			if braces == 0 && !top {
				return
			}
			if braces--; braces <= 0 {
				p.next()
				return
			}
		case Function, Class, If, Foreach, For, While, Switch, Return, Echo, Import:
			if braces == 0 && p.Pos > start && p.startsLine() {
				return
			}
		}
		p.next()
	}
}

// startsLine reports whether nothing but blanks stands before the token on its
// line.
func (p *parser) startsLine() bool {
	f := p.lexer.file
	for i := int(p.Pos-f.base) - 1; i >= 0; i-- {
		switch f.Text[i] {
		case '\n':
			return true
		case ' ', '\t':
			continue
		}
		return false
	}
	return true
}
