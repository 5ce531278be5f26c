package mqttconn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// check reads all that does not need files.
func (o *TLSOptions) check() (*tls.Config, error) {
	c := &tls.Config{InsecureSkipVerify: o.InsecureSkipVerify}
	var errs []error
	switch strings.ToLower(strings.TrimSpace(o.MinVersion)) {
	case "", "tls1.2", "1.2":
		c.MinVersion = tls.VersionTLS12
	case "tls1.0", "1.0":
		c.MinVersion = tls.VersionTLS10
	case "tls1.1", "1.1":
		c.MinVersion = tls.VersionTLS11
	case "tls1.3", "1.3":
		c.MinVersion = tls.VersionTLS13
	default:
		errs = append(errs, fmt.Errorf("tlsMinVersion %q: want tls1.0, tls1.1, tls1.2 or tls1.3", o.MinVersion))
	}
	switch strings.ToLower(o.Renegotiation) {
	case "", "never":
	case "once":
		c.Renegotiation = tls.RenegotiateOnceAsClient
	case "freely":
		c.Renegotiation = tls.RenegotiateFreelyAsClient
	default:
		errs = append(errs, fmt.Errorf("renegotiationSupport %q: want never, once or freely", o.Renegotiation))
	}
	for _, raw := range []struct{ name, text string }{
		{"certificationRaw", o.CertRaw}, {"privateKeyRaw", o.KeyRaw}, {"rootCARaw", o.CARaw},
	} {
		if _, err := base64.StdEncoding.DecodeString(raw.text); err != nil {
			errs = append(errs, fmt.Errorf("%s: want base64", raw.name))
		}
	}
	if (o.CertRaw == "" && o.CertPath == "") != (o.KeyRaw == "" && o.KeyPath == "") {
		errs = append(errs, errors.New("TLS: want both certificate and private key, or none"))
	}
	return c, errors.Join(errs...)
}

// config is the TLS configuration with certificates.
func (o *TLSOptions) config() (*tls.Config, error) {
	c, err := o.check()
	if err != nil {
		return nil, err
	}
	if ca, err := pemOf("rootCaPath", o.CARaw, o.CAPath); err != nil {
		return nil, err
	} else if ca != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("rootCaPath %q: no certificate in it", o.CAPath)
		}
	}
	cert, err := pemOf("certificationPath", o.CertRaw, o.CertPath)
	if err != nil || cert == nil {
		return c, err
	}
	key, err := pemOf("privateKeyPath", o.KeyRaw, o.KeyPath)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate and private key: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

func pemOf(name, raw, path string) ([]byte, error) {
	if raw != "" {
		return base64.StdEncoding.DecodeString(raw)
	}
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// dial opens the network connection to a broker.
func dial(ctx context.Context, u *url.URL, c *tls.Config, timeout time.Duration) (net.Conn, error) {
	d := &net.Dialer{Timeout: timeout}
	switch u.Scheme {
	case "tcp", "mqtt":
		return d.DialContext(ctx, "tcp", u.Host)
	case "ws", "wss":
		// The dialler of the library takes no context; its timeout bounds it.
		bare := *u
		bare.User = nil
		return paho.NewWebsocket(bare.String(), c, timeout, http.Header{}, nil)
	case "unix":
		path := u.Path
		if u.Host != "" {
			path = u.Host + u.Path
		}
		return d.DialContext(ctx, "unix", path)
	}
	td := &tls.Dialer{NetDialer: d, Config: c}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return td.DialContext(ctx, "tcp", u.Host)
}
