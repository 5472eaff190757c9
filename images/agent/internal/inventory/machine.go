package inventory

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// machine is what can be seen of the host.
type machine struct {
	release   string // of the kernel
	processor string
	cores     int // logical
	memoryKB  int64
	swapKB    int64
	system    string // Debian GNU/Linux 12 (bookworm); empty when it is not mounted
	uuid      string
}

// look reads the host's /proc, and its os-release where the operator mounts it; what is missing stays empty.
func look(proc string) machine {
	read := func(name string) string {
		content, _ := os.ReadFile(filepath.Join(proc, name))
		return string(content)
	}
	m := machine{release: strings.TrimSpace(read("sys/kernel/osrelease")), uuid: strings.TrimSpace(read("sys/kernel/random/boot_id"))}
	for line := range strings.Lines(read("cpuinfo")) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "processor":
			m.cores++
		case "model name":
			m.processor = strings.TrimSpace(value)
		}
	}
	if m.cores == 0 {
		m.cores = runtime.NumCPU()
	}
	for line := range strings.Lines(read("meminfo")) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		size, _ := strconv.ParseInt(fields[1], 10, 64) // a line that is no number counts nothing
		switch fields[0] {
		case "MemTotal:":
			m.memoryKB = size
		case "SwapTotal:":
			m.swapKB = size
		}
	}
	if content, err := os.ReadFile("/host/etc/os-release"); err == nil {
		for line := range strings.Lines(string(content)) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
				m.system = strings.Trim(value, `"`)
			}
		}
	}
	return m
}
