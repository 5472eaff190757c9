// Package cluster lists objects of the Kubernetes API that this pod runs in, with its service account.
package cluster

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
	"path/filepath"
	"strings"
	"time"
)

const (
	serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"
	requestLimit   = 15 * time.Second
	answerLimit    = 256 << 20
)

// Client asks one API server; safe from many goroutines.
type Client struct {
	base      string
	tokenFile string
	http      *http.Client
}

// Refused is an answer of the API server other than 200.
type Refused struct {
	Path    string
	Status  int
	Message string
}

func (r *Refused) Error() string {
	return fmt.Sprintf("the API server answers %d for %s: %s", r.Status, r.Path, r.Message)
}

// InCluster is the API server of this pod, as Kubernetes tells every pod. The error says what is missing.
func InCluster() (*Client, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("KUBERNETES_SERVICE_HOST or _PORT is not set: this is no pod")
	}
	return At("https://"+net.JoinHostPort(host, port), serviceAccount)
}

// At is the API server at base, with ca.crt and token out of folder.
func At(base, folder string) (*Client, error) {
	authority, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("the API server's certificate authority: %w", err)
	}
	security := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !security.RootCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", filepath.Join(folder, "ca.crt"))
	}
	return &Client{
		base:      base,
		tokenFile: filepath.Join(folder, "token"),
		http:      &http.Client{Timeout: requestLimit, Transport: &http.Transport{TLSClientConfig: security, MaxIdleConnsPerHost: 2}},
	}, nil
}

// Get decodes the object or list at path, such as /api/v1/pods. *Refused: what the API server said instead.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	token, err := os.ReadFile(c.tokenFile) // each time: Kubernetes replaces it
	if err != nil {
		return fmt.Errorf("the service account's token: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("the API server was not reached: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if response.StatusCode != http.StatusOK {
		var told struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(body, &told) // without a message the status must do
		return &Refused{Path: path, Status: response.StatusCode, Message: told.Message}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
