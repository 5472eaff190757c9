package serviceaccount

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"agentstandin/internal/serviceaccount/accounttest"
)

func TestTheTokenIsReadAgainForEveryRequest(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Header.Get("Authorization")))
	}))
	defer server.Close()
	folder := accounttest.Folder(t, server, "first")
	security, err := Trusting(filepath.Join(folder, "ca.crt"), "the authority")
	if err != nil {
		t.Fatal(err)
	}
	asked := At(server.URL, security, time.Minute, 1000)
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(filepath.Join(folder, "token"), []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		bearer, err := Bearer(filepath.Join(folder, "token"))
		if err != nil {
			t.Fatal(err)
		}
		if status, body, err := asked.Get(t.Context(), "/", bearer); status != 200 || string(body) != "Bearer "+token || err != nil {
			t.Error(status, string(body), err)
		}
	}
}

func TestTheStatusTellsHowFarAFailedRequestCame(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("broken off"))
	}))
	security, err := Trusting(filepath.Join(accounttest.Folder(t, server, "t"), "ca.crt"), "the authority")
	if err != nil {
		t.Fatal(err)
	}
	asked := At(server.URL, security, time.Minute, 1000)
	if status, _, err := asked.Get(t.Context(), "/", ""); status != 200 || err == nil {
		t.Error(status, err)
	}
	server.Close()
	if status, _, err := asked.Get(t.Context(), "/", ""); status != 0 || err == nil {
		t.Error(status, err)
	}
}

func TestAnUnknownAuthorityIsRefused(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	asked := At(server.URL, nil, time.Minute, 1000) // trusts the machine's authorities
	if status, _, err := asked.Get(t.Context(), "/", ""); status != 0 || err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Error(status, err)
	}
}

func TestAnAuthorityThatCannotBeUsedIsNamed(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.crt")
	if _, err := Trusting(empty, "the authority"); err == nil || !strings.HasPrefix(err.Error(), "the authority: ") {
		t.Error(err)
	}
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Trusting(empty, "the authority"); err == nil || err.Error() != empty+" holds no certificate" {
		t.Error(err)
	}
}
