// Package deliver sends payloads to the intake with Datadog's rules of what is dropped and what is sent again.
package deliver

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"agentstandin/internal/settings"
	"agentstandin/internal/standin"
)

const (
	requestLimit = 20 * time.Second // forwarder_timeout
	answerShown  = 200
)

// Client posts payloads. Safe from many goroutines. Make it with New.
type Client struct {
	key    settings.Key
	http   *http.Client
	rules  Rules
	counts *Counts
}

// Counts are what became of requests so far.
type Counts struct {
	Accepted, Refused, Unavailable atomic.Int64
}

// New makes a client with the forwarder's rules; client nil means one of its own.
func New(s settings.Settings, client *http.Client) *Client {
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = 4
		transport.DisableCompression = true
		if s.SkipTLSVerify {
			transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // DD_SKIP_SSL_VALIDATION asks for it
		}
		client = &http.Client{
			Timeout:       requestLimit,
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return &Client{key: s.APIKey, http: client, rules: Forwarder, counts: &Counts{}}
}

// With is the same connection pool with other rules and counts of its own.
func (c *Client) With(rules Rules) *Client {
	return &Client{key: c.key, http: c.http, rules: rules, counts: &Counts{}}
}

// Counts are this client's counts; they go on.
func (c *Client) Counts() *Counts { return c.counts }

// Post sends body once. nil: the intake has it. *Refused: drop it. *Unavailable: it may be sent again.
func (c *Client) Post(ctx context.Context, address string, headers map[string]string, body []byte, contentType string) error {
	err := c.post(ctx, address, headers, body, contentType)
	var refused *Refused
	switch {
	case err == nil:
		c.counts.Accepted.Add(1)
	case errors.As(err, &refused):
		c.counts.Refused.Add(1)
	default:
		c.counts.Unavailable.Add(1)
	}
	return err
}

func (c *Client) post(ctx context.Context, address string, headers map[string]string, body []byte, contentType string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return &Unavailable{Err: errors.New("the address cannot be read")}
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("User-Agent", standin.UserAgent)
	request.Header.Set("DD-Api-Key", c.key.Reveal())
	request.Header.Set("DD-Agent-Version", standin.Version)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return &Unavailable{Err: bare(err)}
	}
	defer response.Body.Close()
	// The status has arrived: whatever becomes of the rest of the answer, the payload's fate is known.
	answer, _ := io.ReadAll(io.LimitReader(response.Body, answerShown))
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // so that the connection can be used again
	return c.rules.judge(response.StatusCode, strings.TrimSpace(string(answer)))
}

// bare takes the address off an error of net/http: a key may stand in it.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// Deliver posts until the payload is accepted (nil) or refused (*Refused), or ctx ends (its error). told hears each
// failure that is followed by another try; it may be nil.
func (c *Client) Deliver(ctx context.Context, backoff *Backoff, address string, headers map[string]string, body []byte, contentType string, told func(error)) error {
	for {
		err := c.Post(ctx, address, headers, body, contentType)
		var refused *Refused
		if err == nil || errors.As(err, &refused) {
			backoff.Succeeded() // the intake answers: the next payload need not wait
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if told != nil {
			told(err)
		}
		if err := backoff.Wait(ctx); err != nil {
			return err
		}
	}
}

// Gzip compresses body; send it with the header Content-Encoding: gzip.
func Gzip(body []byte) []byte {
	var out bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed) // a level that exists
	_, _ = writer.Write(body)                              // a bytes.Buffer takes everything
	_ = writer.Close()
	return out.Bytes()
}
