package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ is 100 on every Linux that Go
// runs on.
const tick = 10 * time.Millisecond

// process is what /proc/PID/stat says of one process.
type process struct {
	pid, parent int
	ended       bool          // and waits for its parent to notice
	cpu         time.Duration // its own and that of children it has waited for
}

// tree is a process and all that it has started.
type tree struct{ root int }

// cpu returns user and system time of the whole tree since it began. A process
// that has ended is counted by the parent that waited for it, so nothing is
// missing and nothing counts twice.
func (t tree) cpu() (time.Duration, error) {
	members, err := t.members()
	var sum time.Duration
	for _, p := range members {
		sum += p.cpu
	}
	return sum, err
}

// memory returns the resident memory of the tree in bytes; pages that several
// processes share count once.
func (t tree) memory() (int64, error) {
	members, err := t.members()
	var sum int64
	for _, p := range members {
		pss, err := proportional(p.pid)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !gone(err) {
			return 0, err
		}
		sum += pss
	}
	return sum, err
}

// members lists the root and its descendants.
func (t tree) members() ([]process, error) {
	children := map[int][]process{}
	var found []process
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		p, err := readProcess(dir)
		if err != nil {
			continue // it has ended meanwhile
		}
		if p.pid == t.root {
			found = append(found, p)
		}
		children[p.parent] = append(children[p.parent], p)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("process %d is gone", t.root)
	}
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found, nil
}

func readProcess(dir string) (process, error) {
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return process{}, err
	}
	return parseStat(string(text))
}

// parseStat reads the line of proc(5). The name stands in brackets and may hold
// anything, so fields are counted from the last bracket.
func parseStat(line string) (process, error) {
	open, closing := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || closing < open {
		return process{}, fmt.Errorf("stat line without a name: %q", line)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:open]))
	fields := strings.Fields(line[closing+1:]) // from field 3, state
	if err != nil || len(fields) < 15 {
		return process{}, fmt.Errorf("stat line too short: %q", line)
	}
	p := process{pid: pid, ended: fields[0] == "Z"}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, err
	}
	for _, field := range fields[11:15] { // utime stime cutime cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return process{}, err
		}
		p.cpu += time.Duration(n) * tick
	}
	return p, nil
}

// alive says whether the process still runs.
func alive(pid int) bool {
	p, err := readProcess("/proc/" + strconv.Itoa(pid))
	return err == nil && !p.ended
}

// proportional returns the proportional set size of a process in bytes.
func proportional(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("Pss:")); ok {
			kb, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
			return kb << 10, err
		}
	}
	return 0, nil
}

// gone: a process that ends while it is read answers ESRCH.
func gone(err error) bool { return strings.Contains(err.Error(), "no such process") }

// gauge samples the memory of a tree until it is told to stop.
type gauge struct {
	stop context.CancelFunc
	done sync.WaitGroup
	peak int64
}

// watch samples once a second, which costs little even with a hundred processes.
func watch(t tree) *gauge {
	ctx, cancel := context.WithCancel(context.Background())
	g := &gauge{stop: cancel}
	g.done.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				g.sample(t)
				return
			case <-ticker.C:
				g.sample(t)
			}
		}
	})
	return g
}

func (g *gauge) sample(t tree) {
	if n, err := t.memory(); err == nil {
		g.peak = max(g.peak, n)
	}
}

// end stops sampling and returns the peak in bytes.
func (g *gauge) end() int64 {
	g.stop()
	g.done.Wait()
	return g.peak
}
