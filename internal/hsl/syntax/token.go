package syntax

// Token is the kind of a token.
type Token uint8

// The tokens. Keywords stand between keywordFirst and keywordLast, words that
// are only reserved are Reserved.
const (
	EOF Token = iota
	Ident
	Reserved
	VariableName
	NumberLiteral
	StringLiteral
	RegexLiteral

	Plus
	Minus
	Star
	Slash
	Percent
	StarStar
	Dot
	PlusPlus
	MinusMinus
	Assign
	PlusAssign
	MinusAssign
	StarAssign
	SlashAssign
	PercentAssign
	PowerAssign
	DotAssign
	CoalesceAssign
	EqualEqual
	NotEqual
	Identical
	NotIdentical
	Less
	Greater
	LessEqual
	GreaterEqual
	Matches
	NotMatches
	Ampersand
	Pipe
	Caret
	Tilde
	ShiftLeft
	ShiftRight
	ShiftRightZero
	Bang
	Question
	Colon
	Coalesce
	Arrow
	DoubleColon
	FatArrow
	Ellipsis
	LeftParen
	RightParen
	LeftBracket
	RightBracket
	LeftBrace
	RightBrace
	Comma
	Semicolon

	keywordFirst
	And
	Array
	As
	Barrier
	Break
	Builtin
	Cache
	CaseWord
	Catch
	Class
	Closure
	Constructor
	Continue
	Default
	Echo
	Else
	False
	For
	Foreach
	Forever
	From
	Function
	Global
	If
	Import
	Include
	IncludeOnce
	Isset
	Match
	None
	Not
	Or
	Private
	ReadOnly
	Return
	Static
	Switch
	Throw
	True
	Try
	Unset
	While
	With
	Yield
	keywordLast
)

var punctuators = map[string]Token{
	"+": Plus, "-": Minus, "*": Star, "/": Slash, "%": Percent, "**": StarStar, ".": Dot, "++": PlusPlus, "--": MinusMinus,
	"=": Assign, "+=": PlusAssign, "-=": MinusAssign, "*=": StarAssign, "/=": SlashAssign, "%=": PercentAssign,
	"**=": PowerAssign, ".=": DotAssign, "??=": CoalesceAssign, "==": EqualEqual, "!=": NotEqual, "===": Identical,
	"!==": NotIdentical, "<": Less, ">": Greater, "<=": LessEqual, ">=": GreaterEqual, "=~": Matches, "!~": NotMatches,
	"&": Ampersand, "|": Pipe, "^": Caret, "~": Tilde, "<<": ShiftLeft, ">>": ShiftRight, ">>>": ShiftRightZero, "!": Bang,
	"?": Question, ":": Colon, "??": Coalesce, "->": Arrow, "::": DoubleColon, "=>": FatArrow, "...": Ellipsis,
	"(": LeftParen, ")": RightParen, "[": LeftBracket, "]": RightBracket, "{": LeftBrace, "}": RightBrace, ",": Comma,
	";": Semicolon,
}

var keywords = map[string]Token{
	"and": And, "array": Array, "as": As, "barrier": Barrier, "break": Break, "builtin": Builtin, "cache": Cache,
	"case": CaseWord, "catch": Catch, "class": Class, "closure": Closure, "constructor": Constructor, "continue": Continue,
	"default": Default, "echo": Echo, "else": Else, "false": False, "for": For, "foreach": Foreach, "forever": Forever,
	"from": From, "function": Function, "global": Global, "if": If, "import": Import, "include": Include,
	"include_once": IncludeOnce, "isset": Isset, "match": Match, "none": None, "not": Not, "or": Or, "private": Private,
	"readonly": ReadOnly, "return": Return, "static": Static, "switch": Switch, "throw": Throw, "true": True, "try": Try,
	"unset": Unset, "while": While, "with": With, "yield": Yield,
}

// reserved words mean nothing yet and cannot be names.
var reserved = map[string]bool{
	"this": true, "self": true, "public": true, "protected": true, "struct": true, "clone": true, "final": true,
	"const": true, "goto": true, "namespace": true, "new": true, "interface": true, "in": true, "extends": true,
	"print": true, "trait": true, "assert": true, "finally": true, "lambda": true, "pass": true, "destroy": true,
	"export": true, "use": true, "object": true,
}

// Keywords returns all keywords and reserved words, for editors.
func Keywords() (words, reservedWords []string) {
	for w := range keywords {
		words = append(words, w)
	}
	for w := range reserved {
		reservedWords = append(reservedWords, w)
	}
	return words, reservedWords
}

var tokenTexts = func() (texts [keywordLast]string) {
	for s, t := range punctuators {
		texts[t] = s
	}
	for s, t := range keywords {
		texts[t] = s
	}
	return texts
}()

// String returns the token as messages name it.
func (t Token) String() string {
	switch t {
	case EOF:
		return "end of file"
	case Ident:
		return "name"
	case Reserved:
		return "reserved word"
	case VariableName:
		return "variable"
	case NumberLiteral:
		return "number"
	case StringLiteral:
		return "string"
	case RegexLiteral:
		return "regular expression"
	}
	return `"` + tokenTexts[t] + `"`
}

// word reports whether the token looks like a name.
func (t Token) word() bool { return t == Ident || t == Reserved || t > keywordFirst }

// assigns reports whether the token is an assignment operator.
func (t Token) assigns() bool { return t >= Assign && t <= CoalesceAssign }
