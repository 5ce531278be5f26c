package rest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"github.com/weir-engine/weir/internal/props"
)

// tlsProps are eKuiper's properties of encrypted connections. Each certificate is
// a PEM file or base64 of its contents.
type tlsProps struct {
	CertPath, KeyPath, CAPath string
	CertRaw, KeyRaw, CARaw    string
	Insecure                  bool
	MinVersion                string
}

func (t *tlsProps) table() props.Table {
	return props.Table{
		props.Text(&t.CertPath, "certificationPath", "PEM file with the client's certificate"),
		props.Text(&t.CertRaw, "certificationRaw", "the client's certificate: PEM, in base64"),
		props.Text(&t.KeyPath, "privateKeyPath", "PEM file with the key of the client's certificate"),
		props.Text(&t.KeyRaw, "privateKeyRaw", "the key of the client's certificate: PEM, in base64").Hidden(),
		props.Text(&t.CAPath, "rootCaPath", "PEM file with the authorities that the server's certificate may be from"),
		props.Text(&t.CARaw, "rootCARaw", "the authorities: PEM, in base64"),
		props.Flag(&t.Insecure, "insecureSkipVerify", "takes any certificate of the server"),
		props.OneOf(&t.MinVersion, "tlsMinVersion", "the oldest version of TLS", "tls1.0", "tls1.1", "tls1.2", "tls1.3").Otherwise("tls1.2"),
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
		return nil, errors.New("properties \"certificationPath\" and \"privateKeyPath\": want both or none")
	}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf(`property "certificationPath": %w`, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if ca != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New(`property "rootCaPath": no certificate found`)
		}
	}
	return c, nil
}

func pemOf(name, raw, path string) ([]byte, error) {
	switch {
	case raw != "":
		b, err := base64.StdEncoding.DecodeString(raw)
		if err != nil {
			return nil, fmt.Errorf("property %q: %w", name+"Raw", err)
		}
		return b, nil
	case path != "":
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("property %q: %w", name+"Path", err)
		}
		return b, nil
	}
	return nil, nil
}
