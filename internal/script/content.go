package script

import (
	"io"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// Contents opens the bytes of queued messages. *queue.Queue is one.
type Contents interface {
	// Content opens them as they were stored, EditedContent with the edits for
	// the entry.
	Content(*queue.View) (delivery.Content, error)
	EditedContent(*queue.View) (delivery.Content, error)
}

// fileValue is $message["file"], absent where nobody can open messages.
func fileValue(c Contents, v *queue.View) value.Value {
	if c == nil {
		return value.Undefined
	}
	resource := func(open func(*queue.View) (delivery.Content, error)) value.Value {
		return value.FromResource(&file.Resource{Content: &queued{open: func() (delivery.Content, error) { return open(v) }}})
	}
	return record("original", resource(c.Content), "modified", resource(c.EditedContent))
}

// queued is the content of a message as a File reads it. It is opened by the
// first read, so that a script that looks at $message opens nothing, and again by
// one after a close.
type queued struct {
	open    func() (delivery.Content, error)
	content delivery.Content // nil until it is read
	reader  *io.SectionReader
}

var _ file.Content = (*queued)(nil)

func (q *queued) ready() error {
	if q.content != nil {
		return nil
	}
	content, err := q.open()
	if err != nil {
		return err
	}
	q.content, q.reader = content, io.NewSectionReader(content, 0, content.Size())
	return nil
}

// Read implements io.Reader.
func (q *queued) Read(b []byte) (int, error) {
	if err := q.ready(); err != nil {
		return 0, err
	}
	return q.reader.Read(b)
}

// ReadAt implements io.ReaderAt.
func (q *queued) ReadAt(b []byte, off int64) (int, error) {
	if err := q.ready(); err != nil {
		return 0, err
	}
	return q.reader.ReadAt(b, off)
}

// Seek implements io.Seeker.
func (q *queued) Seek(offset int64, whence int) (int64, error) {
	if err := q.ready(); err != nil {
		return 0, err
	}
	return q.reader.Seek(offset, whence)
}

// Close lets go of the message.
func (q *queued) Close() error {
	if q.content == nil {
		return nil
	}
	err := q.content.Close()
	q.content, q.reader = nil, nil
	return err
}
