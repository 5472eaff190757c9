package logs

import (
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// fileName is a name that the kubelet and the container runtime give: 0.log is being written by the container's first
// run, 0.log.20261121-101500 was rotated out of it. Compressed ones (.gz) are left alone.
type fileName struct {
	run   int
	stamp string // empty while the file is being written
	name  string
}

var fileShape = regexp.MustCompile(`^(\d{1,9})\.log(?:\.([0-9][0-9-]*))?$`)

func parseFileName(name string) (fileName, bool) {
	parts := fileShape.FindStringSubmatch(name)
	if parts == nil {
		return fileName{}, false
	}
	run, _ := strconv.Atoi(parts[1]) // nine digits at most
	return fileName{run: run, stamp: parts[2], name: name}, true
}

// before is the order in which the files were written.
func (f fileName) before(other fileName) bool {
	if f.run != other.run {
		return f.run < other.run
	}
	if (f.stamp == "") != (other.stamp == "") {
		return f.stamp != ""
	}
	return f.stamp < other.stamp
}

// logFiles are the log files in folder, in the order in which they were written.
func logFiles(folder string) ([]fileName, error) {
	found, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []fileName
	for _, entry := range found {
		if name, ok := parseFileName(entry.Name()); ok && !entry.IsDir() {
			names = append(names, name)
		}
	}
	sort.Slice(names, func(i, j int) bool { return names[i].before(names[j]) })
	return names, nil
}

// inode names a file whatever it is called, for as long as it exists or is held open.
type inode struct {
	Device uint64 `json:"device"`
	Number uint64 `json:"inode"`
}

func inodeOf(info fs.FileInfo) inode {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return inode{}
	}
	return inode{uint64(stat.Dev), stat.Ino}
}

func inodeAt(folder, name string) (inode, error) {
	info, err := os.Stat(filepath.Join(folder, name))
	if err != nil {
		return inode{}, err
	}
	return inodeOf(info), nil
}

// fingerprint tells whether a file is still the one that it was: a new one may get an old one's inode number.
type fingerprint struct {
	Length int64  `json:"length"`
	Sum    uint64 `json:"sum"`
}

const fingerprintMost = 1024

var crcTable = crc64.MakeTable(crc64.ECMA)

// fingerprintOf reads the first bytes of what lies before offset.
func fingerprintOf(file io.ReaderAt, offset int64) (fingerprint, error) {
	length := min(offset, fingerprintMost)
	head := make([]byte, length)
	if _, err := file.ReadAt(head, 0); err != nil && length > 0 {
		return fingerprint{}, err
	}
	return fingerprint{Length: length, Sum: crc64.Checksum(head, crcTable)}, nil
}

// containerFolders are the folders <namespace>_<pod>_<uid>/<container> in folder, by that name.
func containerFolders(folder string) (map[string]container, error) {
	pods, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s is not there: is it mounted into the agent?", folder)
	}
	if err != nil {
		return nil, err
	}
	found := map[string]container{}
	for _, pod := range pods {
		parts := strings.Split(pod.Name(), "_") // none of the three can hold an underscore
		if len(parts) != 3 || !pod.IsDir() {
			continue
		}
		names, err := os.ReadDir(filepath.Join(folder, pod.Name()))
		if err != nil {
			continue // removed since
		}
		for _, name := range names {
			if name.IsDir() {
				found[pod.Name()+"/"+name.Name()] = container{namespace: parts[0], pod: parts[1], uid: parts[2], name: name.Name()}
			}
		}
	}
	return found, nil
}
