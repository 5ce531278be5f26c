package mqttconn

import (
	"errors"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxTopics bounds the topics that are remembered; beyond it all are forgotten
// and found again as they come.
const maxTopics = 65536

// SubID names a subscription: a number of the caller's choice.
type SubID = uint32

// Topic is a topic that messages came on, with the subscriptions that it
// belongs to. It is immutable but for Tag: when subscriptions change, the next
// message on the topic brings a new Topic.
type Topic struct {
	// Name is the topic as sent.
	Name string
	// Subs lists the subscriptions with a filter that matches, ascending, each
	// once, however many of its filters match.
	Subs []SubID
	// Tag is the handler's: nil in a new Topic, written and read in Messages only.
	Tag any
}

// filter is a topic filter that subscriptions have, or that the connection
// subscribes to, or both.
type filter struct {
	name  string // as the user wrote it
	match string // without $share/group/
	subs  []SubID

	want    bool // belongs to the cover: the broker shall send it
	wantQoS byte
	queued  bool // waits in table.dirty

	sent    bool // a SUBSCRIBE is under way
	acked   bool // the broker sends it
	sentQoS byte
	replay  bool // subscribe again: a newcomer wants the retained messages
	refused bool // the broker said no, and it is somebody's own
}

func (f *filter) shared() bool { return len(f.name) != len(f.match) }

// treed tells whether f is found by the tree, not by its text.
func (f *filter) treed() bool { return f.shared() || wild(f.match) }

// sub is one subscription.
type sub struct {
	filters []*filter
	qos     byte
	asked   bool // a SUBSCRIBE for it was sent on this connection
	stale   bool // retained messages that are replayed now are not for it
	seen    bool // a message came

	oversized uint64 // messages that were skipped
}

// table knows which topics belong to which subscriptions, and which filters the
// broker has to be asked for. It is guarded by Conn.mu.
type table struct {
	subs   map[SubID]*sub
	exact  map[string]*filter // filters without wildcards, by name
	wild   map[string]*filter // those with wildcards, and the shared ones
	tree   node               // of wild
	topics map[string]*Topic
	last   *Topic
	denied map[string]bool // filters that the broker refused
	dirty  []*filter       // what the broker has to be told
}

func newTable() *table {
	return &table{
		subs:   make(map[SubID]*sub),
		exact:  make(map[string]*filter),
		wild:   make(map[string]*filter),
		topics: make(map[string]*Topic),
	}
}

var errBadTopic = errors.New("malformed packet: PUBLISH with a topic that is empty, holds a wildcard or is not UTF-8")

// topic returns the Topic of name, which is borrowed.
func (t *table) topic(name []byte) (*Topic, error) {
	if t.last != nil && string(name) == t.last.Name {
		return t.last, nil
	}
	tp := t.topics[string(name)]
	if tp == nil {
		s := string(name)
		if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "+#\x00") {
			return nil, errBadTopic
		}
		if len(t.topics) >= maxTopics {
			clear(t.topics)
		}
		tp = &Topic{Name: s, Subs: t.match(s)}
		for _, id := range tp.Subs {
			t.subs[id].seen = true
		}
		t.topics[s] = tp
	}
	t.last = tp
	return tp, nil
}

// match returns the subscriptions that topic belongs to.
func (t *table) match(topic string) []SubID {
	var ids []SubID
	if f := t.exact[topic]; f != nil {
		ids = append(ids, f.subs...)
	}
	t.tree.coverers(topic, func(f *filter) { ids = append(ids, f.subs...) })
	slices.Sort(ids)
	return slices.Clip(slices.Compact(ids))
}

// replayed returns tp reduced to the subscriptions that a retained message which
// is being replayed is meant for.
func (t *table) replayed(tp *Topic) *Topic {
	var ids []SubID
	for _, id := range tp.Subs {
		if !t.subs[id].stale {
			ids = append(ids, id)
		}
	}
	if len(ids) == len(tp.Subs) {
		return tp
	}
	return &Topic{Name: tp.Name, Subs: ids}
}

// add enters a subscription; its filters are valid.
func (t *table) add(id SubID, filters []string, qos byte) {
	t.remove(id)
	s := &sub{qos: qos}
	t.subs[id] = s
	for _, name := range filters {
		f := t.filter(name)
		if slices.Contains(f.subs, id) {
			continue
		}
		f.subs = append(f.subs, id)
		s.filters = append(s.filters, f)
		t.forget(f)
		t.cover(f, qos, true)
	}
}

// remove takes a subscription out and tells whether it was there.
func (t *table) remove(id SubID) bool {
	s := t.subs[id]
	if s == nil {
		return false
	}
	delete(t.subs, id)
	for _, f := range s.filters {
		f.subs = without(f.subs, id)
		t.forget(f)
	}
	for _, f := range s.filters {
		if len(f.subs) == 0 {
			t.uncover(f)
			t.drop(f)
		}
	}
	return true
}

// forget makes the topics that f matches be looked up again.
func (t *table) forget(f *filter) {
	t.last = nil
	if wild(f.match) {
		clear(t.topics)
	} else {
		delete(t.topics, f.match)
	}
}

// filter returns the filter called name, new if need be.
func (t *table) filter(name string) *filter {
	if f := t.find(name); f != nil {
		return f
	}
	match, err := unshare(name)
	if err != nil {
		panic("bug: filter was not checked: " + err.Error())
	}
	f := &filter{name: name, match: match}
	if f.treed() {
		t.wild[name] = f
		t.tree.insert(f)
	} else {
		t.exact[name] = f
	}
	return f
}

// find returns the filter called name, nil if there is none.
func (t *table) find(name string) *filter {
	if f := t.exact[name]; f != nil {
		return f
	}
	return t.wild[name]
}

// all returns every filter.
func (t *table) all() iter.Seq[*filter] {
	return func(yield func(*filter) bool) {
		for _, m := range []map[string]*filter{t.exact, t.wild} {
			for _, f := range m {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// overlapping returns the filters, each once, that overlap f, f among them.
func (t *table) overlapping(f *filter) []*filter {
	var list []*filter
	t.tree.overlapping(f.match, func(o *filter) { list = append(list, o) })
	if len(list) > 1 {
		seen := make(map[*filter]bool, len(list))
		list = slices.DeleteFunc(list, func(o *filter) bool {
			twice := seen[o]
			seen[o] = true
			return twice
		})
	}
	if !wild(f.match) {
		if o := t.exact[f.match]; o != nil {
			list = append(list, o)
		}
		return list
	}
	for _, o := range t.exact {
		if covers(f.match, o.match) {
			list = append(list, o)
		}
	}
	return list
}

// drop lets go of f if nobody needs it any more.
func (t *table) drop(f *filter) {
	if len(f.subs) > 0 || f.want || f.queued || f.sent || f.acked {
		return
	}
	if f.treed() {
		delete(t.wild, f.name)
		t.tree.remove(f)
	} else {
		delete(t.exact, f.name)
	}
}
