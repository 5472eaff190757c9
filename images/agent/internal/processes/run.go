// Package processes sends the node's containers, and its processes where the operator asks for them.
package processes

import (
	"context"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/DataDog/agent-payload/v5/process"

	"agentstandin/internal/deliver"
	"agentstandin/internal/environment"
	"agentstandin/internal/filter"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/metrics"
	"agentstandin/internal/rounds"
	"agentstandin/internal/settings"
	"agentstandin/internal/wire"
)

const (
	containerPath = "/api/v1/container"
	processPath   = "/api/v1/collector"
	pause         = 10 * time.Second
	together      = 100 // in one message
)

// wanted is what the operator switches on and off.
type wanted struct{ containers, processes bool }

func chosen(lookup func(string) (string, bool)) (wanted, error) {
	r := environment.Reader{Lookup: lookup}
	made := wanted{
		containers: r.Flag(true, "DD_PROCESS_CONFIG_CONTAINER_COLLECTION_ENABLED"),
		processes:  r.Flag(false, "DD_PROCESS_CONFIG_PROCESS_COLLECTION_ENABLED"),
	}
	return made, r.Err()
}

// Run sends containers and processes every ten seconds until ctx ends. The error says which variable makes no sense.
func Run(ctx context.Context, s settings.Settings, pods *kubelet.Client, out *deliver.Client, log *slog.Logger) error {
	wanted, err := chosen(os.LookupEnv)
	if err != nil {
		return err
	}
	root := metrics.ProcRoot(os.LookupEnv)
	box := wire.Open(s.ProcessURL, out, log)
	defer box.Close()
	picked, _ := filter.New(s.Lists, s.Modelled) // its problems are told by who reads the lists for logs
	seen, failing := watch{root: root}, ""
	rounds.Every(ctx, pause, func() {
		at := time.Now()
		told := ""
		if wanted.containers {
			found, err := containers(ctx, pods, picked, s, at)
			told += sent(box, s, at, found, containerMessage(s), containerPath, err)
		}
		if wanted.processes {
			found, err := seen.processes(at)
			told += sent(box, s, at, found, processMessage(s), processPath, err)
		}
		if told != failing && ctx.Err() == nil {
			failing = told
			log.Warn("containers or processes are not sent", "error", told)
		}
	})
	return nil
}

// sent puts the items into frames; it returns what went wrong, for the log.
func sent[T any](box *wire.Outbox, s settings.Settings, at time.Time, items []T, message func(items []T, number, count int32) process.MessageBody, path string, err error) string {
	if err != nil {
		return err.Error()
	}
	count := (len(items) + together - 1) / together
	for number := range count {
		part := items[number*together : min(len(items), (number+1)*together)]
		frame, err := wire.Frame(path, s.Hostname, at, message(part, int32(number+1), int32(count)), nil)
		if err != nil {
			return err.Error()
		}
		box.Put(frame)
	}
	return ""
}

func containerMessage(s settings.Settings) func([]*process.Container, int32, int32) process.MessageBody {
	return func(items []*process.Container, number, count int32) process.MessageBody {
		return &process.CollectorContainer{HostName: s.Hostname, Info: machine(), Containers: items, GroupId: number, GroupSize: count}
	}
}

func processMessage(s settings.Settings) func([]*process.Process, int32, int32) process.MessageBody {
	return func(items []*process.Process, number, count int32) process.MessageBody {
		return &process.CollectorProc{HostName: s.Hostname, Info: machine(), Processes: items, GroupId: number, GroupSize: count}
	}
}

func machine() *process.SystemInfo {
	return &process.SystemInfo{Os: &process.OSInfo{Name: runtime.GOOS, Platform: runtime.GOOS}, Cpus: make([]*process.CPUInfo, 0)}
}
