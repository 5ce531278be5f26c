package planner

import (
	"slices"
	"sort"
)

func (l *EntryList) thawed() *EntryList {
	if !l.frozen {
		return l
	}
	return &EntryList{Send: slices.Clone(l.Send), Count: slices.Clone(l.Count)}
}

func (l *EntryList) add(e Entry, count bool) {
	if count {
		l.Count = append(l.Count, e)
	} else {
		l.Send = append(l.Send, e)
	}
}

func (l *EntryList) remove(rule RuleID, count bool) {
	if count {
		l.Count = without(l.Count, rule)
	} else {
		l.Send = without(l.Send, rule)
	}
}

func without(es []Entry, rule RuleID) []Entry {
	return slices.DeleteFunc(es, func(e Entry) bool { return e.Rule == rule })
}

func (x *RankIndex) clone() *RankIndex {
	c := *x
	c.Keys, c.Start, c.Entries = slices.Clone(x.Keys), slices.Clone(x.Start), slices.Clone(x.Entries)
	c.frozen = false
	return &c
}

func (x *EqualIndex) clone() *EqualIndex {
	c := *x
	c.Texts, c.TextStart, c.TextEntries = slices.Clone(x.Texts), slices.Clone(x.TextStart), slices.Clone(x.TextEntries)
	c.Nums, c.NumStart, c.NumEntries = slices.Clone(x.Nums), slices.Clone(x.NumStart), slices.Clone(x.NumEntries)
	c.Wide = slices.Clone(x.Wide)
	c.frozen = false
	return &c
}

func (x *RankIndex) find(key float64) (int, bool) {
	i := sort.Search(len(x.Keys), func(i int) bool { return !x.less(x.Keys[i], key) })
	return i, i < len(x.Keys) && x.Keys[i] == key
}

func (x *RankIndex) add(e Entry, key float64) {
	i, ok := x.find(key)
	x.Keys, x.Start, x.Entries = insert(x.Keys, x.Start, x.Entries, i, ok, key, e)
}

func (x *RankIndex) remove(rule RuleID, key float64) {
	if i, ok := x.find(key); ok {
		x.Keys, x.Start, x.Entries = remove(x.Keys, x.Start, x.Entries, i, rule)
	}
}

// findNum returns the place of a number.
func (x *EqualIndex) findNum(n number) (int, bool) {
	return sort.Find(len(x.Nums), func(i int) int {
		k := number{f: x.Nums[i]}
		if x.Wide != nil {
			k.i = x.Wide[i]
		}
		return n.compare(k)
	})
}

func (x *EqualIndex) add(e Entry, nums []number, texts []string) {
	for _, k := range nums {
		i, ok := x.findNum(k)
		if k.i != 0 && x.Wide == nil {
			x.Wide = make([]int64, len(x.Nums))
		}
		if !ok && x.Wide != nil {
			x.Wide = slices.Insert(x.Wide, i, k.i)
		}
		x.Nums, x.NumStart, x.NumEntries = insert(x.Nums, x.NumStart, x.NumEntries, i, ok, k.f, e)
	}
	for _, k := range texts {
		i, ok := slices.BinarySearch(x.Texts, k)
		x.Texts, x.TextStart, x.TextEntries = insert(x.Texts, x.TextStart, x.TextEntries, i, ok, k, e)
	}
}

func (x *EqualIndex) remove(rule RuleID, nums []number, texts []string) {
	for _, k := range nums {
		i, ok := x.findNum(k)
		if !ok {
			continue
		}
		x.Nums, x.NumStart, x.NumEntries = remove(x.Nums, x.NumStart, x.NumEntries, i, rule)
		if len(x.Nums) < len(x.Wide) {
			x.Wide = slices.Delete(x.Wide, i, i+1)
		}
	}
	for _, k := range texts {
		if i, ok := slices.BinarySearch(x.Texts, k); ok {
			x.Texts, x.TextStart, x.TextEntries = remove(x.Texts, x.TextStart, x.TextEntries, i, rule)
		}
	}
}

// insert adds an entry under key, whose place is i; there tells that it stands there. A
// rule is entered once a key, however often its IN list names it.
func insert[K any](keys []K, start []int32, entries []Entry, i int, there bool, key K, e Entry) ([]K, []int32, []Entry) {
	if !there {
		keys = slices.Insert(keys, i, key)
		start = slices.Insert(start, i, start[i])
	} else if at := entries[start[i]:start[i+1]]; slices.ContainsFunc(at, func(o Entry) bool { return o.Rule == e.Rule }) {
		return keys, start, entries
	}
	entries = slices.Insert(entries, int(start[i+1]), e)
	for j := i + 1; j < len(start); j++ {
		start[j]++
	}
	return keys, start, entries
}

// remove takes a rule from key i, and the key if that was its last.
func remove[K any](keys []K, start []int32, entries []Entry, i int, rule RuleID) ([]K, []int32, []Entry) {
	for j := start[i]; j < start[i+1]; j++ {
		if entries[j].Rule != rule {
			continue
		}
		entries = slices.Delete(entries, int(j), int(j)+1)
		for k := i + 1; k < len(start); k++ {
			start[k]--
		}
		if start[i] == start[i+1] {
			keys = slices.Delete(keys, i, i+1)
			start = slices.Delete(start, i, i+1)
		}
		break
	}
	return keys, start, entries
}
