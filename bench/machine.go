package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes where figures were taken: they mean nothing elsewhere.
type machine struct {
	cpu, kernel, system, files string
	cores                      int
	memory                     int64 // bytes
}

// inspect looks at this machine; dir is where the spools will lie.
func inspect(dir string) machine {
	return machine{
		cpu:    firstValue("/proc/cpuinfo", "model name"),
		kernel: kernel(),
		system: strings.Trim(firstValue("/etc/os-release", "PRETTY_NAME"), `"`),
		files:  fileSystem(dir),
		cores:  runtime.NumCPU(),
		memory: memory(),
	}
}

func (m machine) String() string {
	return fmt.Sprintf("%d × %s, %.0f GB memory, %s, Linux %s, spools on %s",
		m.cores, m.cpu, float64(m.memory)/(1<<30), m.system, m.kernel, m.files)
}

// firstValue returns what stands after the key in a file of "key = value" or
// "key : value" lines.
func firstValue(file, key string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), separator(lines.Text())); ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func separator(line string) string {
	if strings.ContainsRune(line, '=') {
		return "="
	}
	return ":"
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}

func memory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// fileSystem names the type of file system that holds dir: that of the mount whose
// path is the longest beginning of it.
func fileSystem(dir string) string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "unknown"
	}
	best, kind := "", "unknown"
	for line := range strings.Lines(string(mounts)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < len(best) {
			continue
		}
		if point := strings.TrimSuffix(fields[1], "/"); strings.HasPrefix(dir+"/", point+"/") {
			best, kind = fields[1], fields[2]
		}
	}
	return kind
}
