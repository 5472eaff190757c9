package cluster

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"agentstandin/internal/serviceaccount/accounttest"
)

func serving(t *testing.T) *Client {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer token-1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path != "/api/v1/nodes" {
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"message":"may not"}`))
			return
		}
		_, _ = w.Write([]byte(`{"items":[{"name":"node-1"}]}`))
	}))
	t.Cleanup(server.Close)
	client, err := At(server.URL, accounttest.Folder(t, server, "token-1"))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestListsWithTheServiceAccountsToken(t *testing.T) {
	var list struct {
		Items []struct{ Name string }
	}
	if err := serving(t).Get(t.Context(), "/api/v1/nodes", &list); err != nil || len(list.Items) != 1 || list.Items[0].Name != "node-1" {
		t.Error(err, list)
	}
}

func TestWhatTheAPIServerRefusesIsTold(t *testing.T) {
	var refused *Refused
	if err := serving(t).Get(t.Context(), "/api/v1/pods", new(any)); !errors.As(err, &refused) || refused.Status != 403 || refused.Message != "may not" {
		t.Error(err)
	}
}

func TestOutsideOfAClusterThereIsNoClient(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	if _, err := InCluster(); err == nil {
		t.Error("no error")
	}
}
