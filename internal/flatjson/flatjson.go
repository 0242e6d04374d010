// Package flatjson reads the JSON that media servers write all day: one object of
// short texts and whole numbers, in ASCII and without escapes. It makes no copy of
// anything, and leaves every other JSON, right or wrong, to a full parser:
//
//	r := flatjson.Read(text)
//	for m, ok := r.Next(); ok; m, ok = r.Next() {
//		…
//	}
//	if !r.Whole() { … } // parse text in full, and forget the members
package flatjson

// Member is one member of the object. Value is the text without its quotes, or
// the digits of a number as they stand.
type Member struct {
	Name, Value string
	Quoted      bool
}

// Reader walks through an object.
type Reader struct {
	text  string
	at    int
	state state
}

type state uint8

const (
	beforeFirst state = iota
	between           // behind a member
	ended             // behind the object, and nothing but blanks follows
	odd               // not for us
)

// Read returns a Reader before the first member of the object in text.
func Read(text string) Reader { return Reader{text: text} }

// Whole says whether the text was read to its end. Until then, what Next returned
// may belong to something that is no JSON at all.
func (r *Reader) Whole() bool { return r.state == ended }

// Next returns the next member. It ends at the end of the object, and at the
// first byte that is not simple.
func (r *Reader) Next() (m Member, ok bool) {
	if !r.open() {
		return m, false
	}
	r.state = odd
	if m.Name, ok = r.quoted(); !ok || !r.take(':') {
		return m, false
	}
	if r.blanks(); r.at < len(r.text) && r.text[r.at] == '"' {
		m.Quoted = true
		m.Value, ok = r.quoted()
	} else {
		m.Value, ok = r.whole()
	}
	if ok {
		r.state = between
	}
	return m, ok
}

// open goes to the name of the next member, if there is one.
func (r *Reader) open() bool {
	switch was := r.state; {
	case was == ended || was == odd:
		return false
	case was == beforeFirst && !r.take('{'):
		r.state = odd
		return false
	case r.take('}'):
		r.close()
		return false
	case was == between && !r.take(','):
		r.state = odd
		return false
	}
	return true
}

func (r *Reader) close() {
	r.state = odd
	if r.blanks(); r.at == len(r.text) {
		r.state = ended
	}
}

func (r *Reader) blanks() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

// take reads a byte behind blanks, if it comes next.
func (r *Reader) take(c byte) bool {
	if r.blanks(); r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// quoted reads a text without escapes.
func (r *Reader) quoted() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	for i := r.at; i < len(r.text); i++ {
		if c := r.text[i]; simple[c] {
			continue
		} else if c != '"' {
			break
		}
		text := r.text[r.at:i]
		r.at = i + 1
		return text, true
	}
	return "", false
}

// simple are the bytes that stand for themselves within quotes.
var simple = func() (set [256]bool) {
	for c := byte(' '); c <= '~'; c++ {
		set[c] = c != '"' && c != '\\'
	}
	return set
}()

// whole reads a number without fraction and exponent. What follows it is for the
// next one to judge: it can only be a comma or a brace.
func (r *Reader) whole() (string, bool) {
	start := r.at
	if r.at < len(r.text) && r.text[r.at] == '-' {
		r.at++
	}
	digits := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	if n := r.at - digits; n == 0 || n > 1 && r.text[digits] == '0' {
		return "", false
	}
	return r.text[start:r.at], true
}
