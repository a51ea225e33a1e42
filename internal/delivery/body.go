package delivery

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// writeBuffer holds the commands and a message of usual size, which so go out in
// one write. Buffers are only held while text is written.
const writeBuffer = 32 << 10

var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, writeBuffer) }}

// maxWrite bounds one write, so that a slow host has the time for each block
// that RFC 5321 §4.5.3.2.5 gives it.
const maxWrite = 128 << 10

// wire writes to the connection of a client and remembers how that failed, to
// tell it from a message that cannot be read.
type wire struct {
	client *client
	err    error
}

func (w *wire) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		block := p[:min(len(p), maxWrite)]
		w.err = w.client.conn.SetWriteDeadline(time.Now().Add(blockTimeout))
		if w.err == nil {
			var m int
			m, w.err = w.client.conn.Write(block)
			n += m
		}
		p = p[len(block):]
	}
	return n, w.err
}

// stream writes what is in the client's buffer and then what text writes. stage
// is what a failure is reported for.
func (t *transaction) stream(stage Stage, text func(io.Writer) error) *Outcome {
	w := &wire{client: t.client}
	buf := writers.Get().(*bufio.Writer)
	buf.Reset(w)
	_, err := buf.Write(t.out)
	t.out = t.out[:0]
	if err == nil {
		err = text(buf)
	}
	if err == nil && t.last() && t.ext.Has("PIPELINING") {
		// RFC 2920 §3.1: QUIT may be the last of a group.
		_, err = buf.WriteString("QUIT\r\n")
		t.quitting = true
	}
	if err == nil {
		err = buf.Flush()
	}
	buf.Reset(nil)
	writers.Put(buf)
	switch {
	case w.err != nil:
		return t.lastWords(stage, w.err)
	case err != nil:
		// The text is not complete and must not seem so: no end, no QUIT.
		t.broken = true
		return verdict(StageMail, KindConfig, codeStorage, "the message cannot be read", err)
	}
	return nil
}

// body sends the message after its commands were accepted and reads the reply.
func (t *transaction) body() *Outcome {
	var out *Outcome
	if t.chunk {
		out = t.writeChunk(StageEOD)
	} else {
		out = t.stream(StageEOD, t.writeText)
	}
	if out != nil {
		return out
	}
	return t.end()
}

// writeText writes the message as text for DATA.
func (t *transaction) writeText(w io.Writer) error {
	counted := &counter{w: smtp.NewDotWriter(w)}
	if err := t.copy(counted); err != nil {
		return err
	}
	return counted.w.(*smtp.DotWriter).Close()
}

// writeChunk writes BDAT and the whole message as the only chunk.
func (t *transaction) writeChunk(stage Stage) *Outcome {
	size := t.size
	end, err := t.missingEnd()
	if err != nil {
		t.out = t.out[:0]
		return verdict(StageMail, KindConfig, codeStorage, "the message cannot be read", err)
	}
	size += int64(len(end))
	t.out = strconv.AppendInt(append(t.out, "BDAT "...), size, 10)
	t.out = append(t.out, " LAST\r\n"...)
	return t.stream(stage, func(w io.Writer) error {
		if err := t.copy(&counter{w: w}); err != nil {
			return err
		}
		_, err := io.WriteString(w, end)
		return err
	})
}

// missingEnd is the line end that the last line of the message lacks, so that
// BDAT hands over what DATA would. Binary messages have no lines.
func (t *transaction) missingEnd() (string, error) {
	var last [2]byte
	if t.parcel.binary || t.size == 0 {
		return "", nil
	}
	n := min(t.size, 2)
	if _, err := t.content.ReadAt(last[:n], t.size-n); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if string(last[:n]) == "\r\n" {
		return "", nil
	}
	return "\r\n", nil
}

// copy writes the message and makes sure that it is as long as it says: a host
// would wait for what is missing, or take what is too much for commands.
func (t *transaction) copy(w *counter) error {
	_, err := t.content.WriteTo(w)
	if err == nil && w.n != t.size {
		err = fmt.Errorf("delivery: message of %d bytes says that it has %d", w.n, t.size)
	}
	return err
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// abandon gets out of DATA that the host opened although it had refused sender
// or recipient: an empty text, whatever the host says to it (RFC 2920 §3.1).
func (t *transaction) abandon() {
	if t.Protocol == LMTP {
		t.broken = true // RFC 2033 §4.2: one reply for each recipient, so none
		return
	}
	t.out = append(t.out, ".\r\n"...)
	if t.flush(StageEOD) == nil {
		_, _ = t.reply(StageEOD)
	}
}
