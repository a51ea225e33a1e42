package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// queueService serves pb.QueueService.
type queueService struct {
	queue     Queue
	importing chan struct{} // holds a token while an import runs; never closed
}

// maxSorted bounds the entries that are held to sort a list: with all columns
// they take some 60 MB.
const maxSorted = 100_000

// List implements pb.QueueService.
func (s *queueService) List(ctx context.Context, r *connect.Request[pb.QueueListRequest], stream *connect.ServerStream[pb.QueueListResponse]) error {
	return s.list(ctx, r.Msg, func(rows []*pb.QueueEntry) error {
		return stream.Send(&pb.QueueListResponse{Entries: rows})
	})
}

// list hands the rows to send, which must not keep them.
func (s *queueService) list(ctx context.Context, r *pb.QueueListRequest, send func([]*pb.QueueEntry) error) error {
	l, err := newListing(r)
	if err != nil {
		return err
	}
	note(ctx, func(c *Call) { c.Detail = describe(r.Conditions) })
	out := &pages{send: func(rows []*pb.QueueEntry) error {
		note(ctx, func(c *Call) { c.Affected += len(rows) })
		return send(rows)
	}}
	if l.sort != nil {
		err = l.sorted(ctx, s.queue, out)
	} else {
		err = l.walk(ctx, s.queue, out)
	}
	if err == nil {
		err = out.flush()
	}
	return answer(err, connect.CodeInternal)
}

// listing is a compiled QueueListRequest.
type listing struct {
	filter        *queue.Filter
	columns       []Column
	costly        bool
	sort          *Column
	descending    bool
	offset, limit int // limit 0: none
	now           time.Time
}

func newListing(r *pb.QueueListRequest) (*listing, error) {
	l := &listing{offset: int(r.Offset), limit: int(r.Limit), now: time.Now()}
	var err error
	if l.filter, err = filter(r.Conditions); err != nil {
		return nil, err
	}
	if err := l.choose(r.Fields); err != nil {
		return nil, err
	}
	name, order, _ := strings.Cut(r.Sort, ":")
	if order != "" && order != "asc" && order != "desc" {
		return nil, invalid("sort order %q: want asc or desc", order)
	}
	if name == "" {
		return l, nil
	}
	if err := l.choose([]string{name}); err != nil {
		return nil, err
	}
	l.sort, l.descending = &l.columns[len(l.columns)-1], order == "desc"
	return l, nil
}

// choose adds the columns of those names, or all that cost nothing.
func (l *listing) choose(names []string) error {
	for _, name := range names {
		c, ok := FindColumn(name)
		if !ok {
			return invalid("unknown field %q", name)
		}
		l.columns, l.costly = append(l.columns, c), l.costly || c.Costly
	}
	if len(names) > 0 {
		return nil
	}
	for _, c := range columns {
		if !c.Costly {
			l.columns = append(l.columns, c)
		}
	}
	return nil
}

// fill copies v to e. It reports false when v has left the queue meanwhile.
func (l *listing) fill(q Queue, e *pb.QueueEntry, v *queue.View) bool {
	if l.costly {
		if err := q.Load(v); errors.Is(err, queue.ErrGone) {
			return false
		}
		// What cannot be read is left empty: the list is how one finds it.
	}
	entryName(e, v)
	for i := range l.columns {
		l.columns[i].fill(e, v)
	}
	clean(e)
	return true
}

// walk sends entries in the order in which they are found.
func (l *listing) walk(ctx context.Context, q Queue, out *pages) error {
	var failed error
	skip, left := l.offset, l.limit
	err := q.Walk(ctx, l.filter, func(v *queue.View) bool {
		if skip > 0 {
			skip--
			return true
		}
		if !l.fill(q, out.next(), v) {
			return true
		}
		if failed = out.keep(); failed != nil {
			return false
		}
		left--
		return left != 0 // no limit counts down from 0
	})
	return cmp.Or(failed, err)
}

// sorted holds as many entries as can be on the page, or all, and sends them
// in order.
func (l *listing) sorted(ctx context.Context, q Queue, out *pages) error {
	best := top{less: l.before, keep: maxSorted}
	if l.limit > 0 {
		best.keep = l.offset + l.limit
	}
	if best.keep > maxSorted {
		return tooManyToSort()
	}
	var failed error
	err := q.Walk(ctx, l.filter, func(v *queue.View) bool {
		e := new(pb.QueueEntry)
		if l.fill(q, e, v) && best.add(e) && l.limit == 0 {
			failed = tooManyToSort()
		}
		return failed == nil
	})
	if err = cmp.Or(failed, err); err != nil {
		return err
	}
	rows := best.sorted()
	for _, e := range rows[min(l.offset, len(rows)):] {
		proto.Merge(out.next(), e)
		if err := out.keep(); err != nil {
			return err
		}
	}
	return nil
}

func tooManyToSort() error {
	return connect.NewError(connect.CodeResourceExhausted,
		fmt.Errorf("more than %d entries would have to be sorted: narrow the conditions, or give a limit", maxSorted))
}

func (l *listing) before(a, b *pb.QueueEntry) bool {
	order := l.sort.compare(a, b, l.now)
	if l.descending {
		return order > 0
	}
	return order < 0
}

// maxPage is how many rows go in one message.
const maxPage = 256

// pages gathers rows and sends them: the first at once, then twice as many
// each time, so that a slow walk shows something soon and a fast one costs few
// messages. Rows are used again once they are sent.
type pages struct {
	send  func([]*pb.QueueEntry) error
	rows  []*pb.QueueEntry
	count int
	size  int
}

// next returns an empty row. It is lost unless keep is called.
func (p *pages) next() *pb.QueueEntry {
	if p.count == len(p.rows) {
		p.rows = append(p.rows, new(pb.QueueEntry))
	}
	e := p.rows[p.count]
	proto.Reset(e)
	return e
}

func (p *pages) keep() error {
	if p.count++; p.count > p.size {
		return p.flush()
	}
	return nil
}

func (p *pages) flush() error {
	if p.count == 0 {
		return nil
	}
	err := p.send(p.rows[:p.count])
	p.count, p.size = 0, min(2*p.size+1, maxPage-1)
	return err
}
