// datadog-cluster-agent sends the cluster's events and the state of its objects.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"

	"agentstandin/internal/checks"
	"agentstandin/internal/cluster"
	"agentstandin/internal/deliver"
	"agentstandin/internal/events"
	"agentstandin/internal/health"
	"agentstandin/internal/orchestrator"
	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

const (
	sign      = 90 * time.Second // a round may wait for a slow API server
	nameLimit = 10 * time.Second
)

func main() { os.Exit(command(os.Args[1:], os.Stdout)) }

// command: `start`, which is also what no argument means, or `version`.
func command(arguments []string, out io.Writer) int {
	if len(arguments) > 0 {
		switch arguments[0] {
		case "version":
			fmt.Fprintf(out, "Cluster agent %s (stand-in)\n", standin.Version)
			return 0
		case "start":
		default:
			fmt.Fprintln(out, "datadog-cluster-agent [start|version]")
			return 2
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return run(ctx, out)
}

// run works until ctx ends: 0 after a clean end, 1 after a failure, 2 for an environment that makes no sense.
func run(ctx context.Context, out io.Writer) int {
	log := slog.New(slog.NewJSONHandler(out, nil))
	s, err := settings.FromEnvironment()
	var wanted parts
	if err == nil {
		wanted, err = chosen(os.LookupEnv)
	}
	if err == nil {
		err = s.RequireKey()
	}
	var api *cluster.Client
	if err == nil {
		api, err = cluster.InCluster()
	}
	if err != nil {
		log.Error("bad environment", "error", err.Error())
		return 2
	}
	log = slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: s.LogLevel}))
	wanted.objects = wanted.objects && orchestrator.Permitted(ctx, api)
	s = named(ctx, s, api, log)
	log.Info("started", "version", standin.Version, "hostname", s.Hostname, "events", wanted.events, "objects", wanted.objects,
		"to", settings.Without(s.DDURL), "objects_to", settings.Without(s.OrchestratorURL))
	return work(ctx, s, api, wanted, log)
}

func work(ctx context.Context, s settings.Settings, api *cluster.Client, wanted parts, log *slog.Logger) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sender, pulse := deliver.New(s, nil), health.New()
	var group sync.WaitGroup
	var failed sync.Once
	code := 0
	start := func(name string, part func() error) {
		group.Go(func() {
			if err := part(); err != nil {
				failed.Do(func() { code = 1 })
				log.Error("a part ended", "part", name, "error", err.Error())
				cancel()
			}
		})
	}
	if s.HealthPort > 0 {
		start("health", func() error { return health.Serve(ctx, s.HealthPort, pulse.Handler()) })
	}
	if wanted.events {
		beat := pulse.Watch("events", sign)
		start("events", func() error { return events.Run(ctx, s, api, sender, log, beat.Alive) })
	}
	if wanted.objects {
		beat := pulse.Watch("objects", sign)
		start("objects", func() error { return orchestrator.Run(ctx, s, api, sender, log, beat.Alive) })
	}
	start("checks", func() error { return checks.RunCluster(ctx, s, sender, log) })
	<-ctx.Done()
	group.Wait()
	return code
}

// named gives s the name of the node that this pod runs on, as Datadog's cluster agent calls itself.
func named(ctx context.Context, s settings.Settings, api *cluster.Client, log *slog.Logger) settings.Settings {
	name, space := os.Getenv("DD_POD_NAME"), os.Getenv("DD_KUBE_RESOURCES_NAMESPACE")
	if os.Getenv("DD_HOSTNAME") != "" || s.NodeName != "" || name == "" || space == "" {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, nameLimit)
	defer cancel()
	var pod corev1.Pod
	err := api.Get(ctx, "/api/v1/namespaces/"+space+"/pods/"+name, &pod)
	if err == nil && pod.Spec.NodeName == "" {
		err = errors.New("the pod names no node")
	}
	if err != nil {
		log.Warn("the node's name is not known", "error", err.Error(), "hostname", s.Hostname)
		return s
	}
	s.NodeName, s.Hostname = pod.Spec.NodeName, pod.Spec.NodeName
	if s.ClusterName != "" {
		s.Hostname += "-" + s.ClusterName
	}
	return s
}
