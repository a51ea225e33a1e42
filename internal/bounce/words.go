package bounce

// appendWords appends the words of a text with a space before and after each:
// letters in lower case and digits; dots between digits stay, apostrophes vanish,
// and everything else parts words. Words with an @ are left out, because whoever
// is called spam@ must not look like spam, and so are repetitions of the code and
// the status, which stand before each line of a long answer.
func appendWords(out []byte, text, code, status string) []byte {
	out = append(out, ' ')
	begin := len(out)
	at := false // in an address
	end := func() {
		w := out[begin:]
		if at || code != "" && string(w) == code || status != "" && string(w) == status {
			out = out[:begin]
		} else if len(w) > 0 {
			out = append(out, ' ')
		}
		begin, at = len(out), false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'A' && c <= 'Z':
			out = append(out, c|0x20)
		case c >= 'a' && c <= 'z', digit(c), c >= 0x80:
			out = append(out, c)
		case c == '.' && i > 0 && i+1 < len(text) && digit(text[i-1]) && digit(text[i+1]):
			out = append(out, c)
		case c == '@':
			at = true
		case c == '\'' && i > 0 && i+1 < len(text) && word(text[i-1]) && word(text[i+1]):
		case at && (c == '.' || c == '-' || c == '_'): // the domain goes on
		default:
			end()
		}
	}
	end()
	return out
}

// automaton finds many texts in one pass: a trie of them all in which each state
// also knows where to go on when its texts do not (Aho and Corasick, 1975).
type automaton struct {
	class  [256]uint8 // of bytes that stand in no text: 0
	width  int
	next   []int32   // states × width
	ends   [][]int32 // the texts that end in a state
	number int       // of texts
}

// newAutomaton builds the automaton of the words of all rules and numbers them.
func newAutomaton(rules []*Rule) *automaton {
	a := &automaton{width: 1}
	texts := number(rules)
	a.number = len(texts)
	for _, t := range texts {
		for _, c := range []byte(t) {
			if a.class[c] == 0 {
				a.class[c] = uint8(a.width) // fewer than 256: most bytes never stand in a text
				a.width++
			}
		}
	}
	a.state()
	for i, t := range texts {
		a.insert(t, int32(i))
	}
	a.link()
	return a
}

// number gives equal texts the same number, and returns them by it.
func number(rules []*Rule) (texts []string) {
	known := map[string]int{}
	for _, r := range rules {
		r.each(func(t *term) {
			if t.words == "" {
				return
			}
			n, ok := known[t.words]
			if !ok {
				n = len(texts)
				known[t.words] = n
				texts = append(texts, t.words)
			}
			t.number = n
		})
	}
	return texts
}

func (a *automaton) state() int32 {
	for range a.width {
		a.next = append(a.next, 0)
	}
	a.ends = append(a.ends, nil)
	return int32(len(a.ends) - 1)
}

func (a *automaton) insert(text string, number int32) {
	at := int32(0)
	for _, c := range []byte(text) {
		slot := int(at)*a.width + int(a.class[c])
		if a.next[slot] == 0 {
			to := a.state()
			a.next[slot] = to
		}
		at = a.next[slot]
	}
	a.ends[at] = append(a.ends[at], number)
}

// link fills in, state by state from the root, where to go when a text breaks off.
func (a *automaton) link() {
	back := make([]int32, len(a.ends))
	var queue []int32
	for _, to := range a.next[:a.width] {
		if to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		a.ends[at] = append(a.ends[at], a.ends[back[at]]...)
		for c := range a.width {
			slot, other := int(at)*a.width+c, a.next[int(back[at])*a.width+c]
			if to := a.next[slot]; to != 0 {
				back[to] = other
				queue = append(queue, to)
			} else {
				a.next[slot] = other
			}
		}
	}
}

// search returns the set of texts, by number, that stand in the reply, in room if
// that is large enough.
func (a *automaton) search(r *Reply, room []uint64) []uint64 {
	if need := a.number/64 + 1; need > len(room) {
		room = make([]uint64, need)
	}
	var buffer [1 << 10]byte
	words := appendWords(buffer[:0], r.Text, codeText(r.Code), r.Status.String())
	at := 0
	for _, c := range words {
		at = int(a.next[at*a.width+int(a.class[c])])
		for _, n := range a.ends[at] {
			room[n/64] |= 1 << (n % 64)
		}
	}
	return room
}
