package logs

import (
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// counts of one container.
type counts struct {
	read, sent, dropped, byRule, malformed atomic.Int64
}

// logFile is an open log file. Its handle stays open until its name is gone from the folder: until then no other file
// can get its inode number.
type logFile struct {
	name     fileName // it changes when the file is rotated: read it under the source's lock
	run      int      // the container's how-manieth start
	inode    inode
	handle   *os.File
	sequence int   // the how-manieth file of this container, counted as they were found
	start    int64 // where to begin
	found    time.Time
	done     bool
	missed   int // in how many looks in a row its name was gone
	print    fingerprint
}

// source is one container's log folder: its files, and what is known about the container.
type source struct {
	key, folder string
	counts      counts
	removed     atomic.Bool // the folder is gone
	resume      progress    // lines before it were dealt with by an earlier run of the agent
	sent        progress    // the tailer's own

	lock     sync.Mutex
	files    []*logFile
	sequence int
	abouts   map[int]*about // by run
	last     *about
	skipped  map[string]bool // names of rotated files that are history
	current  *logFile        // that is being read
	absent   int
}

// rotatedFiles are the names of the files in folder that were rotated away by now.
func rotatedFiles(folder string) map[string]bool {
	names, _ := logFiles(folder) // look tells what is wrong
	rotated := map[string]bool{}
	for _, name := range names {
		if name.stamp != "" {
			rotated[name.name] = true
		}
	}
	return rotated
}

// look finds new files and closes those that are read and gone.
func (s *source) look() error {
	names, err := logFiles(s.folder)
	if os.IsNotExist(err) {
		if s.absent++; s.absent >= 2 {
			s.removed.Store(true)
		}
		return nil
	}
	if err != nil {
		return err
	}
	s.absent = 0
	present := map[inode]bool{}
	for _, name := range names {
		at, err := inodeAt(s.folder, name.name)
		if err != nil {
			continue // renamed or removed since: the next look tells
		}
		present[at] = true
		if s.skipped[name.name] || s.knows(at, name) {
			continue
		}
		if err := s.add(name, present); err != nil {
			return err
		}
	}
	s.forget(present)
	return nil
}

func (s *source) knows(at inode, name fileName) bool {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, file := range s.files {
		if file.inode == at {
			file.name = name
			return true
		}
	}
	return false
}

func (s *source) add(name fileName, present map[inode]bool) error {
	handle, err := os.Open(filepath.Join(s.folder, name.name))
	if err != nil {
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	info, err := handle.Stat()
	if err != nil {
		handle.Close()
		return err
	}
	at := inodeOf(info)
	present[at] = true
	if s.knows(at, name) { // renamed between the look and the opening
		return handle.Close()
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.sequence++
	s.files = append(s.files, &logFile{name: name, run: name.run, inode: at, handle: handle, sequence: s.sequence, found: time.Now()})
	return nil
}

func (s *source) forget(present map[inode]bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	kept := s.files[:0]
	for _, file := range s.files {
		file.missed++
		if present[file.inode] {
			file.missed = 0
		}
		// Twice: a look may miss a name while it is being changed.
		if file.done && file.missed >= 2 {
			file.handle.Close()
			continue
		}
		kept = append(kept, file)
	}
	s.files = kept
}

// after is the file that follows file, the first one for nil; nil when there is none yet.
func (s *source) after(file *logFile) *logFile {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, next := range s.files {
		if !next.done && (file == nil || next.sequence > file.sequence) {
			return next
		}
	}
	return nil
}

func (s *source) finished(file *logFile) {
	s.lock.Lock()
	defer s.lock.Unlock()
	file.done = true
}

// restarted is the same file again, from its beginning: it was truncated. It keeps its place in the order when later
// files wait already.
func (s *source) restarted(file *logFile) *logFile {
	s.lock.Lock()
	defer s.lock.Unlock()
	fresh := *file
	fresh.start, fresh.print = 0, fingerprint{}
	for i, each := range s.files {
		if each != file {
			continue
		}
		for _, later := range s.files[i+1:] {
			later.sequence++
		}
		s.sequence++
		fresh.sequence = file.sequence + 1
		s.files[i] = &fresh
		return &fresh
	}
	return file
}

// close closes every file; call it when the tailer has ended.
func (s *source) close() {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, file := range s.files {
		file.handle.Close()
	}
	s.files = nil
}

// know sets what is known about the container's runs.
func (s *source) know(abouts map[int]*about, last *about) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.abouts, s.last = abouts, last
}

// about is what the lines of a run carry: nil while the run's container is not known and may become so.
func (s *source) about(run int, since time.Time) *about {
	s.lock.Lock()
	defer s.lock.Unlock()
	if known := s.abouts[run]; known != nil {
		return known
	}
	if s.removed.Load() || time.Since(since) > aboutPatience {
		return s.last
	}
	return nil
}

func (s *source) reading(file *logFile) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.current = file
}

// position is the name of the file that is being read, for people.
func (s *source) position() string {
	s.lock.Lock()
	defer s.lock.Unlock()
	if s.current == nil {
		return ""
	}
	return s.current.name.name
}

// newest is the highest run whose file was found, -1 for none.
func (s *source) newest() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	highest := -1
	for _, file := range s.files {
		highest = max(highest, file.run)
	}
	return highest
}
