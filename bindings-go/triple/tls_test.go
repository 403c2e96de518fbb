//go:build cgo && trilanenet

package triple

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop"
	"google.golang.org/grpc/status"

	"github.com/trilane/trilane/bindings-go/internal/native"

	testpb "google.golang.org/grpc/interop/grpc_testing"
)

// issued is a certificate for a name, signed by an authority of its own; the paths of the three PEM files.
func issued(t *testing.T, name string) (roots, certificate, key string) {
	t.Helper()
	folder := t.TempDir()
	write := func(file, kind string, der []byte) string {
		path := filepath.Join(folder, file)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sign := func(c, by *x509.Certificate, of, with *ecdsa.PrivateKey) []byte {
		now := time.Now()
		c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(now.UnixNano()), now.Add(-24*time.Hour), now.Add(24*time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, by, &of.PublicKey, with)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	newKey := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, ownKey := newKey(), newKey()
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: name + "'s authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}
	secret, err := x509.MarshalPKCS8PrivateKey(ownKey)
	if err != nil {
		t.Fatal(err)
	}
	return write("ca.pem", "CERTIFICATE", sign(ca, ca, caKey, caKey)),
		write("own.pem", "CERTIFICATE", sign(leaf, ca, ownKey, caKey)), write("own.key", "PRIVATE KEY", secret)
}

// TestTLS: a server that wants clients' certificates serves who has one, and nobody else; each refusal says why.
func TestTLS(t *testing.T) {
	serverRoots, serverCert, serverKey := issued(t, "shop.test")
	clientRoots, clientCert, clientKey := issued(t, "pricing.test")
	_, address := hosted(t, interop.NewTestServer(), ServerTLS(serverCert, serverKey, clientRoots))
	name, own := ServerName("shop.test"), ClientCertificate(clientCert, clientKey)
	for what, c := range map[string]struct {
		roots   string
		options []DialOption
		says    string // "" where the call is answered
	}{
		"mTLS":                      {serverRoots, []DialOption{name, own}, ""},
		"no certificate":            {serverRoots, []DialOption{name}, "at " + address},
		"another authority's":       {serverRoots, []DialOption{name, ClientCertificate(serverCert, serverKey)}, "at " + address},
		"another name":              {serverRoots, []DialOption{ServerName("other.test"), own}, "its name"},
		"the target's host":         {serverRoots, []DialOption{own}, "its name"},
		"the system's certificates": {"", []DialOption{SystemRoots(), name, own}, "authority is among the trusted ones"},
		"plaintext":                 {"", nil, "at " + address},
	} {
		conn, err := Dial(address, c.roots, c.options...)
		if err != nil {
			if what == "the system's certificates" && strings.Contains(err.Error(), "no certificates") {
				t.Logf("skipped: %s: %v", what, err)
				continue
			}
			t.Fatalf("%s: %v", what, err)
		}
		_, err = testpb.NewTestServiceClient(conn).EmptyCall(t.Context(), &testpb.Empty{})
		conn.Close()
		if c.says == "" && err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if c.says != "" && (status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %q is expected, got %v", what, c.says, err)
		}
	}
	for what, option := range map[string]DialOption{
		"without TLS":               own,
		"set without key":           ClientCertificate(clientCert, ""),
		"certificates in PEM":       func(c *native.Connect) { c.Roots = clientKey },
		"No such file or directory": func(c *native.Connect) { c.Roots = clientKey + ".absent" },
		"key in PEM is expected":    func(c *native.Connect) { c.Roots, c.Certificates, c.Key = serverRoots, clientCert, clientCert },
		"is no name of a server":    func(c *native.Connect) { c.Roots, c.ServerName = serverRoots, "not a name" },
	} {
		if _, err := Dial(address, "", option); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%q is expected, got %v", what, err)
		}
	}
}
