package fn

import (
	"crypto/md5"  //nolint:gosec // a function that users call by this name
	"crypto/sha1" //nolint:gosec // a function that users call by this name
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash/crc32"
	"strconv"

	"github.com/weir-engine/weir/vec"
)

// hashed makes a hash function of the text of any value.
func hashed(name, doc, example string, f func([]byte) string) *Func {
	return scalar("hashing", name+"(x)", doc, example, func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		var buf [64]byte
		return text(f(AppendText(buf[:0], args[0])))
	}).checked(literals(wantText))
}

func hashFuncs() []*Func {
	return []*Func{
		hashed("crc32", "The CRC-32 (IEEE) in hexadecimal, without leading zeros.", `crc32("Hello")`,
			func(b []byte) string { return strconv.FormatUint(uint64(crc32.ChecksumIEEE(b)), 16) }),
		hashed("md5", "The MD5 hash in hexadecimal.", `md5("Hello")`, func(b []byte) string { h := md5.Sum(b); return hex.EncodeToString(h[:]) }),      //nolint:gosec // asked for by name
		hashed("sha1", "The SHA-1 hash in hexadecimal.", `sha1("Hello")`, func(b []byte) string { h := sha1.Sum(b); return hex.EncodeToString(h[:]) }), //nolint:gosec // asked for by name
		hashed("sha256", "The SHA-256 hash in hexadecimal.", `sha256("Hello")`, func(b []byte) string { h := sha256.Sum256(b); return hex.EncodeToString(h[:]) }),
		hashed("sha384", "The SHA-384 hash in hexadecimal.", `sha384("Hello")`, func(b []byte) string { h := sha512.Sum384(b); return hex.EncodeToString(h[:]) }),
		hashed("sha512", "The SHA-512 hash in hexadecimal.", `sha512("Hello")`, func(b []byte) string { h := sha512.Sum512(b); return hex.EncodeToString(h[:]) }),
	}
}
