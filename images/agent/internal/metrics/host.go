package metrics

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"agentstandin/internal/wire"
)

// ProcRoot is where the host's /proc is: what HOST_PROC or DD_PROCFS_PATH says, /host/proc where that is mounted, or /proc.
func ProcRoot(lookup func(string) (string, bool)) string {
	for _, name := range []string{"HOST_PROC", "DD_PROCFS_PATH"} {
		if value, ok := lookup(name); ok && value != "" {
			return value
		}
	}
	if _, err := os.Stat("/host/proc/stat"); err == nil {
		return "/host/proc"
	}
	return "/proc"
}

// host measures the machine through its /proc.
type host struct {
	proc     string
	counters counters
	cpu      []uint64 // jiffies of the moment before
}

// points are the system.* metrics; the error names the files that could not be read, and the points are the rest.
func (h *host) points(at time.Time) ([]wire.Point, error) {
	var points []wire.Point
	var problems []error
	for _, part := range []func(time.Time) ([]wire.Point, error){h.load, h.memory, h.processor, h.uptime, h.network} {
		found, err := part(at)
		points = append(points, found...)
		problems = append(problems, err)
	}
	return points, errors.Join(problems...)
}

func (h *host) read(name string) (string, error) {
	content, err := os.ReadFile(filepath.Join(h.proc, name))
	return string(content), err
}

func (h *host) load(time.Time) ([]wire.Point, error) {
	content, err := h.read("loadavg")
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(content)
	if len(fields) < 3 {
		return nil, errors.New("loadavg: three numbers are expected")
	}
	var points []wire.Point
	for i, minutes := range []string{"1", "5", "15"} {
		load, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return nil, fmt.Errorf("loadavg: %w", err)
		}
		points = append(points, gauge("system.load."+minutes, load, "", nil), gauge("system.load.norm."+minutes, load/float64(runtime.NumCPU()), "", nil))
	}
	return points, nil
}

// memory is in MiB, as the agent's memory check has it.
func (h *host) memory(time.Time) ([]wire.Point, error) {
	content, err := h.read("meminfo")
	if err != nil {
		return nil, err
	}
	size := map[string]float64{}
	for line := range strings.Lines(content) {
		name, value, _ := strings.Cut(line, ":")
		if fields := strings.Fields(value); len(fields) > 0 {
			kilobytes, _ := strconv.ParseFloat(fields[0], 64) // a line that is no number counts nothing
			size[name] = kilobytes / 1024
		}
	}
	total := size["MemTotal"]
	if total == 0 {
		return nil, errors.New("meminfo: MemTotal is missing")
	}
	figures := map[string]float64{
		"system.mem.total": total, "system.mem.free": size["MemFree"], "system.mem.used": total - size["MemFree"],
		"system.mem.usable": size["MemAvailable"], "system.mem.pct_usable": size["MemAvailable"] / total,
		"system.mem.cached": size["Cached"], "system.mem.buffered": size["Buffers"], "system.mem.shared": size["Shmem"], "system.mem.slab": size["Slab"],
		"system.swap.total": size["SwapTotal"], "system.swap.free": size["SwapFree"], "system.swap.used": size["SwapTotal"] - size["SwapFree"],
	}
	var points []wire.Point
	for metric, value := range figures {
		points = append(points, gauge(metric, value, "", nil))
	}
	return points, nil
}

// processor is in percent of all cores since the moment before; the first time there is only their number.
func (h *host) processor(time.Time) ([]wire.Point, error) {
	content, err := h.read("stat")
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(content, "\n")
	fields := strings.Fields(first)
	if len(fields) < 9 || fields[0] != "cpu" {
		return nil, errors.New("stat: the line of all processors is missing")
	}
	var now []uint64
	for _, field := range fields[1:] {
		jiffies, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("stat: %w", err)
		}
		now = append(now, jiffies)
	}
	points := []wire.Point{gauge("system.cpu.num_cores", float64(strings.Count(content, "\ncpu")), "", nil)}
	before := h.cpu
	h.cpu = now
	if len(before) != len(now) {
		return points, nil
	}
	spent := make([]float64, len(now))
	total := 0.0
	for i := range now {
		if now[i] > before[i] {
			spent[i] = float64(now[i] - before[i])
		}
		if i < 8 { // guest time is counted in user time already
			total += spent[i]
		}
	}
	if total == 0 {
		return points, nil
	}
	guest := 0.0
	if len(spent) > 8 {
		guest = spent[8]
	}
	// user nice system idle iowait irq softirq steal guest
	for metric, part := range map[string]float64{
		"user": spent[0] + spent[1], "system": spent[2] + spent[5] + spent[6], "idle": spent[3], "iowait": spent[4], "stolen": spent[7], "guest": guest,
	} {
		points = append(points, gauge("system.cpu."+metric, part/total*100, "percent", nil))
	}
	return points, nil
}

func (h *host) uptime(time.Time) ([]wire.Point, error) {
	content, err := h.read("uptime")
	if err != nil {
		return nil, err
	}
	text, _, _ := strings.Cut(content, " ")
	seconds, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return nil, fmt.Errorf("uptime: %w", err)
	}
	return []wire.Point{gauge("system.uptime", seconds, "second", nil)}, nil
}

// network is the host's: process 1 lives in the host's network namespace.
func (h *host) network(at time.Time) ([]wire.Point, error) {
	content, err := h.read("1/net/dev")
	if err != nil {
		return nil, err
	}
	var points []wire.Point
	for line := range strings.Lines(content) {
		name, figures, found := strings.Cut(line, ":")
		fields := strings.Fields(figures)
		name = strings.TrimSpace(name)
		if !found || len(fields) < 16 || name == "lo" {
			continue
		}
		for metric, text := range map[string]string{"system.net.bytes_rcvd": fields[0], "system.net.bytes_sent": fields[8]} {
			bytes, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				return points, fmt.Errorf("net/dev: %w", err)
			}
			if rate, ok := h.counters.rate(name+" "+metric, bytes, at); ok {
				point := gauge(metric, rate, "byte", []string{"device_name:" + name})
				point.Device = name
				points = append(points, point)
			}
		}
	}
	h.counters.forget(at.Add(-forgetAfter))
	return points, nil
}
