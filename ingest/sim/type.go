package sim

import "github.com/weir-engine/weir/ingest/source"

// NewType makes the source type sim, a fleet of devices.
func NewType() source.Type {
	return source.Type{Properties: Properties, Check: func(d source.Def) (source.Use, error) {
		o, err := ParseProps(d.Props)
		return source.Use{Open: func(to source.Target) (source.Source, error) { return NewSource(o, to) }}, err
	}}
}

// NewPlaybackType makes the source type simulator, a list of messages.
func NewPlaybackType() source.Type {
	return source.Type{Properties: PlaybackProperties, Check: func(d source.Def) (source.Use, error) {
		_, err := NewPlayback(d.Props, nil, source.Target{})
		return source.Use{Open: func(to source.Target) (source.Source, error) { return NewPlayback(d.Props, nil, to) }}, err
	}}
}
