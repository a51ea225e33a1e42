package compile

// Op is an operation of the machine.
type Op uint8

// The operations. a, b and c are the operands of the instruction, R the
// registers of the frame, K the constants of the function, and w the word that
// follows the instruction where there is one. An operation that reads an
// undefined register throws, except where it says quiet. For jumps see jump.
const (
	Nop Op = iota // spends 256 steps: stands in long stretches without loops

	// Loads.
	LoadK      // a bc     R[a] = K[bc]
	LoadKX     // a w      R[a] = K[w]
	LoadInt    // a bc     R[a] = bc as a signed number
	Move       // a b      R[a] = R[b], one owner more
	MoveQuiet  // a b      R[a] = R[b], one owner more; none if that is undefined
	Take       // a b      R[a] = R[b], which is a temporary that nobody needs any more
	Own        // a        one owner more for R[a]
	Touch      // a        R[a] = none if it is undefined
	LoadCell   // a b w    R[a] = cell w; see the access flags for b
	LoadGlobal // a b w    R[a] = global w; likewise
	StoreCell  // a w      cell w = R[a]
	StoreGlob  // a w      global w = R[a]
	Closure    // a w      R[a] = function w with its captured cells
	Fresh      // a w      R[a] = what the data file w makes for this execution

	// Operators. The forms ending in K take their right side from K[c].
	Add     // a b c    R[a] = R[b] + R[c]
	Sub     // a b c
	Mul     // a b c
	Div     // a b c
	Mod     // a b c
	Pow     // a b c
	AddK    // a b c    R[a] = R[b] + K[c]
	SubK    // a b c
	MulK    // a b c
	DivK    // a b c
	ModK    // a b c
	BitAnd  // a b c    R[a] = R[b] & R[c]
	BitOr   // a b c
	BitXor  // a b c
	Shl     // a b c
	Shr     // a b c
	Ushr    // a b c
	Join    // a b c    R[a] = R[b] . R[c]
	Concat  // a b c    R[a] = R[b] . … . R[b+c-1]
	Neg     // a b      R[a] = -R[b]
	Plus    // a b      R[a] = +R[b]
	Not     // a b      R[a] = !R[b]
	BitNot  // a b      R[a] = ~R[b]
	Inc     // a        R[a]++; none and undefined count as 0
	Dec     // a        R[a]--; likewise
	Number  // a        R[a] = the number that ++ takes R[a] for
	Eq      // a b c    R[a] = R[b] == R[c]
	Ne      // a b c
	Id      // a b c    R[a] = R[b] === R[c]
	Nid     // a b c
	Lt      // a b c    R[a] = R[b] < R[c]
	Le      // a b c
	Matches // a b c   R[a] = R[b] =~ R[c]

	// Jumps. w is the distance from the word behind w.
	Jump    // w        go on there
	JBool   // a c w    jump if the truth of R[a] is c
	JSet    // a c w    jump if it is c that R[a] is neither none nor undefined; quiet
	JDef    // a w      jump if R[a] is not undefined; quiet
	JEq     // a b c w  jump if the truth of R[a] == R[b] is c
	JId     // a b c w  … R[a] === R[b]
	JLt     // a b c w  … R[a] < R[b]
	JLe     // a b c w  … R[a] <= R[b]
	JEqK    // a b c w  … R[a] == K[b]
	JIdK    // a b c w  … R[a] === K[b]
	JLtK    // a b c w  … R[a] < K[b]
	JLeK    // a b c w  … R[a] <= K[b]
	JGtK    // a b c w  … R[a] > K[b]
	JGeK    // a b c w  … R[a] >= K[b]
	IncJLt  // a b c w  R[a]++, then as JLt: the end of most loops
	IncJLtK // a b c w  R[a]++, then as JLtK

	// Arrays and properties. Index borrows: the result has no owner counted and
	// may only be looked at. Fetch owns.
	Index      // a b c    R[a] = R[b][R[c]]
	IndexK     // a b c    R[a] = R[b][K[c]]
	Fetch      // a b c    R[a] = R[b][R[c]], one owner more
	FetchK     // a b c    R[a] = R[b][K[c]], one owner more
	Slice      // a b      R[a] = R[a][R[b]:R[b+1]:R[b+2]]
	Prop       // a b c w  R[a] = R[b]->K[w]; see the access flags for c
	PropThis   // a b c w  the same of $this, whose class declares it in slot b
	StoreThis  // a b w    $this->K[w] = R[a], likewise in slot b
	NewArray   // a bc     R[a] = [], with room for bc elements
	NewKeyed   // a bc     R[a] = [], with room for bc elements with keys
	SetIndex   // a b c    R[a][R[b]] = R[c]
	SetIndexK  // a b c   R[a][K[b]] = R[c]
	Push       // a b      R[a][] = R[b]
	Spread     // a b      R[a] = [...R[a], ...R[b]]
	SpreadArgs // a b    the same for arguments: keys are ignored
	StorePath  // a w     target w = R[a]
	OpPath     // a b c w  R[c] = target w = target w, operator b, R[a]
	IncPath    // a b w    R[a] = ++ target w; see the step flags for b
	IssetPath  // a w     R[a] = whether target w exists
	UnsetPath  // a w     remove target w; R[a] = whether it existed
	LoadPath   // a w      R[a] = target w, one owner more; none if it is missing
	Item       // a b w    R[a] = value at place w of R[b], undefined if there is none
	Element    // a b c    R[a] = R[b][R[c]], undefined if there is none
	Rest       // a b w    R[a] = list of the values of R[b] from place w on

	// Calls. Arguments stand behind R[a], b of them; the result goes to R[c].
	Call       // a b c    call R[a]
	CallScript // a b c w  call function w of the script
	CallGo     // a b c w  call builtin w
	CallMethod // a b c w  call R[a]->K[w]
	New        // a b c w  construct class w
	CallSpread // a b c    call R[a] with the values of the array R[a+1]; b is a spread flag
	Cached     // a c w    call K[w] through the cache with the options R[a] and the values of the array R[a+1]
	Return     // a        end the function with R[a]
	ReturnNone //          end the function with none
	Yield      // a b      suspend the generator with key R[a], value R[b]
	YieldNext  // b        suspend it with the next number for a key

	// Loops over arrays and other things that iterate.
	ForIter // a b      R[a], R[a+1] = an iteration of R[b]
	ForNext // a b c w  jump if there is a next element; R[c] = its value and, if b > 0, R[b] = its key
	ForEnd  // a        give the iteration back

	// The rest.
	Echo         // a        print R[a]
	Throw        // a        throw R[a]
	Fail         // w        throw an exception with the message K[w]
	MatchFail    // a        throw the exception of a match without an arm for R[a]
	Import       // w        run module w unless that was done
	BarrierEnter // a w      enter the barrier R[a], whose variable is w
	BarrierLeave //          leave the innermost barrier
	Visit        // w        count a visit of mark w
	Break        // w        stop at break point w if somebody debugs

	opCount
)

// Access flags of loads: Owned counts one owner more; Quiet takes undefined for
// none.
const (
	Owned = 1 << iota
	Quiet
)

// Step flags of IncPath: Down counts down, Old gives the value before.
const (
	Down = 1 << iota
	Old
)

// Spread flags of CallSpread: what R[a] is.
const (
	SpreadValue  = iota // a function value
	SpreadMethod        // an object; the name of the method is R[a+2]
)

// wide tells which operations have a word behind them.
var wide = [opCount]bool{
	LoadKX: true, LoadCell: true, LoadGlobal: true, StoreCell: true, StoreGlob: true, Closure: true, Fresh: true,
	Jump: true, JBool: true, JSet: true, JDef: true, JEq: true, JId: true, JLt: true, JLe: true, JEqK: true, JIdK: true,
	JLtK: true, JLeK: true, JGtK: true, JGeK: true, IncJLt: true, IncJLtK: true, Prop: true, PropThis: true, StoreThis: true, StorePath: true, OpPath: true,
	IncPath: true, IssetPath: true, UnsetPath: true, LoadPath: true, Item: true, Rest: true, CallScript: true,
	CallGo: true, CallMethod: true, New: true, Cached: true, ForNext: true, Fail: true, Import: true, BarrierEnter: true, Visit: true, Break: true,
}

var opNames = [opCount]string{
	"nop", "loadk", "loadkx", "loadint", "move", "movequiet", "take", "own", "touch", "loadcell", "loadglobal",
	"storecell", "storeglobal", "closure", "fresh", "add", "sub", "mul", "div", "mod", "pow", "addk", "subk", "mulk",
	"divk", "modk", "bitand", "bitor", "bitxor", "shl", "shr", "ushr", "join", "concat", "neg", "plus", "not", "bitnot",
	"inc", "dec", "number", "eq", "ne", "id", "nid", "lt", "le", "matches", "jump", "jbool", "jset", "jdef", "jeq",
	"jid", "jlt", "jle", "jeqk", "jidk", "jltk", "jlek", "jgtk", "jgek", "incjlt", "incjltk", "index", "indexk", "fetch", "fetchk", "slice",
	"prop", "propthis", "storethis", "newarray", "newkeyed", "setindex", "setindexk", "push", "spread", "spreadargs", "storepath", "oppath", "incpath",
	"issetpath", "unsetpath", "loadpath", "item", "element", "rest", "call", "callscript", "callgo", "callmethod",
	"new", "callspread", "cached", "return", "returnnone", "yield", "yieldnext", "foriter", "fornext", "forend", "echo",
	"throw", "fail", "matchfail", "import", "barrierenter", "barrierleave", "visit", "break",
}

// Wide reports whether a word follows the instruction.
func (o Op) Wide() bool { return wide[o] }

// String returns the name that listings use.
func (o Op) String() string { return opNames[o] }
