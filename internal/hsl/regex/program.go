package regex

// opcode is what an instruction does; see the package comment for the machine.
type opcode uint8

const (
	// Characters.
	opByte    opcode = iota // the byte b
	opText                  // text
	opFold                  // text, whose letters stand for both cases
	opSet                   // a member of set
	opRun                   // min to max members of set
	opBreak                 // \R
	opCluster               // \X
	opRef                   // what one of groups has captured

	// Places. They match no characters.
	opBegin              // the start of the subject
	opLineBegin          // the start, or behind a newline that is not at the end
	opEnd                // the end of the subject
	opLastEnd            // the end, or before a newline there
	opLineEnd            // the end, or before a newline
	opFrom               // where the search began
	opWordEdge           // between a word character and another
	opNotWordEdge        // anywhere else
	opUnicodeWordEdge    // the same by Unicode's properties
	opUnicodeNotWordEdge // likewise

	// Ways.
	opSplit   // x, and later y
	opJump    // x
	opSave    // slot n is the position
	opClose   // slot n is slot x, and the slot behind it is the position
	opIfEmpty // x if slot n is the position
	opNote    // slot n is the height of the stack
	opCut     // the stack gets back the height in slot n
	opLook    // what follows up to opLookEnd, then x if it matched, else y
	opLookEnd // an assertion has matched
	opBack    // n characters back
	opCall    // x, until opReturn of group n, then on from here
	opReturn  // back from a call of group n
	opIfGroup // y unless one of groups has captured
	opIfCall  // y unless inside a call of group n; any if n is -1
	opAccept  // end of the match, the call or the assertion
	opFail    // no way on
	opMatch   // end of the match
	opCommit  // backtracked onto: no match at all
	opPrune   // backtracked onto: no match from this start
	opSkip    // backtracked onto: the next start is this position
	opSkipTo  // backtracked onto: the next start is where the mark was set
	opThen    // backtracked onto: the next alternative of the group around
	opMark    // a name for this position
)

// nowhere is a way that does not exist: to go there is to fail.
const nowhere = -1

// inst is one instruction.
type inst struct {
	op     opcode
	mode   mode // of opRun; lazy, for opLook, is one that may be entered again
	fold   bool // of opRef
	b      byte
	x, y   int32
	n      int32
	min    int32
	max    int32 // endless or a number
	key    int32 // the first of its keys in the memory of failures, or noKey
	set    *set
	text   string
	next   *table  // opRun: the bytes with which the rest can go on, nil if any
	ways   *table  // opSplit: with which bytes x (1) and y (2) can go on
	groups []int32 // slots where captures begin
	loops  []int32 // the slots of loops around whose body may be empty
}

const noKey = -1

// table has a mark for every byte and, last, for the end of the subject.
type table [257]uint8

const tableEnd = 256

// at is the mark for what stands at pos.
func (t *table) at(subject string, pos int) uint8 {
	if pos < len(subject) {
		return t[subject[pos]]
	}
	return t[tableEnd]
}

// program is a pattern compiled. There is one for capturing and one that only
// answers whether there is a match. It never changes.
type program struct {
	insts    []inst
	newline  newline
	utf      bool
	folding  folding
	verbs    bool    // the pattern has verbs: no way that has one may be left out
	hopCRLF  bool    // a search does not begin between CR and LF
	slots    int     // of state
	captures int     // how many groups report, from slot 1 on
	keys     int     // of the memory of failures, 0 if it cannot have one
	linear   bool    // the memory makes its time linear in the subject
	fresh    []int32 // the state before a match
	first    *table  // the bytes that a match can begin with, nil if any
}
