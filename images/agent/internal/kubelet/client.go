// Package kubelet asks the node's kubelet for its pods and for its statistics.
package kubelet

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"agentstandin/internal/serviceaccount"
	"agentstandin/internal/settings"
)

const (
	requestLimit = 10 * time.Second
	answerLimit  = 64 << 20
	podsFresh    = 5 * time.Second // kubelet_cache_pods_duration
)

// Client asks one kubelet; safe from many goroutines. What it returns is shared: read it, do not change it.
type Client struct {
	server    *serviceaccount.Server
	tokenFile string

	lock    sync.Mutex
	pods    []corev1.Pod
	fetched time.Time
}

// New makes a client; nothing is asked yet. The error says what is missing in the environment.
func New(s settings.Settings) (*Client, error) {
	k := s.Kubelet
	if k.Host == "" {
		return nil, errors.New("DD_KUBERNETES_KUBELET_HOST is not set: which kubelet to ask is not known")
	}
	security := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} // DD_KUBELET_TLS_VERIFY=false asks for it
	if k.TLSVerify {
		var err error
		if security, err = serviceaccount.Trusting(k.CAFile, "the kubelet's certificate authority (DD_KUBELET_CLIENT_CA)"); err != nil {
			return nil, err
		}
	}
	base := "https://" + net.JoinHostPort(k.Host, strconv.Itoa(k.Port))
	return &Client{server: serviceaccount.At(base, security, requestLimit, answerLimit), tokenFile: k.TokenFile}, nil
}

// Pods are the node's pods, at most five seconds old.
func (c *Client) Pods(ctx context.Context) ([]corev1.Pod, error) { return c.PodsWithin(ctx, podsFresh) }

// PodsWithin are the node's pods, at most age old. When the kubelet does not answer, the error says why.
func (c *Client) PodsWithin(ctx context.Context, age time.Duration) ([]corev1.Pod, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if !c.fetched.IsZero() && time.Since(c.fetched) <= age {
		return c.pods, nil
	}
	asked := time.Now()
	var list corev1.PodList
	if err := c.get(ctx, "/pods", &list); err != nil {
		return nil, err
	}
	c.pods, c.fetched = list.Items, asked
	return c.pods, nil
}

// Summary is the kubelet's /stats/summary of this moment.
func (c *Client) Summary(ctx context.Context) (*stats.Summary, error) {
	var summary stats.Summary
	if err := c.get(ctx, "/stats/summary", &summary); err != nil {
		return nil, err
	}
	return &summary, nil
}

// Get is the kubelet's raw answer for path, such as /metrics/cadvisor.
func (c *Client) Get(ctx context.Context, path string) ([]byte, error) {
	bearer, _ := serviceaccount.Bearer(c.tokenFile) // without one the kubelet's own answer tells more than we could
	status, body, err := c.server.Get(ctx, path, bearer)
	switch {
	case err != nil && status == 0:
		return nil, fmt.Errorf("kubelet: %w", err)
	case err != nil:
		return nil, fmt.Errorf("kubelet %s: %w", path, err)
	case status != http.StatusOK:
		return nil, fmt.Errorf("kubelet %s: status %d: %.200s", path, status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	body, err := c.Get(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("kubelet %s: %w", path, err)
	}
	return nil
}
