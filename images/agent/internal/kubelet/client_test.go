package kubelet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"agentstandin/internal/serviceaccount/accounttest"
	"agentstandin/internal/settings"
)

func serving(t *testing.T, handler http.HandlerFunc) settings.Settings {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	address, _ := url.Parse(server.URL)
	port, _ := strconv.Atoi(address.Port())
	folder := accounttest.Folder(t, server, "the-token")
	return settings.Settings{Kubelet: settings.Kubelet{
		Host: address.Hostname(), Port: port, TLSVerify: true, CAFile: filepath.Join(folder, "ca.crt"), TokenFile: filepath.Join(folder, "token"),
	}}
}

func TestPodsAreAskedForWithTheTokenAndKept(t *testing.T) {
	var asked atomic.Int64
	s := serving(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/pods" || r.Header.Get("Authorization") != "Bearer the-token" {
			w.WriteHeader(401)
			return
		}
		asked.Add(1)
		w.Write([]byte(`{"kind":"PodList","items":[{"metadata":{"name":"goapi-1","namespace":"apps","uid":"u1"}}]}`))
	})
	client, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		pods, err := client.Pods(context.Background())
		if err != nil || len(pods) != 1 || pods[0].Name != "goapi-1" {
			t.Fatal(pods, err)
		}
	}
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	time.Sleep(time.Millisecond)
	if _, err := client.PodsWithin(context.Background(), 0); err != nil || asked.Load() != 2 {
		t.Error("a fresh list was wanted", err)
	}
}

// anotherAuthority is a file with a certificate that no server here has.
func anotherAuthority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := &x509.Certificate{SerialNumber: big.NewInt(1)}
	certificate, err := x509.CreateCertificate(rand.Reader, own, own, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAnUnknownAuthorityIsRefused(t *testing.T) {
	s := serving(t, func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(`{}`)) })
	s.Kubelet.CAFile = anotherAuthority(t)
	client, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Pods(context.Background()); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Error("a certificate of an unknown authority was taken:", err)
	}
	s.Kubelet.TLSVerify = false
	client, _ = New(s)
	if _, err := client.Pods(context.Background()); err != nil {
		t.Error("DD_KUBELET_TLS_VERIFY=false was not followed:", err)
	}
}

func TestTheKubeletsRefusalIsTold(t *testing.T) {
	s := serving(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "Forbidden (resource=nodes)", 403) })
	client, _ := New(s)
	_, err := client.Summary(context.Background())
	if err == nil || !strings.Contains(err.Error(), "403") || !strings.Contains(err.Error(), "resource=nodes") {
		t.Error(err)
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	if _, err := New(settings.Settings{}); err == nil || !strings.Contains(err.Error(), "DD_KUBERNETES_KUBELET_HOST") {
		t.Error(err)
	}
	if _, err := New(settings.Settings{Kubelet: settings.Kubelet{Host: "h", TLSVerify: true, CAFile: "/nowhere"}}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Error(err)
	}
}
