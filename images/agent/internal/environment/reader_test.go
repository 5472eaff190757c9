package environment

import (
	"strings"
	"testing"
)

func reader(values map[string]string) *Reader {
	return &Reader{Lookup: func(name string) (string, bool) { value, ok := values[name]; return value, ok }}
}

func TestTheFirstNameThatIsSetCountsWithoutBlanks(t *testing.T) {
	r := reader(map[string]string{"OLD": "false", "EMPTY": " ", "NEW": " true "})
	if !r.Flag(false, "EMPTY", "NEW", "OLD") || r.Whole(7, 1, 9, "EMPTY", "MISSING") != 7 || r.Err() != nil {
		t.Error(r.Err())
	}
}

func TestWhatMakesNoSenseGivesWayAndIsNamed(t *testing.T) {
	r := reader(map[string]string{"FLAG": "perhaps", "WHOLE": "10", "NUMBER": "NaN"})
	if !r.Flag(true, "FLAG") || r.Whole(7, 1, 9, "WHOLE") != 7 || r.Number(0.5, "NUMBER") != 0.5 {
		t.Error("no fallback")
	}
	for _, told := range []string{`FLAG must be true or false, not "perhaps"`, `WHOLE must be a whole number from 1 to 9, not "10"`, `NUMBER must be a number from 0 on, not "NaN"`} {
		if !strings.Contains(r.Err().Error(), told) {
			t.Errorf("%s is not in %v", told, r.Err())
		}
	}
}
