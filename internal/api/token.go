package api

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// audience is what a token must be made for.
const audience = "eKuiper"

// method is how a token must be signed. No other one is tried, whatever the token
// says: with HS256 the public key would be the secret, none needs no key.
const method = "RS256"

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

// check returns why a token is not valid.
func (t *tokens) check(token string) error {
	if token == "" {
		return errors.New("missing_token")
	}
	if strings.Count(token, ".") != 2 || len(token) > 16<<10 {
		return errors.New("invalid token: not three parts of a JSON web token")
	}
	var c jwt.RegisteredClaims
	var keyErr error
	parsed, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) {
		var key *rsa.PublicKey
		key, keyErr = t.key(c.Issuer)
		return key, keyErr
	}, jwt.WithValidMethods([]string{method}), jwt.WithAudience(audience), jwt.WithTimeFunc(t.now))
	switch {
	case err == nil:
		return nil
	case parsed.Header != nil && parsed.Header["alg"] != method:
		return fmt.Errorf("invalid token: signed with %q, want %s", fmt.Sprint(parsed.Header["alg"]), method)
	case keyErr != nil:
		return fmt.Errorf("invalid token: issuer %q: %w", c.Issuer, keyErr)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return errors.New("invalid token: the signature is not that of the issuer")
	case errors.Is(err, jwt.ErrTokenInvalidAudience), errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return fmt.Errorf("invalid token: made for %q, want %q", strings.Join(c.Audience, ", "), audience)
	case errors.Is(err, jwt.ErrTokenExpired):
		return errors.New("invalid token: expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return errors.New("invalid token: not valid yet")
	}
	return fmt.Errorf("invalid token: %w", err)
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
