package api

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func sign(t *testing.T, key *rsa.PrivateKey, head, claims string) string {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	text := enc([]byte(head)) + "." + enc([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + enc(sig)
}

// hmacToken signs with HS256 and a secret that everybody knows.
func hmacToken(t *testing.T, secret []byte) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "site.pub", "aud": "eKuiper"}).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	n := base64.RawURLEncoding.EncodeToString(other.N.Bytes())
	dir := t.TempDir()
	pub, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"site.pub":  {Type: "PUBLIC KEY", Bytes: pub},
		"other.pub": {Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&other.PublicKey)},
		"old.pub":   {Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)},
		"bad.pub":   {Type: "PUBLIC KEY", Bytes: []byte("x")},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Unix(1000, 0)
	s := newServer(t, newFake(), Options{KeyDir: dir, Now: func() time.Time { return now }})
	const rs256 = `{"alg":"RS256","typ":"JWT"}`
	good := sign(t, key, rs256, `{"iss":"site.pub","aud":"eKuiper","exp":1001,"nbf":1000}`)
	tests := []struct{ name, token, want string }{
		{"good", good, ""},
		{"list of audiences", sign(t, key, rs256, `{"iss":"old.pub","aud":["x","eKuiper"]}`), ""},
		{"none", "", "missing_token"},
		{"not a token", "abc", "three parts"},
		{"with a scheme", "Bearer " + good, "header"},
		{"expired", sign(t, key, rs256, `{"iss":"site.pub","aud":"eKuiper","exp":1000}`), "expired"},
		{"early", sign(t, key, rs256, `{"iss":"site.pub","aud":"eKuiper","nbf":1001}`), "not valid yet"},
		{"other audience", sign(t, key, rs256, `{"iss":"site.pub","aud":"x"}`), `made for "x"`},
		{"no audience", sign(t, key, rs256, `{"iss":"site.pub"}`), "made for"},
		{"unsigned", sign(t, key, `{"alg":"none"}`, `{"iss":"site.pub","aud":"eKuiper"}`), "want RS256"},
		{"symmetric", sign(t, key, `{"alg":"HS256"}`, `{"iss":"site.pub","aud":"eKuiper"}`), "want RS256"},
		{"unknown issuer", sign(t, key, rs256, `{"iss":"who.pub","aud":"eKuiper"}`), "no such key"},
		{"path as issuer", sign(t, key, rs256, `{"iss":"../site.pub","aud":"eKuiper"}`), "not the name of a key file"},
		{"broken key", sign(t, key, rs256, `{"iss":"bad.pub","aud":"eKuiper"}`), "does not parse"},
		{"public key as secret", hmacToken(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})), "want RS256"},
		{"another RSA method", sign(t, key, `{"alg":"PS256"}`, `{"iss":"site.pub","aud":"eKuiper"}`), `signed with "PS256", want RS256`},
		{"no method", sign(t, key, `{}`, `{"iss":"site.pub","aud":"eKuiper"}`), "want RS256"},
		{"unknown method", sign(t, key, `{"alg":7}`, `{"iss":"site.pub","aud":"eKuiper"}`), `signed with "7", want RS256`},
		{"key named by kid", sign(t, other, `{"alg":"RS256","kid":"other.pub"}`, `{"iss":"site.pub","aud":"eKuiper"}`), "signature"},
		{"key brought along", sign(t, other, fmt.Sprintf(`{"alg":"RS256","jwk":{"kty":"RSA","e":"AQAB","n":%q}}`, n), `{"iss":"site.pub","aud":"eKuiper"}`), "signature"},
		{"hidden file as issuer", sign(t, key, rs256, `{"iss":".site.pub","aud":"eKuiper"}`), "not the name of a key file"},
		{"no issuer", sign(t, key, rs256, `{"aud":"eKuiper"}`), "not the name of a key file"},
		{"claims that are none", sign(t, key, rs256, `[]`), "invalid token: "},
		{"claims that are null", sign(t, key, rs256, `null`), "not the name of a key file"},
		{"header that is null", sign(t, key, `null`, `{"iss":"site.pub","aud":"eKuiper"}`), "invalid token: "},
		{"four parts", good + ".x", "three parts"},
		{"changed", good[:len(good)-4] + "AAAA", "signature"},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("GET", "/rules", nil)
		r.Header.Set("Authorization", tt.token)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if tt.want == "" && w.Code != 200 || tt.want != "" && (w.Code != 401 || !strings.Contains(w.Body.String(), tt.want)) {
			t.Errorf("%s: got %d %s, want %q", tt.name, w.Code, w.Body, tt.want)
		}
	}
	run(t, s, []step{{"GET", "/", "", 200, "*"}, {"GET", "/ping", "", 200, ""}, {"GET", "/metrics", "", 401, "missing_token\n"}})
}
