// Package kubelet asks the node's kubelet for its pods and for its statistics.
package kubelet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"agentstandin/internal/settings"
)

const (
	requestLimit = 10 * time.Second
	answerLimit  = 64 << 20
	podsFresh    = 5 * time.Second // kubelet_cache_pods_duration
)

// Client asks one kubelet; safe from many goroutines. What it returns is shared: read it, do not change it.
type Client struct {
	base      string
	tokenFile string
	http      *http.Client

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
	security := &tls.Config{MinVersion: tls.VersionTLS12}
	if !k.TLSVerify {
		security.InsecureSkipVerify = true // DD_KUBELET_TLS_VERIFY=false asks for it
	} else {
		authority, err := os.ReadFile(k.CAFile)
		if err != nil {
			return nil, fmt.Errorf("the kubelet's certificate authority (DD_KUBELET_CLIENT_CA): %w", err)
		}
		security.RootCAs = x509.NewCertPool()
		if !security.RootCAs.AppendCertsFromPEM(authority) {
			return nil, fmt.Errorf("%s holds no certificate", k.CAFile)
		}
	}
	return &Client{
		base:      "https://" + net.JoinHostPort(k.Host, strconv.Itoa(k.Port)),
		tokenFile: k.TokenFile,
		http:      &http.Client{Timeout: requestLimit, Transport: &http.Transport{TLSClientConfig: security, MaxIdleConnsPerHost: 2}},
	}, nil
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
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	// The token is read each time: Kubernetes replaces it. Without one the kubelet's own answer tells more than we could.
	if token, err := os.ReadFile(c.tokenFile); err == nil {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("kubelet: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return nil, fmt.Errorf("kubelet %s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("kubelet %s: status %d: %.200s", path, response.StatusCode, strings.TrimSpace(string(body)))
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
