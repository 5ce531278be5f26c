package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

func (s *Server) info(w http.ResponseWriter, _ *http.Request) {
	now := s.opts.Now()
	writeJSON(w, http.StatusOK, struct {
		Version       string `json:"version"`
		OS            string `json:"os"`
		Arch          string `json:"arch"`
		UpTimeSeconds int64  `json:"upTimeSeconds"`
		CPUUsage      string `json:"cpuUsage"`
		MemoryUsed    string `json:"memoryUsed"`
		MemoryTotal   string `json:"memoryTotal"`
	}{
		s.opts.Version, runtime.GOOS, runtime.GOARCH, int64(now.Sub(s.started) / time.Second),
		fmt.Sprintf("%.2f%%", s.cpu.percent(now, s.started)),
		strconv.FormatUint(memoryUsed(), 10), strconv.FormatUint(memoryTotal(), 10),
	})
}

// cpuMeter gives the share of a core that the process used since it was last
// asked.
type cpuMeter struct {
	mu   sync.Mutex
	at   time.Time
	used time.Duration
}

func (m *cpuMeter) percent(now, started time.Time) float64 {
	used := processCPU()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at.IsZero() {
		m.at = started
	}
	wall, delta := now.Sub(m.at), used-m.used
	m.at, m.used = now, used
	if wall <= 0 {
		return 0
	}
	return 100 * float64(delta) / float64(wall)
}

// memoryUsed is the resident memory of the process in bytes, or what the runtime
// has from the system where that is not known.
func memoryUsed() uint64 {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(text)); len(f) > 1 {
			if pages, err := strconv.ParseUint(f[1], 10, 64); err == nil {
				return pages * uint64(os.Getpagesize())
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

// memoryTotal is the memory of the machine in bytes, 0 if it is not known.
func memoryTotal() uint64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
			kb, _ := strconv.ParseUint(f[1], 10, 64) // 0 if the kernel writes something else
			return kb * 1024
		}
	}
	return 0
}

func (s *Server) ping(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	err := s.engine.Healthy()
	var degraded *DegradedError
	if errors.As(err, &degraded) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "degraded", "reason": degraded.Reason})
		return
	}
	if err != nil {
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"status": "unhealthy", "reason": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (s *Server) stop(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusOK, "stop success")
	s.engine.Stop()
}

func (s *Server) configure(w http.ResponseWriter, r *http.Request) {
	settings := map[string]any{}
	if !s.readJSON(w, r, s.opts.MaxBodyBytes, &settings) {
		return
	}
	if err := s.engine.Configure(settings); err != nil {
		faultOf(err, "update configs error").write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// functions lists what SQL can call.
func (s *Server) functions(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.engine.Functions())
}

// FunctionInfo is one function in the answer of GET /functions.
type FunctionInfo struct {
	Name      string `json:"name"`
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Signature string `json:"signature"`
	Doc       string `json:"doc"`
	Example   string `json:"example"`
}

// maxBatchRequests bounds the calls of one batch.
const maxBatchRequests = 16384

// batchRequest is one call of a batch.
type batchRequest struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   string `json:"body"`
}

// batchResponse is what it answered.
type batchResponse struct {
	Code     int    `json:"code"`
	Response string `json:"response"`
	Error    string `json:"error,omitempty"`
}

// batch runs calls one after the other, as if each had been sent alone. The
// caller was authenticated with the batch.
func (s *Server) batch(w http.ResponseWriter, r *http.Request) {
	var requests []batchRequest
	if !s.readJSON(w, r, s.opts.MaxBulkBytes, &requests) {
		return
	}
	if len(requests) > maxBatchRequests {
		badRequest("batch: at most %d requests, not %d", maxBatchRequests, len(requests)).write(w)
		return
	}
	responses := make([]batchResponse, 0, len(requests))
	for _, q := range requests {
		responses = append(responses, s.batchOne(r, q))
	}
	writeJSON(w, http.StatusOK, responses)
}

func (s *Server) batchOne(r *http.Request, q batchRequest) batchResponse {
	one, err := http.NewRequestWithContext(r.Context(), strings.ToUpper(q.Method), q.Path, strings.NewReader(q.Body))
	switch {
	case err != nil:
		return batchResponse{Code: http.StatusBadRequest, Error: err.Error()}
	case !strings.HasPrefix(one.URL.Path, "/"):
		return batchResponse{Code: http.StatusBadRequest, Error: fmt.Sprintf("batch: the path must begin with a slash, not be %q", q.Path)}
	case strings.HasPrefix(one.URL.Path, "/batch/"), strings.HasPrefix(one.URL.Path, "/debug/"):
		return batchResponse{Code: http.StatusBadRequest, Error: fmt.Sprintf("batch: %s cannot be part of a batch", q.Path)}
	}
	one.RemoteAddr = r.RemoteAddr
	rec := recorder{header: http.Header{}}
	s.mux.ServeHTTP(&rec, one)
	a := batchResponse{Code: max(rec.status, http.StatusOK), Response: rec.body.String()}
	if a.Code >= http.StatusBadRequest {
		var e struct{ Message string }
		if json.Unmarshal(rec.body.Bytes(), &e) == nil && e.Message != "" {
			a.Error = e.Message
		} else {
			a.Error = strings.TrimSpace(a.Response)
		}
	}
	return a
}

// recorder keeps an answer instead of sending it.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}
