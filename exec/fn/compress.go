package fn

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/weir-engine/weir/vec"
)

// maxDecompressed bounds what one value may become: a message of a few bytes must
// not fill a gateway's memory.
const maxDecompressed = 64 << 20

func bytesOf(v vec.Value) ([]byte, error) {
	if v.Kind != vec.String && v.Kind != vec.Bytes {
		return nil, Wrong("a text or bytes", v)
	}
	return []byte(v.S), nil
}

func compressRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	in, err := bytesOf(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	var out bytes.Buffer
	var w io.WriteCloser
	switch codec := Text(args[1]); codec {
	case "zlib":
		w = zlib.NewWriter(&out)
	case "gzip":
		w = gzip.NewWriter(&out)
	case "flate":
		w, err = flate.NewWriter(&out, flate.DefaultCompression)
	case "zstd":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	default:
		err = fmt.Errorf("unknown codec %q", codec)
	}
	if err != nil {
		return vec.Value{}, err
	}
	if _, err := w.Write(in); err != nil {
		return vec.Value{}, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return vec.Value{}, fmt.Errorf("compress: %w", err)
	}
	return vec.BytesValue(out.Bytes()), nil
}

func decompressRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	in, err := bytesOf(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	var r io.Reader
	switch codec := Text(args[1]); codec {
	case "zlib":
		r, err = zlib.NewReader(bytes.NewReader(in))
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(in))
	case "flate":
		r = flate.NewReader(bytes.NewReader(in))
	case "zstd":
		var d *zstd.Decoder
		d, err = zstd.NewReader(bytes.NewReader(in), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxDecompressed))
		if err == nil {
			defer d.Close()
			r = d
		}
	default:
		return vec.Value{}, fmt.Errorf("unknown codec %q", codec)
	}
	if err != nil {
		return vec.Value{}, fmt.Errorf("decompress: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, maxDecompressed+1))
	if err != nil {
		return vec.Value{}, fmt.Errorf("decompress: %w", err)
	}
	if len(out) > maxDecompressed {
		return vec.Value{}, fmt.Errorf("decompress: more than %d bytes", maxDecompressed)
	}
	return vec.BytesValue(out), nil
}
