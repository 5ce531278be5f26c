package api

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/planner/ruledef"
)

func (e *fakeEngine) Outboxes() ([]Outbox, error) {
	return []Outbox{
		{ID: "1", Destination: "mqtt tcp://a:1883 x", Type: "mqtt", State: OutboxUsed, Rules: []string{"r"}, RulesTotal: 1},
		{ID: "2", Destination: "rest http://b", Type: "rest", State: OutboxLeft, Since: "gone", Messages: 3, Bytes: 90, OldestMs: 5},
	}, nil
}

func (e *fakeEngine) DeliverOutbox(id string) error {
	switch id {
	case "1", "2":
		return nil
	case "old":
		return fmt.Errorf("no properties")
	}
	return ruledef.ErrNotFound
}

func (e *fakeEngine) DropOutbox(id string) (int64, error) {
	switch id {
	case "1":
		return 0, fmt.Errorf("%w by rules", ruledef.ErrInUse)
	case "2":
		return 3, nil
	}
	return 0, ruledef.ErrNotFound
}

func TestOutboxes(t *testing.T) {
	s := newServer(t, newFake(), Options{})
	const left = `{"id":"2","destination":"rest http://b","type":"rest","state":"left","rules":[],"rulesTotal":0,"firstRule":"gone","messages":3,"bytes":90,"oldest":5}`
	runContains(t, s, []step{
		{"GET", "/outboxes", "", 200, `"state":"used","rules":["r"],"rulesTotal":1,"messages":0,"bytes":0},` + left + "]"},
		{"GET", "/outboxes/2", "", 200, left},
		{"GET", "/outboxes/3", "", 404, "get outbox error: outbox 3 is not found"},
		{"POST", "/outboxes/2/deliver", "", 200, "Outbox 2 is being delivered."},
		{"POST", "/outboxes/3/deliver", "", 404, "deliver outbox error: outbox 3 is not found"},
		{"POST", "/outboxes/old/deliver", "", 400, "deliver outbox error: no properties"},
		{"GET", "/outboxes/2/deliver", "", 405, ""},
		{"DELETE", "/outboxes/2", "", 200, `{"dropped":3}`},
		{"DELETE", "/outboxes/1", "", 400, "delete outbox error: running rules send to outbox 1, stop them first"},
		{"DELETE", "/outboxes/3", "", 404, "delete outbox error: outbox 3 is not found"},
		{"PUT", "/outboxes", "", 405, ""},
	})
}
