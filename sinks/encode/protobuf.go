package encode

import "fmt"

// appendProtobuf appends an object, alone or in a list, as a message.
func (e *Encoder) appendProtobuf(dst []byte, x any) ([]byte, error) {
	rows, ok := objects(x)
	switch {
	case !ok:
		return dst, errNotObject("format protobuf", x)
	case len(rows) != 1:
		return dst, fmt.Errorf("format protobuf: want one object a message, got %d: use sendSingle", len(rows))
	}
	return e.message.Append(dst, rows[0])
}
