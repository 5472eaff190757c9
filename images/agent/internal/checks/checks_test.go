package checks

import (
	"slices"
	"testing"
	"time"

	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

func TestEveryThingThatIsNotDoneIsUnknownWithItsReason(t *testing.T) {
	runs := NotDone()
	if len(runs) != len(standin.NotDone) {
		t.Fatal(len(runs))
	}
	for _, run := range runs {
		feature := run.Tags[0][len("feature:"):]
		if run.Check != "meshproof.stand_in.not_done" || run.Status != Unknown || run.Message == "" || run.Message != standin.NotDone[feature] {
			t.Errorf("%+v", run)
		}
	}
}

func TestThePartsOfTheKubelet(t *testing.T) {
	runs := parts("[+]ping ok\n[-]syncloop failed: reason withheld\nhealthz check failed\n")
	if len(runs) != 3 || runs[0].Status != Critical || runs[1].Check != "kubernetes.kubelet.check.ping" || runs[1].Status != OK || runs[2].Status != Critical {
		t.Errorf("%+v", runs)
	}
	if whole := parts("[+]ping ok\nhealthz check passed\n")[0]; whole.Check != "kubernetes.kubelet.check" || whole.Status != OK {
		t.Errorf("%+v", whole)
	}
}

func TestRunsAreStamped(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	run := Stamped([]CheckRun{{Check: "a", Tags: []string{"b:c"}}}, settings.Settings{Hostname: "node-1", ClusterName: "meshproof"}, at)[0]
	if run.HostName != "node-1" || run.Timestamp != at.Unix() || !slices.Contains(run.Tags, "b:c") || !slices.Contains(run.Tags, "kube_cluster_name:meshproof") {
		t.Errorf("%+v", run)
	}
}
