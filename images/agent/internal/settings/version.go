package settings

import (
	"fmt"
	"regexp"
	"strconv"
)

// Version is the agent's release whose behaviour is followed.
type Version struct{ Major, Minor, Patch int }

// DefaultVersion is the release that operator 1.31 installs.
var DefaultVersion = Version{7, 84, 1}

var versionShape = regexp.MustCompile(`^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?(?:[-+._].*)?$`)

// ParseVersion reads 7.84.1, 7.84, v7.84.1-jmx and the like.
func ParseVersion(text string) (Version, error) {
	parts := versionShape.FindStringSubmatch(text)
	if parts == nil {
		return Version{}, fmt.Errorf("an agent version looks like 7.84.1, not %q", text)
	}
	var numbers [3]int
	for i, part := range parts[1:] {
		numbers[i], _ = strconv.Atoi(part) // digits only, or empty for a missing patch: 0
	}
	return Version{numbers[0], numbers[1], numbers[2]}, nil
}

// AtLeast says whether v is the release major.minor.0 or a later one.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// String is major.minor.patch.
func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }
