package deliver

import "fmt"

// Refused is an answer after which the payload must not be sent again: it is dropped.
type Refused struct {
	Status int
	Answer string // the beginning of the body
}

func (r *Refused) Error() string {
	return fmt.Sprintf("refused with status %d: %s", r.Status, r.Answer)
}

// Unavailable means that the payload may be sent again: no answer, or one that says "later".
type Unavailable struct {
	Status int // 0 when there was no answer
	Answer string
	Err    error
}

func (u *Unavailable) Error() string {
	if u.Err != nil {
		return "not reached: " + u.Err.Error()
	}
	return fmt.Sprintf("answered with status %d: %s", u.Status, u.Answer)
}

func (u *Unavailable) Unwrap() error { return u.Err }

// Rules say which statuses from 400 on drop the payload; every other one is tried again.
type Rules map[int]bool

var (
	// Forwarder: metrics, check runs, events and metadata (comp/forwarder transaction.go: 403 waits for a new key).
	Forwarder = Rules{400: true, 413: true}
	// Logs: pkg/logs/client/http/destination.go.
	Logs = Rules{400: true, 401: true, 403: true, 413: true}
)

func (r Rules) judge(status int, answer string) error {
	switch {
	case status >= 200 && status < 300:
		return nil
	case r[status]:
		return &Refused{Status: status, Answer: answer}
	default: // a redirect as well: following it would turn the POST into a GET and lose the payload
		return &Unavailable{Status: status, Answer: answer}
	}
}
