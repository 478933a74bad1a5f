import assert from "node:assert/strict";
import { test } from "node:test";
import { named, only, resources, shown, template } from "./house";

const stack = template({ max_concurrent_executions: 12 });
const sources = resources(stack, "AWS::Lambda::EventSourceMapping");

test("input and dispatch are taken in batches, of which single messages may fail", () => {
  for (const [id, queue, role, atOnce] of [["InputSource", "Input", "Input", 10], ["DispatchSource", "Dispatch", "Worker", 12]] as const) {
    const source = sources.get(id)?.Properties;
    assert.equal(shown(source.EventSourceArn), queue);
    assert.equal(shown(source.FunctionName), `${role}Function`);
    assert.deepEqual(source.FunctionResponseTypes, ["ReportBatchItemFailures"]);
    assert.equal(source.ScalingConfig.MaximumConcurrency, atOnce);
  }
});

test("of the stream only ends are told, a bad record alone, for as long as the stream remembers them", () => {
  const source = sources.get("EndsSource")?.Properties;
  assert.equal(shown(source.EventSourceArn), "Requests.StreamArn");
  assert.equal(shown(source.FunctionName), "ResultsFunction");
  assert.equal(source.BisectBatchOnFunctionError, true);
  // No bound but the stream's own day: only what the queue of untold ends does not take is tried again here.
  assert.deepEqual([source.MaximumRetryAttempts, source.MaximumRecordAgeInSeconds], [undefined, undefined]);
  assert.equal(source.StartingPosition, "TRIM_HORIZON");
  assert.deepEqual(source.FunctionResponseTypes, ["ReportBatchItemFailures"]);
  assert.equal(shown(source.DestinationConfig.OnFailure.Destination), "StreamDeadLetters");
  const [filter] = source.FilterCriteria.Filters.map((one: any) => JSON.parse(one.Pattern));
  assert.deepEqual(filter, {
    eventName: ["INSERT", "MODIFY"],
    dynamodb: {
      Keys: { sk: { S: ["ROW"] } },
      NewImage: { state: { S: ["COMPLETED", "FAILED", "CANCELLED", "EXPIRED"] } },
    },
  });
});

test("an end that could not be told comes again from a queue, beside the stream", () => {
  const source = sources.get("UntoldSource")?.Properties;
  assert.equal(shown(source.EventSourceArn), "Untold");
  assert.equal(shown(source.FunctionName), "ResultsFunction");
  assert.deepEqual(source.FunctionResponseTypes, ["ReportBatchItemFailures"]);
  assert.equal(source.ScalingConfig.MaximumConcurrency, 2);
});

test("the prioritizer looks for work every minute, and a failed wake is not repeated", () => {
  const rule = only(stack, "AWS::Events::Rule").Properties;
  assert.equal(rule.ScheduleExpression, "rate(1 minute)");
  assert.equal(shown(rule.Targets[0].Arn), "PrioritizerFunction");
  const asked = only(stack, "AWS::Lambda::EventInvokeConfig").Properties;
  assert.equal(named(asked.FunctionName.Ref), "PrioritizerFunction");
  assert.deepEqual([asked.MaximumRetryAttempts, asked.MaximumEventAgeInSeconds], [0, 60]);
});
