package logs

// begin sets where to go on after an earlier run. Call it once, after the first look and before the tailer runs.
// lost says that a file which was not finished is gone.
func (s *source) begin(known spots) (lost bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for stream, spot := range known {
		if spot.inode == (inode{}) {
			continue // nothing of it was done
		}
		file := s.match(spot)
		if file == nil {
			lost = true // and compressed, or removed: everything that is still here is newer
			continue
		}
		s.resume[stream] = place{file.sequence, spot.Offset}
	}
	s.sent = s.resume
	start := s.resume.start()
	for _, file := range s.files {
		switch {
		case file.sequence < start.file:
			file.done = true
		case file.sequence == start.file:
			file.start = start.offset
		}
	}
	return lost
}

func (s *source) match(spot spot) *logFile {
	for _, sameInode := range []bool{true, false} { // a copied file has another inode, but still its beginning
		for _, file := range s.files {
			if sameInode != (file.inode == spot.inode) {
				continue
			}
			info, err := file.handle.Stat()
			if err != nil || info.Size() < spot.Offset || !sameInode && spot.Print.Length < fingerprintMost {
				continue
			}
			if print, err := fingerprintOf(file.handle, spot.Print.Length); err == nil && print == spot.Print {
				return file
			}
		}
	}
	return nil
}

// spot is the place in a form that survives a restart.
func (s *source) spot(p place) spot {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, file := range s.files {
		if file.sequence != p.file {
			continue
		}
		// The beginning of a file does not change: it is read again only while it grows.
		if want := min(p.offset, fingerprintMost); file.print.Length < want {
			if print, err := fingerprintOf(file.handle, p.offset); err == nil {
				file.print = print
			}
		}
		return spot{inode: file.inode, Print: file.print, Offset: p.offset, Name: file.name.name}
	}
	return spot{}
}
