package rest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"github.com/weir-engine/weir/sinks"
)

// tlsProps are eKuiper's properties of encrypted connections. Each certificate is
// a PEM file or base64 of its contents.
type tlsProps struct {
	CertPath, KeyPath, CAPath string
	CertRaw, KeyRaw, CARaw    string
	Insecure                  bool
	MinVersion                string
}

func tlsOptions(p *sinks.Props) tlsProps {
	return tlsProps{
		CertPath: p.Text("certificationPath", ""), CertRaw: p.Text("certificationRaw", ""),
		KeyPath: p.Text("privateKeyPath", ""), KeyRaw: p.Text("privateKeyRaw", ""),
		CAPath: p.Text("rootCaPath", ""), CARaw: p.Text("rootCARaw", ""),
		Insecure:   p.Flag("insecureSkipVerify", false),
		MinVersion: p.OneOf("tlsMinVersion", "", "tls1.0", "tls1.1", "tls1.2", "tls1.3"),
	}
}

// config returns nil for the defaults.
func (t tlsProps) config() (*tls.Config, error) {
	if t == (tlsProps{}) {
		return nil, nil
	}
	versions := map[string]uint16{"tls1.0": tls.VersionTLS10, "tls1.1": tls.VersionTLS11, "tls1.3": tls.VersionTLS13}
	c := &tls.Config{InsecureSkipVerify: t.Insecure, MinVersion: tls.VersionTLS12}
	if v, ok := versions[t.MinVersion]; ok {
		c.MinVersion = v
	}
	cert, err1 := pemOf("certification", t.CertRaw, t.CertPath)
	key, err2 := pemOf("privateKey", t.KeyRaw, t.KeyPath)
	ca, err3 := pemOf("rootCa", t.CARaw, t.CAPath)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if (cert == nil) != (key == nil) {
		return nil, errors.New("properties certificationPath and privateKeyPath: want both or none")
	}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("property certificationPath: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if ca != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("property rootCaPath: no certificate found")
		}
	}
	return c, nil
}

func pemOf(name, raw, path string) ([]byte, error) {
	switch {
	case raw != "":
		b, err := base64.StdEncoding.DecodeString(raw)
		if err != nil {
			return nil, fmt.Errorf("property %sRaw: %w", name, err)
		}
		return b, nil
	case path != "":
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("property %sPath: %w", name, err)
		}
		return b, nil
	}
	return nil, nil
}
