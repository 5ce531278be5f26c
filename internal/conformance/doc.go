// Package conformance holds the engine against recorded answers of eKuiper: small
// black-box cases of streams, rules, input and the payloads that must come out,
// in testdata/cases. All of it is a test; the package exports nothing.
//
// The test starts an engine with its REST interface in process, and an MQTT
// broker of its own, which knows at once who subscribed to what. From there on it
// knows the engine by REST and MQTT only, as any client does.
//
// testdata/passing.txt lists the cases that must pass. One that fails, fails the
// test; one that passes and is not listed is told. "make rewrite" renews the
// list. Cases that are marked skip show where the recorded answer is known to be
// wrong, and are not run.
//
// A file holds a list of cases, a case these fields:
//
//	name        category/short-name
//	doc         a remark
//	feature     the function or feature that it is about
//	streams     CREATE STREAM and CREATE TABLE statements; without the field one: CREATE STREAM ${id} () WITH (${mqtt})
//	rule        sql, options and sink: the properties of its one mqtt action but server and topic; or actions, the whole list
//	rules       several rules, each with its own expected
//	rows        payloads for the topic ${id}/in, in order
//	input       messages with payload, topic (default ${id}/in) and wait_ms before it; a payload that is a JSON string is sent as the text in it
//	expected    the payloads that the rule publishes, in order
//	error       true: a stream or the rule must be refused with a 4xx status
//	requests    REST calls made after that, with their status and, if it is there, the answer
//	unordered   the order of payloads, and of elements in arrays, does not count
//	any         keys whose value was not recorded: "${any}" stands for it
//	collect_ms  wait at least so long for output
//	serial      run alone
//	skip        why the case does not count
//
// ${id} differs in every case; ${mqtt} are the options of an MQTT stream on
// ${id}/in, ${mqtt:x} of one on ${id}/x. Rules publish to ${id}/out, or to
// ${id}/out0, ${id}/out1 and so on where there are several. What comes on a topic
// below that is written {"$topic":...,"$payload":...}, and what is no JSON
// {"$raw":"text"}.
//
// Numbers are compared by value (whole ones exactly, others within 1e-9 of each
// other, relatively), objects without the order of their keys; a key that is null
// differs from one that is missing.
package conformance
