package encode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// zstdEncoder makes the one zstd encoder, which EncodeAll lets everybody share. It
// is set for messages, not archives: one worker and the smallest window.
var zstdEncoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(64<<10),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderLevel(zstd.SpeedFastest))
})

// compress replaces dst[n:] by its compressed form. The deflate family works
// without state between messages: a writer with state holds 0.6 MB, and there may
// be one for every action.
func (e *Encoder) compress(dst []byte, n int) ([]byte, error) {
	var buf bytes.Buffer
	var err error
	switch e.compression {
	case "zstd":
		z, err := zstdEncoder()
		if err != nil {
			return dst[:n], fmt.Errorf("compression zstd: %w", err)
		}
		return append(dst[:n], z.EncodeAll(dst[n:], nil)...), nil
	case "gzip":
		var w *gzip.Writer
		if w, err = gzip.NewWriterLevel(&buf, gzip.StatelessCompression); err == nil {
			if _, err = w.Write(dst[n:]); err == nil {
				err = w.Close()
			}
		}
	case "zlib":
		buf.Write([]byte{0x78, 0x01}) // deflate, 32 kB window, fastest
		err = flate.StatelessDeflate(&buf, dst[n:], true, nil)
		buf.Write(binary.BigEndian.AppendUint32(nil, adler32.Checksum(dst[n:])))
	default:
		err = flate.StatelessDeflate(&buf, dst[n:], true, nil)
	}
	if err != nil {
		return dst[:n], fmt.Errorf("compression %s: %w", e.compression, err)
	}
	return append(dst[:n], buf.Bytes()...), nil
}
