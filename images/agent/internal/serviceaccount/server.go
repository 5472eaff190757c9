// Package serviceaccount asks servers of Kubernetes over TLS with the token of this pod's service account.
package serviceaccount

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Folder is where Kubernetes puts the account's ca.crt and token into every pod.
const Folder = "/var/run/secrets/kubernetes.io/serviceaccount"

// Trusting is TLS that trusts only the authority in file. The error calls the file what.
func Trusting(file, what string) (*tls.Config, error) {
	authority, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	security := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !security.RootCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return security, nil
}

// Bearer is the Authorization header with the token in file. Read it for each request: Kubernetes replaces the token.
func Bearer(file string) (string, error) {
	token, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return "Bearer " + strings.TrimSpace(string(token)), nil
}

// Server is one server; safe from many goroutines.
type Server struct {
	base        string
	answerLimit int64
	http        *http.Client
}

// At is the server at base, such as https://10.0.0.1:6443. A request may take requestLimit; of an answer at most answerLimit
// bytes are read.
func At(base string, security *tls.Config, requestLimit time.Duration, answerLimit int64) *Server {
	transport := &http.Transport{TLSClientConfig: security, MaxIdleConnsPerHost: 2}
	return &Server{base: base, answerLimit: answerLimit, http: &http.Client{Timeout: requestLimit, Transport: transport}}
}

// Get is the answer for path; an empty bearer is left out. With an error the status says how far it came: 0 when the
// server was not reached, else the answer broke off.
func (s *Server) Get(ctx context.Context, path, bearer string) (status int, body []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return 0, nil, err
	}
	if bearer != "" {
		request.Header.Set("Authorization", bearer)
	}
	response, err := s.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, s.answerLimit))
	return response.StatusCode, body, err
}
