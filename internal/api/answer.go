package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/weir-engine/weir/planner/ruledef"
)

// fault is an error as the API shows it.
type fault struct {
	status  int
	code    ruledef.Code
	message string
}

// faultOf turns an error of the engine into an answer: prefix, a colon, the text.
func faultOf(err error, prefix string) fault {
	f := fault{status: http.StatusBadRequest, code: ruledef.CodeUndefined, message: err.Error()}
	var e *ruledef.Error
	if errors.As(err, &e) {
		f.code = e.Code
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		f.status = http.StatusRequestEntityTooLarge
		f.message = fmt.Sprintf("the body is larger than %d bytes", large.Limit)
	}
	if prefix != "" {
		f.message = prefix + ": " + f.message
	}
	return f
}

// write sends the fault. The body is JSON with the type of plain text, as clients
// know it.
func (f fault) write(w http.ResponseWriter) {
	b := strconv.AppendInt([]byte(`{"error":`), int64(f.code), 10)
	b = append(b, `,"message":`...)
	b = append(appendJSON(b, f.message), "}\n"...)
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(f.status)
	w.Write(b)
}

// notFound is the answer about something that does not exist.
func notFound(format string, args ...any) fault {
	return fault{http.StatusNotFound, ruledef.CodeNotFound, fmt.Sprintf(format, args...)}
}

// badRequest is the answer to what is wrong with no finer class.
func badRequest(format string, args ...any) fault {
	return fault{http.StatusBadRequest, ruledef.CodeUndefined, fmt.Sprintf(format, args...)}
}

// writeText sends plain text.
func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// writeJSON sends v as JSON.
func writeJSON(w http.ResponseWriter, status int, v any) {
	writeRaw(w, status, append(appendJSON(nil, v), '\n'))
}

// writeRaw sends a text that is JSON already.
func writeRaw(w http.ResponseWriter, status int, text []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text)
}

// appendJSON appends v as JSON without escaping <, > and &: answers are read by
// people, and SQL is full of them.
func appendJSON(dst []byte, v any) []byte {
	buf := bytes.NewBuffer(dst)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Every type that is answered marshals, but settings can hold what a
		// configuration file had and JSON has not, such as NaN.
		buf.Truncate(len(dst))
		enc.Encode("json: " + err.Error())
	}
	b := buf.Bytes()
	return b[:len(b)-1] // the newline of Encode
}

// readBody returns the whole body, or an error if it is larger than limit.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body := http.MaxBytesReader(w, r.Body, limit)
	// A length is a promise: memory for a large body is made as it arrives.
	if n := r.ContentLength; n >= 0 && n <= min(limit, 64<<10) {
		b := make([]byte, n)
		if _, err := io.ReadFull(body, b); err != nil {
			return nil, fmt.Errorf("read body: %w", err)
		}
		return b, nil
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return b, nil
}

// readJSON reads the body into v and answers with an error if that is not
// possible. It returns whether v can be used.
func (s *Server) readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) bool {
	body, err := readBody(w, r, limit)
	if err == nil {
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		faultOf(err, "Invalid body").write(w)
		return false
	}
	return true
}
