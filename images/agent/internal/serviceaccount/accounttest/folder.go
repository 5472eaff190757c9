// Package accounttest gives tests what Kubernetes mounts into a pod.
package accounttest

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// Folder is a new folder with ca.crt, which the server's certificate is of, and token.
func Folder(t *testing.T, server *httptest.Server, token string) string {
	t.Helper()
	folder := t.TempDir()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, content := range map[string][]byte{"ca.crt": certificate, "token": []byte(token + "\n")} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
