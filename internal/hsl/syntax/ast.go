package syntax

import "github.com/posthaste-mta/posthaste/internal/hsl/value"

// Script is the tree of one file, or of a whole unit once its includes have
// been put in place.
type Script struct {
	File       *File
	Statements []Stmt
	Includes   []*IncludeStmt // all of them, wherever they stand
}

// Node is anything with a place.
type Node interface{ Position() Pos }

// Expr is an expression.
type Expr interface {
	Node
	expr()
}

// Stmt is a statement.
type Stmt interface {
	Node
	stmt()
}

// At is the place of a node; it makes a struct a Node.
type At struct{ Pos Pos }

// Position returns the place.
func (a At) Position() Pos { return a.Pos }

type (
	exprNode struct{ At }
	stmtNode struct{ At }
)

func (exprNode) expr() {}
func (stmtNode) stmt() {}

// The expressions.
type (
	// Literal is a number, boolean, none or string without variables.
	Literal struct {
		exprNode
		Value value.Value
	}
	// Interpolation is a string with variables in it; the parts are Literals
	// and Variables.
	Interpolation struct {
		exprNode
		Parts []Expr
	}
	// RegexExpr is a regular expression literal.
	RegexExpr struct {
		exprNode
		Pattern, Modifiers string
	}
	// Variable is $name.
	Variable struct {
		exprNode
		Name    string
		Binding any // what the name means here; set by package resolve
	}
	// Name is a function or class as a value.
	Name struct {
		exprNode
		Name    string
		Builtin bool // with the prefix builtin
		Binding any  // set by package resolve
	}
	// Scoped is Class::name, Class::$name, static::…, space::name,
	// space::Class::name and so on.
	Scoped struct {
		exprNode
		Path     []string // one or two names before the member
		Member   string
		Variable bool // the member is a variable
		Binding  any  // set by package resolve
	}
	// ArrayExpr is an array literal.
	ArrayExpr struct {
		exprNode
		Elements []Element
		target   Pos // of an element such as x[], which only a pattern may have
	}
	// Index is x[i].
	Index struct {
		exprNode
		X, I    Expr
		Effects Effects // of I
	}
	// Append is x[], a target only.
	Append struct {
		exprNode
		X Expr
	}
	// Slice is x[first:last:step]; absent parts are nil.
	Slice struct {
		exprNode
		X, First, Last, Step Expr
	}
	// Property is x->name.
	Property struct {
		exprNode
		X    Expr
		Name string
	}
	// Call is f(arguments).
	Call struct {
		exprNode
		Fn   Expr
		Args []Arg
	}
	// CacheCall is a call with the cache prefix.
	CacheCall struct {
		exprNode
		Options *ArrayExpr
		Call    *Call
	}
	// Unary is a prefix operator: Minus, Plus, Tilde, or Bang for both ! and
	// not.
	Unary struct {
		exprNode
		Op Token
		X  Expr
	}
	// Binary is an operator that computes, other than the dot.
	Binary struct {
		exprNode
		Op      Token
		X, Y    Expr
		Effects Effects // of Y
	}
	// Concat is a chain of dots.
	Concat struct {
		exprNode
		Parts []Expr
	}
	// Logical is a chain of and, or of or.
	Logical struct {
		exprNode
		Op    Token
		Parts []Expr
	}
	// CoalesceExpr is x ?? y.
	CoalesceExpr struct {
		exprNode
		X, Y Expr
	}
	// Ternary is c ? x : y; X is nil in c ?: y.
	Ternary struct {
		exprNode
		Cond, X, Y Expr
	}
	// AssignExpr is target op= value, with Op Assign for plain assignment.
	AssignExpr struct {
		exprNode
		Op      Token
		Target  Expr
		Value   Expr
		Effects Effects // of Value
	}
	// Destructure is pattern = value.
	Destructure struct {
		exprNode
		Pattern *Pattern
		Value   Expr
	}
	// IncDec is ++x, --x, x++ or x--.
	IncDec struct {
		exprNode
		Op     Token // PlusPlus or MinusMinus
		Prefix bool
		X      Expr
	}
	// MatchExpr is match (subject) { arms }.
	MatchExpr struct {
		exprNode
		Subject Expr
		Arms    []MatchArm
	}
	// IssetExpr is isset(x, …).
	IssetExpr struct {
		exprNode
		Xs []Expr
	}
	// UnsetExpr is unset(x).
	UnsetExpr struct {
		exprNode
		X Expr
	}
	// FunctionExpr is a function, anonymous or, in a FunctionDecl or class,
	// named.
	FunctionExpr struct {
		exprNode
		Name     string // "" for anonymous ones
		Params   []Param
		Closure  bool // has a capture list
		Captures []*Variable
		Body     *Block
		Yields   bool // its body contains yield
		Binding  any  // set by package resolve
	}
	// Pattern is the left side of a destructuring assignment.
	Pattern struct {
		exprNode
		Elements []PatternElement
	}
)

// Effects say what an expression does besides having a value.
type Effects struct {
	Writes bool // it assigns, counts or unsets
	Calls  bool // it calls functions, which may do so to variables they share
}

// Any reports whether there are any.
func (e Effects) Any() bool { return e.Writes || e.Calls }

// Element is one element of an array literal.
type Element struct {
	Key    Expr // nil when there is none
	Value  Expr
	Spread bool
}

// Arg is one argument of a call.
type Arg struct {
	Value  Expr
	Spread bool
}

// MatchArm is one arm of a match: values, none of them for the default, and a
// result.
type MatchArm struct {
	Values []Expr
	Result Expr
}

// Param is one parameter of a function.
type Param struct {
	Variable *Variable
	Default  Expr // nil for required ones
	Rest     bool
}

// PatternElement is one target of a destructuring pattern.
type PatternElement struct {
	Key     Expr // nil in lists
	Target  Expr // a target or a *Pattern
	Default Expr // nil when there is none
	Rest    bool
}

// The statements.
type (
	// ExprStmt is an expression as a statement.
	ExprStmt struct {
		stmtNode
		X Expr
	}
	// EchoStmt is echo x.
	EchoStmt struct {
		stmtNode
		X Expr
	}
	// Block is { statements }.
	Block struct {
		stmtNode
		Statements []Stmt
		End        Pos
	}
	// IncludeStmt is include or include_once. Body holds what it stands for,
	// put there by package resolve.
	IncludeStmt struct {
		stmtNode
		Once bool
		Path string
		Body []Stmt
	}
	// ImportStmt imports symbols, a module as a namespace, or data.
	ImportStmt struct {
		stmtNode
		Symbols   []ImportSymbol
		Namespace string    // import * as Namespace
		Data      *Variable // import $data from
		Options   *ArrayExpr
		Path      string
		PathPos   Pos
		Binding   any // set by package resolve
	}
	// IfStmt is if, with Else nil when there is none.
	IfStmt struct {
		stmtNode
		Cond       Expr
		Then, Else Stmt
	}
	// ForStmt is for, while and forever; absent parts are nil.
	ForStmt struct {
		stmtNode
		Init []Expr
		Cond Expr
		Post []Expr
		Body Stmt
	}
	// ForeachStmt is foreach; Key is nil when there is none.
	ForeachStmt struct {
		stmtNode
		X          Expr
		Key, Value Expr // targets or *Patterns
		Body       Stmt
	}
	// SwitchStmt is switch.
	SwitchStmt struct {
		stmtNode
		Subject Expr
		Cases   []Case
	}
	// BranchStmt is break or continue.
	BranchStmt struct {
		stmtNode
		Op Token
	}
	// ReturnStmt is return, with X nil when there is no value.
	ReturnStmt struct {
		stmtNode
		X Expr
	}
	// ThrowStmt is throw.
	ThrowStmt struct {
		stmtNode
		X Expr
	}
	// YieldStmt is yield; Key is nil when there is none.
	YieldStmt struct {
		stmtNode
		Key, Value Expr
	}
	// GlobalStmt is global.
	GlobalStmt struct {
		stmtNode
		Variables []*Variable
	}
	// FunctionDecl declares a named function.
	FunctionDecl struct {
		stmtNode
		Function *FunctionExpr
	}
	// ClassDecl declares a class.
	ClassDecl struct {
		stmtNode
		Name    string
		Members []Member
		Binding any // set by package resolve
	}
	// BarrierStmt is barrier; Variable is nil when there is none.
	BarrierStmt struct {
		stmtNode
		Name     Expr
		Variable *Variable
		Body     *Block
	}
	// TryStmt is try and catch.
	TryStmt struct {
		stmtNode
		Body     *Block
		Variable *Variable
		Catch    *Block
	}
	// DebugStmt is a statement with a breakpoint.
	DebugStmt struct {
		stmtNode
		Debug, Breakpoint string
		Body              Stmt
	}
)

// ImportSymbol is one symbol of an import: name as alias.
type ImportSymbol struct {
	Pos      Pos
	Name     string
	Alias    string
	Variable bool
	Binding  *Variable // of an imported variable: the alias in this scope
}

// Case is one label of a switch with its statements; Value is nil for default.
type Case struct {
	Pos   Pos
	Value Expr
	Body  []Stmt
}

// Member is one member of a class.
type Member struct {
	Pos                       Pos
	Name                      string
	Private, Static, ReadOnly bool
	Constructor               bool
	Initial                   Expr          // of a variable; nil when there is none
	Function                  *FunctionExpr // of a method
}

// Assignable reports whether x can stand on the left of an assignment.
func Assignable(x Expr) bool {
	switch x := x.(type) {
	case *Variable, *Index, *Append, *Slice, *Property:
		return true
	case *Scoped:
		return x.Variable
	}
	return false
}
