// Package wire makes the payloads of metrics and inventory, and keeps those that wait for the intake.
package wire

import (
	"fmt"
	"time"

	"github.com/DataDog/agent-payload/v5/gogen"
	"github.com/klauspost/compress/zstd"
)

// Kind is how points of a series are added up.
type Kind = gogen.MetricPayload_MetricType

// The kinds, as in agent-payload's proto/metrics/agent_payload.proto.
const (
	Gauge = gogen.MetricPayload_GAUGE
	Count = gogen.MetricPayload_COUNT
	Rate  = gogen.MetricPayload_RATE
)

// Point is one value of one metric at the time of its payload.
type Point struct {
	Metric string
	Kind   Kind
	Value  float64
	Unit   string
	Tags   []string
	Device string // of disks and interfaces; empty otherwise
}

const (
	seriesContent = "application/x-protobuf"
	seriesPath    = "/api/v2/series"
	mostSeries    = 5000 // in one payload, well below the intake's limits
)

// Series makes the payloads of POST /api/v2/series: points of host at the time at, over interval.
func Series(host string, at time.Time, interval time.Duration, points []Point) ([]Payload, error) {
	var payloads []Payload
	for len(points) > 0 {
		count := min(len(points), mostSeries)
		body, err := series(host, at, interval, points[:count]).Marshal()
		if err != nil {
			return nil, fmt.Errorf("series: %w", err)
		}
		payloads = append(payloads, Payload{What: "series", Path: seriesPath, ContentType: seriesContent, Encoding: "zstd", Body: Zstd(body)})
		points = points[count:]
	}
	return payloads, nil
}

func series(host string, at time.Time, interval time.Duration, points []Point) *gogen.MetricPayload {
	payload := &gogen.MetricPayload{Series: make([]*gogen.MetricPayload_MetricSeries, 0, len(points))}
	for _, point := range points {
		resources := []*gogen.MetricPayload_Resource{{Type: "host", Name: host}}
		if point.Device != "" {
			resources = append(resources, &gogen.MetricPayload_Resource{Type: "device", Name: point.Device})
		}
		one := &gogen.MetricPayload_MetricSeries{
			Resources: resources,
			Metric:    point.Metric,
			Tags:      point.Tags,
			Points:    []*gogen.MetricPayload_MetricPoint{{Value: point.Value, Timestamp: at.Unix()}},
			Type:      point.Kind,
			Unit:      point.Unit,
		}
		if point.Kind != Gauge {
			one.Interval = int64(interval / time.Second)
		}
		payload.Series = append(payload.Series, one)
	}
	return payload
}

var encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)) // options that exist

// Zstd compresses body; send it with the header Content-Encoding: zstd.
func Zstd(body []byte) []byte { return encoder.EncodeAll(body, nil) }
