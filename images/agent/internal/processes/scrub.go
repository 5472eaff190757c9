package processes

import (
	"regexp"
	"slices"
	"strings"
)

// The agent's default list (pkg/process/procutil data scrubber): what follows such a word is a secret.
var sensitive = regexp.MustCompile(`(?i)^-{0,2}[\w.-]*(password|passwd|mysql_pwd|access_token|auth_token|api_key|apikey|secret|credentials|stripetoken)[\w.-]*$`)

// scrubbed are the arguments with stars in place of the values of secrets: --password=x, password:x, --password x.
func scrubbed(args []string) []string {
	made := slices.Clone(args)
	for i, arg := range made {
		if split := strings.IndexAny(arg, "=:"); split > 0 && sensitive.MatchString(arg[:split]) {
			made[i] = arg[:split+1] + "********"
			continue
		}
		if i+1 < len(made) && strings.HasPrefix(arg, "-") && sensitive.MatchString(arg) && !strings.HasPrefix(made[i+1], "-") {
			made[i+1] = "********"
		}
	}
	return made
}
