// Package cluster lists objects of the Kubernetes API that this pod runs in, with its service account.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"agentstandin/internal/serviceaccount"
)

const (
	requestLimit = 15 * time.Second
	answerLimit  = 256 << 20
)

// Client asks one API server; safe from many goroutines.
type Client struct {
	server    *serviceaccount.Server
	tokenFile string
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
	return At("https://"+net.JoinHostPort(host, port), serviceaccount.Folder)
}

// At is the API server at base, with ca.crt and token out of folder.
func At(base, folder string) (*Client, error) {
	security, err := serviceaccount.Trusting(filepath.Join(folder, "ca.crt"), "the API server's certificate authority")
	if err != nil {
		return nil, err
	}
	return &Client{server: serviceaccount.At(base, security, requestLimit, answerLimit), tokenFile: filepath.Join(folder, "token")}, nil
}

// Get decodes the object or list at path, such as /api/v1/pods. *Refused: what the API server said instead.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	bearer, err := serviceaccount.Bearer(c.tokenFile)
	if err != nil {
		return fmt.Errorf("the service account's token: %w", err)
	}
	status, body, err := c.server.Get(ctx, path, bearer)
	switch {
	case err != nil && status == 0:
		return fmt.Errorf("the API server was not reached: %w", err)
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case status != http.StatusOK:
		var told struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(body, &told) // without a message the status must do
		return &Refused{Path: path, Status: status, Message: told.Message}
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
