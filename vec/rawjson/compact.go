package rawjson

import "unicode/utf8"

// AppendCompact appends raw to dst as clean JSON (see Valid): without white space,
// of duplicate keys only the last, and with U+FFFD for what is no UTF-8. Numbers
// and strings keep their text, keys their order. If raw is not valid, dst is
// returned as it was, with the fault.
func AppendCompact(dst, raw []byte) ([]byte, error) {
	clean, err := Valid(raw)
	switch {
	case err != nil:
		return dst, err
	case clean:
		return append(dst, raw...), nil
	}
	return appendCompact(dst, trim(raw)), nil
}

// appendCompact appends a value that is known to be valid.
func appendCompact(dst, raw []byte) []byte {
	switch raw[0] {
	case '[':
		dst = append(dst, '[')
		start := len(dst)
		Each(raw, func(elem []byte) bool {
			if len(dst) > start {
				dst = append(dst, ',')
			}
			dst = appendCompact(dst, elem)
			return true
		})
		return append(dst, ']')
	case '{':
		return appendCompactObject(dst, raw)
	case '"':
		return appendUTF8(dst, raw)
	}
	return append(dst, raw...)
}

func appendCompactObject(dst, raw []byte) []byte {
	// The last member of each key, at the place of the first.
	var keys []string
	var values [][]byte
	at := make(map[string]int)
	m := members{raw: raw}
	for m.next() {
		key := m.key()
		i, ok := at[key]
		if !ok {
			i = len(keys)
			at[key] = i
			keys = append(keys, view(m.rawKey()))
			values = append(values, nil)
		}
		values[i] = m.value()
	}
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '"')
		dst = appendUTF8(dst, bytesOf(key))
		dst = append(dst, '"', ':')
		dst = appendCompact(dst, values[i])
	}
	return append(dst, '}')
}

// appendUTF8 appends text with U+FFFD for what is no UTF-8.
func appendUTF8(dst, raw []byte) []byte {
	if utf8.Valid(raw) {
		return append(dst, raw...)
	}
	for len(raw) > 0 {
		r, n := utf8.DecodeRune(raw)
		dst = utf8.AppendRune(dst, r)
		raw = raw[n:]
	}
	return dst
}
