// Package logs tails the containers' log files of this node and sends their lines to the intake, each exactly once as
// long as this process is not killed, and at least once in any case.
package logs

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"agentstandin/internal/deliver"
	"agentstandin/internal/filter"
	"agentstandin/internal/health"
	"agentstandin/internal/kubelet"
	"agentstandin/internal/settings"
)

// hurryMost is how long a folder makes the kubelet be asked in haste.
const hurryMost = 30 * time.Second

// pace is how often things are looked at.
type pace struct {
	look    time.Duration // at the log folder
	read    time.Duration // at the end of each file
	settled time.Duration // a runtime may write a last line into a file that was just rotated away
	pods    time.Duration // the kubelet's list
	haste   time.Duration // the same, while something in the log folder is not known yet
}

var usualPace = pace{look: 500 * time.Millisecond, read: 100 * time.Millisecond, settled: time.Second, pods: 5 * time.Second, haste: time.Second}

// Collector is the log collection. Make it with New, then Run it once.
type Collector struct {
	settings settings.Settings
	filter   filter.Filter
	files    configFolder
	rules    []Rule
	log      *slog.Logger
	registry *registry
	pipeline *pipeline
	pods     *podFollower
	beat     *health.Beat
	pace     pace

	tailers sync.WaitGroup
	lock    sync.Mutex
	known   map[string]*container
	looks   int
}

// container is a folder in the pods' log folder, and what was decided about it.
type container struct {
	namespace, pod, uid, name string
	decided                   bool
	decision                  filter.Decision
	config                    *Config
	history                   map[string]bool // rotated files that are not read
	source                    *source
	list                      *podList // that source knows
	highest                   int      // the newest run that list tells
	found                     time.Time
	absent                    int
	ended                     bool
}

// New prepares the collection; the error says what makes it impossible.
func New(s settings.Settings, f filter.Filter, pods *kubelet.Client, out *deliver.Client, beat *health.Beat, log *slog.Logger) (*Collector, error) {
	rules, err := globalRules(s.Logs.Rules)
	if err != nil {
		return nil, err
	}
	registry, err := openRegistry(s.Logs.RunPath)
	if registry == nil {
		return nil, err
	}
	if err != nil {
		log.Error("lines may be sent twice", "error", err.Error())
	}
	files, problems := readConfigFolder(s.ConfDir)
	for _, problem := range problems {
		log.Error("a log configuration is left out", "error", problem.Error())
	}
	pipeline, err := newPipeline(s.LogsURL+"/api/v2/logs", s.Logs.BatchWait, s.Logs.BatchLines, s.Logs.UseCompression, out.With(deliver.Logs), deliver.LogsBackoff(), registry, log)
	if err != nil {
		return nil, err
	}
	return &Collector{
		settings: s, filter: f, files: files, rules: rules, log: log, registry: registry, pipeline: pipeline,
		pods: newPodFollower(pods, log), beat: beat, pace: usualPace, known: map[string]*container{},
	}, nil
}

// Run collects until ctx ends; then it sends what was read and returns within about two seconds.
func (c *Collector) Run(ctx context.Context) error {
	if err := c.pipeline.probe(ctx); err != nil && ctx.Err() == nil {
		c.log.Warn("the logs intake does not answer yet; lines wait until it does", "address", settings.Without(c.settings.LogsURL), "error", err.Error())
	}
	var others sync.WaitGroup
	others.Go(func() { c.pods.run(ctx, c.pace) })
	others.Go(c.pipeline.collect)
	others.Go(func() { c.pipeline.deliver(ctx) })
	ticker := time.NewTicker(c.pace.look)
	defer ticker.Stop()
	for ctx.Err() == nil {
		c.look(ctx)
		c.beat.Alive()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	c.tailers.Wait()
	close(c.pipeline.messages)
	others.Wait()
	c.lock.Lock()
	defer c.lock.Unlock()
	for _, each := range c.known {
		if each.source != nil {
			each.source.close()
		}
	}
	return nil
}

// look compares the log folder with what is known.
func (c *Collector) look(ctx context.Context) {
	found, err := containerFolders(c.settings.Logs.PodsPath)
	if err != nil {
		c.log.Error("the pods' log folder cannot be read", "error", err.Error())
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.looks++; c.looks == 1 {
		c.registry.keep(func(key string) bool { _, ok := found[key]; return ok })
	}
	list := c.pods.current.Load()
	for key, parts := range found {
		each := c.known[key]
		if each == nil || each.ended {
			each = &parts
			each.found = time.Now()
			// What was there before the agent came for the first time: from the beginning of what is not rotated
			// (launchers/file/launcher.go). Whatever comes later is read completely.
			if c.registry.fresh && c.looks == 1 {
				each.history = rotatedFiles(filepath.Join(c.settings.Logs.PodsPath, key))
			}
			c.known[key] = each
		}
		each.absent = 0
		c.update(ctx, key, each, list)
	}
	for key, each := range c.known {
		if _, ok := found[key]; !ok {
			each.absent++
		}
		if each.source != nil {
			if err := each.source.look(); err != nil {
				c.log.Warn("a container's log folder cannot be read", "container", key, "error", err.Error())
			}
		}
		// A source ends by itself when its tailer has read everything that its open files hold.
		if each.absent >= 2 && (each.source == nil || each.ended) {
			delete(c.known, key)
		}
	}
}

// update decides about a container that is not decided yet, and refreshes what is known of one that is read.
func (c *Collector) update(ctx context.Context, key string, each *container, list *podList) {
	if each.decided && each.source == nil {
		return
	}
	pod := list.pods[each.uid]
	if pod == nil {
		if !each.decided {
			each.decision = filter.Decision{Because: "the kubelet has not told this pod yet"}
			c.hurryFor(each)
		}
		return
	}
	m, ok := findMember(pod, each.name)
	if !ok || len(m.ids()) == 0 {
		if !each.decided {
			each.decision = filter.Decision{Because: "the kubelet has not told this container's id yet"}
			c.hurryFor(each)
		}
		return
	}
	if !each.decided {
		c.decide(key, each, m)
	}
	if !each.decision.Included {
		return
	}
	if each.source == nil || each.list != list {
		abouts, last, highest := c.abouts(each, m)
		each.list, each.highest = list, highest
		if each.source == nil {
			c.start(ctx, key, each, abouts, last)
		} else {
			each.source.know(abouts, last)
		}
	}
	if each.source.newest() > each.highest {
		c.pods.hurry() // the container was started again and the kubelet's list is older
	}
}

// hurryFor asks for a new list soon, but not for ever for a folder whose pod nobody knows.
func (c *Collector) hurryFor(each *container) {
	if time.Since(each.found) < hurryMost {
		c.pods.hurry()
	}
}

func (c *Collector) decide(key string, each *container, m member) {
	each.decided = true
	stopped, since := m.stopped(time.Now())
	each.decision = c.filter.Decide(filter.Container{
		Name: each.name, Image: m.spec.Image, Namespace: each.namespace, Annotations: m.pod.Annotations, Stopped: stopped, StoppedFor: since,
	}, filter.Logs)
	c.configure(key, each, m)
	if each.decision.Included && each.config == nil && !c.settings.Logs.CollectAll {
		each.decision = filter.Decision{Because: "no log configuration names it, and container_collect_all is off"}
	}
	c.log.Debug("decided", "container", key, "included", each.decision.Included, "because", each.decision.Because)
}

// configure reads the annotation, which beats the files of conf.d.
func (c *Collector) configure(key string, each *container, m member) {
	text := m.pod.Annotations["ad.datadoghq.com/"+each.name+".logs"]
	if text == "" {
		each.config = c.files.forImage(m.spec.Image)
		return
	}
	config, err := fromAnnotation(text)
	if err != nil {
		c.log.Error("a log annotation is left out", "container", key, "error", err.Error())
		return
	}
	each.config = config
}

func (c *Collector) start(ctx context.Context, key string, each *container, abouts map[int]*about, last *about) {
	s := &source{key: key, folder: filepath.Join(c.settings.Logs.PodsPath, key), skipped: each.history}
	s.know(abouts, last)
	done, seen := c.registry.find(key)
	if err := s.look(); err != nil {
		c.log.Warn("a container's log folder cannot be read", "container", key, "error", err.Error())
	}
	if seen && s.begin(done) {
		c.log.Warn("log files were rotated away and compressed while the agent was not running: their last lines are lost", "container", key)
	}
	each.source = s
	t := &tailer{source: s, send: c.pipeline.take, limit: c.settings.Logs.MaxMessageSize, pace: c.pace, log: c.log, sent: done}
	c.tailers.Go(func() {
		t.run(ctx)
		if ctx.Err() != nil {
			return // its files are still asked for where its last lines stand; Run closes them
		}
		s.close()
		c.lock.Lock()
		each.ended = true
		c.lock.Unlock()
	})
}
