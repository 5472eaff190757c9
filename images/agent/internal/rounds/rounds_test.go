package rounds

import (
	"context"
	"testing"
	"time"
)

func TestRoundsBeginAtOnceAndEndWithTheContext(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	rounds := 0
	Every(ctx, time.Hour, func() { rounds++; end() })
	if rounds != 1 {
		t.Error(rounds)
	}
}

func TestRoundsFollowEachOther(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	rounds := 0
	Every(ctx, time.Millisecond, func() {
		if rounds++; rounds == 3 {
			end()
		}
	})
	if rounds < 3 {
		t.Error(rounds)
	}
}
