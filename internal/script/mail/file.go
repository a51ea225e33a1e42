package mail

import (
	"io"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// stringSource is an original that a script has as a text.
func stringSource(s string) Original { return strings.NewReader(s) }

// readable is an Original as a File reads it.
type readable struct{ *io.SectionReader }

// Close does nothing: the original belongs to somebody else.
func (readable) Close() error { return nil }

// newFile returns a File over what stays where it is.
func newFile(c *value.Call, o Original) (value.Value, error) {
	class := c.Library.Class("File")
	if class == nil {
		return value.None, value.Errorf("%s: there is no class File here", c.Builtin.Name)
	}
	return file.New(c.Thread, class, "", readable{io.NewSectionReader(o, 0, o.Size())}), c.Alloc(fileCost)
}

// fileCost is about what a File takes, with its buffer.
const fileCost = 5 << 10

func toFile(c *value.Call, m *Message) (value.Value, error) {
	v, err := m.view(c)
	if err != nil {
		return value.None, err
	}
	return newFile(c, v)
}

// fromFile is MailMessage::File.
func (k *Kit) fromFile(c *value.Call) (value.Value, error) {
	f, ok := c.Native(0).(*file.File)
	if !ok {
		return value.None, nil
	}
	o, err := f.Original()
	if err != nil {
		return value.None, nil // none says so
	}
	m := k.newMessage(o)
	m.kept = append(m.kept, c.Args[0])
	if m.mime().Err() != nil {
		return value.None, nil
	}
	return m.object, c.Alloc(editCost)
}

// load imports a message as data: each script gets its own.
func (k *Kit) load(_ string, data []byte, _ *value.Array) (value.Data, error) {
	text := string(data)
	return value.Data{Fresh: func() (value.Value, error) { return k.newMessage(stringSource(text)).object, nil }}, nil
}
