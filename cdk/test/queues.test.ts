import assert from "node:assert/strict";
import { test } from "node:test";
import { SHAPES } from "../lib/shapes";
import { resources, shown, template } from "./house";

const stack = template();
const queues = resources(stack, "AWS::SQS::Queue");
const lanes = ["Lanehaiku", "Laneotheraccount", "Lanesonnet"];

test("there is a queue for each lane, and the seven of the pipeline", () => {
  const pipeline = ["Dispatch", "DispatchDeadLetters", "Input", "InputDeadLetters", "Results", "StreamDeadLetters", "Untold"];
  assert.deepEqual([...queues.keys()].sort(), [...pipeline, ...lanes].sort());
});

test("every queue is encrypted, and queues and the topic refuse what does not come by TLS", () => {
  for (const [name, queue] of queues) assert.equal(queue.Properties.SqsManagedSseEnabled, true, name);
  const guarded = [...resources(stack, "AWS::SQS::QueuePolicy").values()].map(({ Properties: policy }) => {
    const [statement] = policy.PolicyDocument.Statement;
    assert.equal(statement.Effect, "Deny");
    assert.equal(statement.Action, "sqs:*");
    assert.deepEqual(statement.Condition, { Bool: { "aws:SecureTransport": "false" } });
    return shown(policy.Queues[0]);
  });
  assert.deepEqual(guarded.sort(), [...queues.keys()].sort());
  const [topic] = resources(stack, "AWS::SNS::TopicPolicy").values();
  const [statement] = topic?.Properties.PolicyDocument.Statement;
  assert.deepEqual([statement.Effect, statement.Condition], ["Deny", { Bool: { "aws:SecureTransport": "false" } }]);
});

test("what fails again and again ends in a queue of dead letters, which keeps it longest", () => {
  for (const [name, letters, most] of [
    ["Input", "InputDeadLetters", 5],
    ["Dispatch", "DispatchDeadLetters", 10],
    ["Untold", "StreamDeadLetters", 1000],
  ] as const) {
    const redrive = queues.get(name)?.Properties.RedrivePolicy;
    assert.equal(shown(redrive.deadLetterTargetArn), letters);
    assert.equal(redrive.maxReceiveCount, most);
    assert.equal(queues.get(letters)?.Properties.MessageRetentionPeriod, 14 * 24 * 3600);
  }
});

test("a message stays hidden for six times as long as its function may run", () => {
  for (const [name, role] of [["Input", "input"], ["Dispatch", "worker"], ["Untold", "results"]] as const) {
    assert.ok(queues.get(name)?.Properties.VisibilityTimeout >= 6 * SHAPES[role].timeoutSeconds, name);
  }
});

test("queues that hold work outlive the stack, unless a setting says otherwise", () => {
  const policies = (of: typeof queues) =>
    Object.fromEntries([...of].map(([name, queue]) => [name, queue.DeletionPolicy ?? "Delete"]));
  const kept = policies(queues);
  for (const name of ["Input", "InputDeadLetters", "Results", "Untold", "StreamDeadLetters"]) assert.equal(kept[name], "Retain", name);
  for (const name of ["Dispatch", ...lanes]) assert.equal(kept[name], "Delete", name);
  const removed = policies(resources(template({ removal: "destroy" }), "AWS::SQS::Queue"));
  assert.deepEqual([...new Set(Object.values(removed))], ["Delete"]);
});
