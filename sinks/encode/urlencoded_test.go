package encode

import "testing"

func TestURLEncoded(t *testing.T) {
	const row = `{"b":"x y&z","a":20,"f":1.5,"l":[1,"ü",null],"o":{"k":[1]},"n":null,"t":true,"none":[]}`
	for _, c := range []struct{ props, row, want string }{
		{`{"format":"urlencoded"}`, row, `a=20&b=x+y%26z&f=1.5&l=1&l=%C3%BC&l=&n=&o=%7B%22k%22%3A%5B1%5D%7D&t=true`},
		{`{"format":"URLENCODED","sendSingle":true,"fields":["b","zz"]}`, row, `b=x+y%26z&zz=`},
		{`{"format":"urlencoded","excludeFields":["b"]}`, `{"a":1,"b":2}`, `a=1`},
		{`{"format":"urlencoded","dataField":"o"}`, row, `k=1`},
		{`{"format":"urlencoded","dataTemplate":"{\"id\":{{(index . 0).a}}}"}`, row, `id=20`},
		{`{"format":"urlencoded"}`, `{}`, ``},
	} {
		e, err := New(propsOf(t, c.props))
		if err != nil {
			t.Fatal(err)
		}
		p := input{rows: []string{c.row}, star: true}.projection()
		out, sent, err := e.AppendMessage([]byte("x"), p, 0)
		if err != nil || !sent || string(out) != "x"+c.want {
			t.Errorf("%s: got %s, %v, %v, want x%s", c.props, out, sent, err, c.want)
		}
	}
}

func TestURLEncodedMisfits(t *testing.T) {
	for _, c := range []struct{ props, want string }{
		{`{"format":"urlencoded","dataField":"a"}`, `format urlencoded: want an object or an array of objects, got a number`},
		{`{"format":"urlencoded","dataTemplate":"[]"}`, `format urlencoded: want one object a message, got 0: use sendSingle`},
	} {
		e, err := New(propsOf(t, c.props))
		if err != nil {
			t.Fatal(err)
		}
		p := input{rows: []string{`{"a":1}`}, star: true}.projection()
		out, sent, err := e.AppendMessage([]byte("x"), p, 0)
		if err == nil || err.Error() != c.want || sent || string(out) != "x" {
			t.Errorf("%s: got %s, %v, %v, want %s", c.props, out, sent, err, c.want)
		}
	}
}

// TestURLEncodedBatch has the messages of a batch become one query string.
func TestURLEncodedBatch(t *testing.T) {
	e, err := New(propsOf(t, `{"format":"urlencoded","batchSize":2}`))
	if err != nil {
		t.Fatal(err)
	}
	var b Batcher
	if b.Add(e, []byte("a=1"), 0) || !b.Add(e, []byte("a=2"), 0) {
		t.Error("the batch is not full with its second message")
	}
	if out, sent, err := b.Flush(e, nil); err != nil || !sent || string(out) != "a=1&a=2" {
		t.Errorf("got %s, %v, %v, want a=1&a=2", out, sent, err)
	}
}
