// trace-agent takes traces of tracers and sends them to the intake. Receiver, samplers, statistics and writers are
// Datadog's own (datadog-agent/pkg/trace); only what surrounds them in Datadog's agent is written here.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/DataDog/datadog-agent/comp/trace/compression/impl-gzip"
	"github.com/DataDog/datadog-agent/pkg/trace/agent"
	"github.com/DataDog/datadog-agent/pkg/trace/config"
	"github.com/DataDog/datadog-agent/pkg/trace/info"
	tracelog "github.com/DataDog/datadog-agent/pkg/trace/log"
	"github.com/DataDog/datadog-agent/pkg/trace/telemetry"
	"github.com/DataDog/datadog-go/v5/statsd"

	"agentstandin/internal/inventory"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

func main() { os.Exit(command(os.Args[1:], os.Stdout)) }

// command does what the arguments say; --config=... is taken and not read, the environment carries everything.
func command(arguments []string, out io.Writer) int {
	for _, argument := range arguments {
		switch argument {
		case "version", "--version", "-v":
			fmt.Fprintf(out, "trace-agent %s (stand-in around datadog-agent/pkg/trace v0.85.1)\n", standin.Version)
			return 0
		case "info", "--info", "-i":
			return show(out)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	return run(ctx)
}

// show asks the trace-agent that runs here for its figures: 0 when it answers.
func show(out io.Writer) int {
	c, err := read()
	if err != nil {
		fmt.Fprintln(out, err)
		return 2
	}
	c.IPCTLSClientConfig = &tls.Config{InsecureSkipVerify: true} // its certificate is its own, and it is on 127.0.0.1
	if err := info.InitInfo(c); err != nil {
		fmt.Fprintln(out, err)
		return 1
	}
	if err := info.Info(out, c); err != nil {
		return 1
	}
	return 0
}

func read() (*config.AgentConfig, error) {
	s, err := settings.FromEnvironment()
	if err != nil {
		return nil, err
	}
	return configuration(s, os.LookupEnv)
}

// run receives until ctx ends: 0 after a clean end, 1 after a failure, 2 for an environment that makes no sense.
func run(ctx context.Context) int {
	log := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	s, err := settings.FromEnvironment()
	if err == nil {
		err = s.RequireKey()
	}
	var c *config.AgentConfig
	if err == nil {
		c, err = configuration(s, os.LookupEnv)
	}
	if err != nil {
		log.Error("bad environment", "error", err.Error())
		return 2
	}
	log = slog.New(slog.NewJSONHandler(os.Stdout, &slog.HandlerOptions{Level: s.LogLevel}))
	if !s.APM.Enabled {
		log.Info("DD_APM_ENABLED is false: no traces are taken")
		<-ctx.Done()
		return 0
	}
	for _, name := range notFollowed(os.Environ()) {
		log.Warn("a setting has no effect here", "variable", name)
	}
	pods, err := kubelet.New(s)
	if err != nil {
		log.Warn("spans go without container tags", "error", err.Error())
	} else if s, err = inventory.Named(ctx, s, pods); err != nil {
		log.Warn("the node's name is not known", "error", err.Error(), "hostname", s.Hostname)
	}
	c.Hostname = s.Hostname
	tracelog.SetLogger(coreLog{log: log, hidden: s.APIKey.Reveal()})
	if pods != nil {
		useOrigins(c, s, pods, log)
	}
	return serve(ctx, s, c, log)
}

func serve(ctx context.Context, s settings.Settings, c *config.AgentConfig, log *slog.Logger) int {
	if err := info.InitInfo(c); err != nil {
		log.Error("the figures of `trace-agent info` cannot be published", "error", err.Error())
		return 1
	}
	certificate, err := ownCertificate()
	if err != nil {
		log.Error("no certificate for the debug server", "error", err.Error())
		return 1
	}
	core := agent.NewAgent(ctx, c, telemetry.NewNoopCollector(), &statsd.NoOpClient{}, gzipimpl.NewComponent())
	core.DebugServer.SetTLSConfig(certificate)
	go core.Run()
	log.Info("taking traces", "version", standin.Version, "hostname", c.Hostname, "port", c.ReceiverPort,
		"host", c.ReceiverHost, "socket", c.ReceiverSocket, "to", settings.Without(s.APMURL), "env", c.DefaultEnv,
		"target_tps", c.TargetTPS, "string_tables", !c.HasFeature("disable-convert-traces"))
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	if err := core.WaitForStopped(ending); err != nil {
		log.Warn("not everything was sent before the end", "error", err.Error())
	}
	return 0
}

func useOrigins(c *config.AgentConfig, s settings.Settings, pods *kubelet.Client, log *slog.Logger) {
	from := newOrigins(pods, s.PodLabelsAsTags, c.ContainerProcRoot, log)
	c.ContainerTags = from.tags
	c.ContainerTagsWithCompleteness = func(id string) ([]string, bool, error) {
		found, err := from.tags(id)
		return found, err == nil, err
	}
	c.ContainerIDFromOriginInfo = from.identify
}
