package metrics

import "time"

// counters turn growing numbers into rates a second.
type counters struct {
	last map[string]counted
}

type counted struct {
	value uint64
	at    time.Time
}

// rate is the growth of the counter name since it was seen last; not ok the first time and when it went back.
func (c *counters) rate(name string, value uint64, at time.Time) (perSecond float64, ok bool) {
	if c.last == nil {
		c.last = map[string]counted{}
	}
	before, known := c.last[name]
	c.last[name] = counted{value, at}
	seconds := at.Sub(before.at).Seconds()
	if !known || value < before.value || seconds <= 0 {
		return 0, false
	}
	return float64(value-before.value) / seconds, true
}

// forget drops counters that were not seen since the given time: their pods are gone.
func (c *counters) forget(before time.Time) {
	for name, seen := range c.last {
		if seen.at.Before(before) {
			delete(c.last, name)
		}
	}
}
