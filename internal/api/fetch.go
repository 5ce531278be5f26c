package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// fetchTimeout bounds how long a file over HTTP may take.
const fetchTimeout = 30 * time.Second

// fetch reads what "file" in an import names: file:// below the data directory,
// or http(s)://. It never reads more than a bulk body may have.
func (s *Server) fetch(ctx context.Context, name string) ([]byte, error) {
	u, err := url.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", name, err)
	}
	switch u.Scheme {
	case "file":
		return s.fetchFile(u.Path)
	case "http", "https":
		return s.fetchHTTP(ctx, name)
	default:
		return nil, fmt.Errorf("file %q: want file://, http:// or https://", name)
	}
}

func (s *Server) fetchFile(path string) ([]byte, error) {
	var f *os.File
	var err error
	if s.opts.AllowExternalFiles {
		f, err = os.Open(path)
	} else {
		f, err = s.openInside(path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("file %q: not a regular file", path)
	}
	return readLimited(f, path, s.opts.MaxBulkBytes)
}

// openInside opens a file below the data directory, and nothing that a symbolic
// link or ".." makes of it.
func (s *Server) openInside(path string) (*os.File, error) {
	refused := fmt.Errorf("file %q: only files below the data directory may be read", path)
	dir, err := filepath.Abs(s.opts.DataDir)
	if err != nil || s.opts.DataDir == "" {
		return nil, refused
	}
	rel, err := filepath.Rel(dir, filepath.FromSlash(path))
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return nil, refused
	}
	return os.OpenInRoot(dir, rel)
}

func (s *Server) fetchHTTP(ctx context.Context, name string) ([]byte, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	if !s.opts.AllowPrivateNet {
		dialer.Control = refusePrivate
	}
	client := http.Client{
		Timeout:   fetchTimeout,
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, name, nil)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", name, err)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", name, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("file %q: the server answered %s", name, res.Status)
	}
	return readLimited(res.Body, name, s.opts.MaxBulkBytes)
}

// refusePrivate stops a connection to this machine or its private networks. It
// sees the address after the name was resolved, and after each redirect.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := ap.Addr().Unmap()
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() {
		return errors.New("addresses in private networks are not allowed (basic.enablePrivateNet)")
	}
	return nil
}

func readLimited(r io.Reader, name string, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("file %q: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("file %q: larger than %d bytes", name, limit)
	}
	return b, nil
}
