package api

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// audience is what a token must be made for.
const audience = "eKuiper"

// maxKeys bounds the public keys that are kept.
const maxKeys = 64

// tokens checks JSON web tokens signed with RS256. The issuer names the file of
// its public key.
type tokens struct {
	dir string
	now func() time.Time

	mu   sync.Mutex
	keys map[string]*rsa.PublicKey // by issuer; a key file is read once
}

func newTokens(dir string, now func() time.Time) *tokens {
	return &tokens{dir: dir, now: now, keys: map[string]*rsa.PublicKey{}}
}

// require refuses calls without a valid token, but for / and /ping.
func (t *tokens) require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && r.URL.Path != "/ping" {
			if err := t.check(r.Header.Get("Authorization")); err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// claims are the parts of a token that are looked at.
type claims struct {
	Issuer    string      `json:"iss"`
	Audience  textOrTexts `json:"aud"`
	Expires   *float64    `json:"exp"`
	NotBefore *float64    `json:"nbf"`
}

// textOrTexts is one string or a list of them.
type textOrTexts []string

// UnmarshalJSON reads both forms.
func (t *textOrTexts) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*t = make(textOrTexts, 1)
		return json.Unmarshal(b, &(*t)[0])
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// check returns why a token is not valid.
func (t *tokens) check(token string) error {
	if token == "" {
		return errors.New("missing_token")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 || len(token) > 16<<10 {
		return errors.New("invalid token: not three parts of a JSON web token")
	}
	var head struct {
		Alg string `json:"alg"`
	}
	if err := decodePart(parts[0], &head); err != nil {
		return fmt.Errorf("invalid token: header: %w", err)
	}
	if head.Alg != "RS256" {
		return fmt.Errorf("invalid token: signed with %q, want RS256", head.Alg)
	}
	var c claims
	if err := decodePart(parts[1], &c); err != nil {
		return fmt.Errorf("invalid token: claims: %w", err)
	}
	key, err := t.key(c.Issuer)
	if err != nil {
		return fmt.Errorf("invalid token: issuer %q: %w", c.Issuer, err)
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return fmt.Errorf("invalid token: signature: %w", err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig); err != nil {
		return errors.New("invalid token: the signature is not that of the issuer")
	}
	return c.valid(t.now())
}

// valid checks what the issuer signed.
func (c claims) valid(now time.Time) error {
	ok := false
	for _, a := range c.Audience {
		ok = ok || a == audience
	}
	seconds := float64(now.UnixMilli()) / 1000
	switch {
	case !ok:
		return fmt.Errorf("invalid token: made for %q, want %q", strings.Join(c.Audience, ", "), audience)
	case c.Expires != nil && seconds >= *c.Expires:
		return errors.New("invalid token: expired")
	case c.NotBefore != nil && seconds < *c.NotBefore:
		return errors.New("invalid token: not valid yet")
	}
	return nil
}

func decodePart(part string, v any) error {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// key returns the public key of an issuer.
func (t *tokens) key(issuer string) (*rsa.PublicKey, error) {
	if issuer == "" || issuer[0] == '.' || strings.ContainsAny(issuer, "/\\\x00") {
		return nil, errors.New("not the name of a key file")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k, ok := t.keys[issuer]; ok {
		return k, nil
	}
	// Opened below the directory: the name comes from whoever calls.
	f, err := os.OpenInRoot(t.dir, issuer)
	if err != nil {
		return nil, errors.New("no such key")
	}
	defer f.Close()
	text, err := readLimited(f, issuer, 64<<10)
	if err != nil {
		return nil, err
	}
	k, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	if len(t.keys) < maxKeys {
		t.keys[issuer] = k
	}
	return k, nil
}

// parseKey reads an RSA public key in one of its PEM forms.
func parseKey(text []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the key file is not PEM")
	}
	var key any
	var err error
	switch block.Type {
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		var c *x509.Certificate
		if c, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = c.PublicKey
		}
	default:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("the key file does not parse: %w", err)
	}
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the key file holds no RSA key")
	}
	return k, nil
}
