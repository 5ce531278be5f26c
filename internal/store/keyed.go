package store

// Keyed is the key space of keyed state: values that rules read by a key.
//
//	'k' key -> value
type Keyed struct{ s *Store }

// Keyed returns the store's keyed state.
func (s *Store) Keyed() Keyed { return Keyed{s} }

func keyedKey(key string) []byte { return append([]byte{spaceKeyed}, key...) }

// Put stores value under key; it is durable when Put returns.
func (k Keyed) Put(key string, value []byte) error {
	t := k.s.Begin()
	t.set(keyedKey(key), value)
	return t.Commit(Synced)
}

// Delete removes what is stored under key, if anything is. It survives a crash of
// the process when it returns, and a power cut 10 ms later.
func (k Keyed) Delete(key string) error {
	t := k.s.Begin()
	if err := t.batch().Delete(keyedKey(key), nil); err != nil {
		t.Discard()
		return err
	}
	if err := t.Commit(Written); err != nil {
		return err
	}
	k.s.syncSoon()
	return nil
}

// Each calls f for every key in order, until f returns an error, which it returns.
// value is valid until f returns.
func (k Keyed) Each(f func(key string, value []byte) error) error {
	lo := []byte{spaceKeyed}
	return k.s.each(lo, upper(lo), func(key, value []byte) error { return f(string(key[1:]), value) })
}
