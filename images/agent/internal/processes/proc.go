package processes

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/DataDog/agent-payload/v5/process"
	"github.com/DataDog/datadog-agent/pkg/util/cgroups"
)

const jiffiesASecond = 100 // USER_HZ of every platform that Kubernetes runs on

// watch reads processes out of a /proc and remembers their processor time.
type watch struct {
	root   string
	before map[int]spent
}

type spent struct {
	jiffies uint64
	at      time.Time
}

// processes are all that have a command line; those of the kernel have none.
func (w *watch) processes(at time.Time) ([]*process.Process, error) {
	entries, err := os.ReadDir(w.root)
	if err != nil {
		return nil, err
	}
	boot := w.bootTime()
	now := map[int]spent{}
	var made []*process.Process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if one := w.one(pid, boot, at, now); one != nil { // nil: it ended meanwhile
			made = append(made, one)
		}
	}
	w.before = now
	return made, nil
}

func (w *watch) one(pid int, boot int64, at time.Time, now map[int]spent) *process.Process {
	folder := filepath.Join(w.root, strconv.Itoa(pid))
	line, err := os.ReadFile(filepath.Join(folder, "cmdline"))
	if err != nil || len(line) == 0 {
		return nil
	}
	stat, err := readStat(filepath.Join(folder, "stat"))
	if err != nil {
		return nil
	}
	args := scrubbed(strings.Split(strings.TrimRight(string(line), "\x00"), "\x00"))
	exe, _ := os.Readlink(filepath.Join(folder, "exe")) // not allowed for another user's: then it stays empty
	made := &process.Process{
		Pid: int32(pid), Command: &process.Command{Args: args, Ppid: int32(stat.parent), Exe: exe, Comm: stat.name},
		User: &process.ProcessUser{}, Memory: memory(filepath.Join(folder, "statm")), State: states[stat.state],
		Cpu:         &process.CPUStat{NumThreads: int32(stat.threads), UserTime: int64(stat.user / jiffiesASecond), SystemTime: int64(stat.system / jiffiesASecond)},
		CreateTime:  (boot + int64(stat.started/jiffiesASecond)) * 1000,
		ContainerId: w.container(pid),
	}
	now[pid] = spent{stat.user + stat.system, at}
	if last, ok := w.before[pid]; ok && now[pid].jiffies >= last.jiffies && at.After(last.at) {
		made.Cpu.TotalPct = float32(float64(now[pid].jiffies-last.jiffies) / jiffiesASecond / at.Sub(last.at).Seconds() * 100)
	}
	return made
}

func (w *watch) container(pid int) string {
	for _, controller := range []string{"", "memory"} { // cgroup v2, v1
		if id, err := cgroups.IdentiferFromCgroupReferences(w.root, strconv.Itoa(pid), controller, cgroups.ContainerFilter); err == nil && id != "" {
			return id
		}
	}
	return ""
}

func (w *watch) bootTime() int64 {
	content, _ := os.ReadFile(filepath.Join(w.root, "stat"))
	for line := range strings.Lines(string(content)) {
		if text, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return seconds
		}
	}
	return 0
}

var states = map[string]process.ProcessState{
	"D": process.ProcessState_D, "R": process.ProcessState_R, "S": process.ProcessState_S, "I": process.ProcessState_S, "T": process.ProcessState_T, "Z": process.ProcessState_Z,
}

// stat is a process's /proc/PID/stat; times are in jiffies.
type stat struct {
	name, state           string
	parent                int
	user, system, started uint64
	threads               uint64
}

func readStat(path string) (stat, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return stat{}, err
	}
	text := string(content)
	opens, closes := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')') // a name may hold anything
	if opens < 0 || closes < opens {
		return stat{}, fmt.Errorf("%s: no name", path)
	}
	fields := strings.Fields(text[closes+1:])
	if len(fields) < 20 {
		return stat{}, fmt.Errorf("%s: too short", path)
	}
	numbers := make([]uint64, len(fields))
	for i := range fields {
		numbers[i], _ = strconv.ParseUint(fields[i], 10, 64) // a few are letters or negative: none of those used
	}
	return stat{
		name: text[opens+1 : closes], state: fields[0], parent: int(numbers[1]),
		user: numbers[11], system: numbers[12], threads: numbers[17], started: numbers[19],
	}, nil
}

func memory(path string) *process.MemoryStat {
	content, _ := os.ReadFile(path)
	fields := strings.Fields(string(content))
	if len(fields) < 3 {
		return &process.MemoryStat{}
	}
	page := uint64(os.Getpagesize())
	size := func(text string) uint64 { pages, _ := strconv.ParseUint(text, 10, 64); return pages * page }
	return &process.MemoryStat{Vms: size(fields[0]), Rss: size(fields[1]), Shared: size(fields[2])}
}
