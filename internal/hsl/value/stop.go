package value

// Stop is what a script is doing at a break point: a statement that the prefix
// __debug stands before. Its values are those of the script, to be looked at and
// not kept.
type Stop struct {
	Debugger, Point string // as the prefix has them
	Stack           []Place
	Variables       []Named // that are set and can be seen there
}

// Named is a variable.
type Named struct {
	Name  string
	Value Value
}
