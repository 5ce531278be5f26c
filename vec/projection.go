package vec

// OutField is one named field of a Projection.
type OutField struct {
	Name string
	Key  []byte // the name as JSON with its colon: "name":
	Col  *Column

	// Plain says that the field is a bare column of the stream: null is
	// written as null and missing is left out. Any other field is left out
	// when it is null, unless the projection's SendNil is set.
	Plain bool
}

// Projection is the result of a SELECT list over the rows of a batch, before it
// is text: what exec hands to encoders. It borrows everything that it refers to
// and is read-only for encoders.
//
// Without Star a row is the object of its Fields. With Star it is the object of
// the row, less the keys in Except, and the Fields over it: a field that has
// something to write (a value, or null where null is written) takes the place of
// the row's own key; one that has nothing to write leaves the row's own key, so
// that `SELECT *, f(x) AS a` sends the stream's a where f gives null. A key in
// Except is never taken from the row. Names of Fields need not be in Except; a
// name that is in both is written by the field alone or not at all.
type Projection struct {
	// Gen is another number whenever the content is another: what is kept of rows is
	// kept by it.
	Gen    uint64
	Fields []OutField // sorted by Name, which are distinct
	Star   *Column    // the row as a JSON object, for SELECT *; nil without
	// Clean holds the rows whose payload text is valid, compact JSON without
	// duplicate keys, so that Star, and raw JSON in Plain fields, may be passed
	// through as it is. Nil: none, all is checked and compacted.
	Clean   Bitmap
	Except  []string // sorted
	SendNil bool     // write null for every field that is null or missing
	MetaCol *Column  // written as "__meta" where it is valid; nil: none
}
