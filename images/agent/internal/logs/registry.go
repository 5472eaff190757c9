package logs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	registryName = "registry.json"
	syncEvery    = 5 * time.Second
)

// spot is a place that survives a restart: it names the file by what it is, not by what it is called.
type spot struct {
	inode
	Print  fingerprint `json:"fingerprint"`
	Offset int64       `json:"offset"`
	Name   string      `json:"name"` // for people
}

// spots are a container's: what lies before is accepted by the intake, or dropped.
type spots [streams]spot

// registry is what is done of every container's logs, in <run path>/registry.json. Safe from many goroutines.
type registry struct {
	path  string
	fresh bool // there was no file: the agent runs here for the first time

	lock       sync.Mutex
	containers map[string]spots
	synced     time.Time
}

type registryFile struct {
	Version    int              `json:"version"`
	Containers map[string]spots `json:"containers"`
}

// openRegistry reads the registry in folder, making the folder. A file that cannot be read is put aside and told: then
// lines may be sent twice, but none is lost.
func openRegistry(folder string) (*registry, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("the run path (DD_LOGS_CONFIG_RUN_PATH): %w", err)
	}
	r := &registry{path: filepath.Join(folder, registryName), containers: map[string]spots{}}
	text, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		r.fresh = true
		return r, r.save() // so that a run path that cannot be written is told at the start
	}
	if err != nil {
		return nil, fmt.Errorf("the log registry: %w", err)
	}
	var file registryFile
	err = json.Unmarshal(text, &file)
	if err == nil && file.Version != 1 {
		err = fmt.Errorf("version %d is not known", file.Version)
	}
	if err != nil {
		aside := r.path + ".unreadable"
		return r, errors.Join(fmt.Errorf("the log registry cannot be read and is kept as %s: %w", aside, err), os.Rename(r.path, aside), r.save())
	}
	if file.Containers != nil {
		r.containers = file.Containers
	}
	return r, nil
}

func (r *registry) find(container string) (spots, bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	found, ok := r.containers[container]
	return found, ok
}

// advance notes what is done and saves it. A nil value forgets the container.
func (r *registry) advance(done map[string]*spots) error {
	r.lock.Lock()
	for container, to := range done {
		if to == nil {
			delete(r.containers, container)
		} else {
			r.containers[container] = *to
		}
	}
	r.lock.Unlock()
	return r.save()
}

// keep forgets every container that exists says no to.
func (r *registry) keep(exists func(container string) bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	for container := range r.containers {
		if !exists(container) {
			delete(r.containers, container)
		}
	}
}

// save replaces the file in one step. A kill of this process cannot spoil it; only a crash of the machine can lose the
// last seconds, because syncing each time would cost more than it is worth.
func (r *registry) save() error {
	r.lock.Lock()
	defer r.lock.Unlock()
	text, err := json.Marshal(registryFile{Version: 1, Containers: r.containers})
	if err != nil {
		return err
	}
	next := r.path + ".next"
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return fmt.Errorf("the log registry: %w", err)
	}
	_, err = file.Write(text)
	if time.Since(r.synced) > syncEvery {
		r.synced = time.Now()
		err = errors.Join(err, file.Sync())
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("the log registry: %w", err)
	}
	return os.Rename(next, r.path)
}
