package tags

import "strings"

const (
	digits = "0123456789"
	// Kubernetes makes names from these letters only, so that no words come out.
	nameLetters = "bcdfghjklmnpqrstvwxz2456789"
)

// deploymentOf is the Deployment that a ReplicaSet's name tells, empty when it was made by hand.
func deploymentOf(replicaSet string) string {
	name, hash, ok := cutLast(replicaSet)
	if !ok || len(hash) < 3 || !(consistsOf(hash, digits) || consistsOf(hash, nameLetters)) {
		return ""
	}
	return name
}

// cronJobOf is the CronJob that a Job's name tells, empty when it was made by hand.
func cronJobOf(job string) string {
	name, stamp, ok := cutLast(job)
	if !ok || len(stamp) < 8 || !consistsOf(stamp, digits) {
		return ""
	}
	return name
}

func cutLast(text string) (before, after string, ok bool) {
	dash := strings.LastIndexByte(text, '-')
	if dash <= 0 {
		return "", "", false
	}
	return text[:dash], text[dash+1:], true
}

func consistsOf(text, letters string) bool { return strings.Trim(text, letters) == "" }
