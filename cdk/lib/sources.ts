/** What starts the functions. */
import { Duration } from "aws-cdk-lib";
import type { Table } from "aws-cdk-lib/aws-dynamodb";
import * as events from "aws-cdk-lib/aws-events";
import { LambdaFunction } from "aws-cdk-lib/aws-events-targets";
import * as lambda from "aws-cdk-lib/aws-lambda";
import { SqsDlq } from "aws-cdk-lib/aws-lambda-event-sources";
import type { Construct } from "constructs";
import { type Functions, INPUT_AT_ONCE } from "./functions";
import type { Parameters } from "./parameters";
import type { Queues } from "./queues";

/** States that are never left: what is told. */
export const TERMINAL = ["COMPLETED", "FAILED", "CANCELLED", "EXPIRED"] as const;

export function sources(scope: Construct, given: Parameters, made: Functions, queues: Queues, table: Table): void {
  new lambda.EventSourceMapping(scope, "InputSource", {
    target: made.input,
    eventSourceArn: queues.input.queueArn,
    batchSize: 10,
    maxConcurrency: INPUT_AT_ONCE,
    reportBatchItemFailures: true,
  });
  new lambda.EventSourceMapping(scope, "DispatchSource", {
    target: made.worker,
    eventSourceArn: queues.dispatch.queueArn,
    batchSize: 10,
    maxConcurrency: given.maxConcurrentExecutions,
    reportBatchItemFailures: true,
  });
  endsSource(scope, made, queues, table);
  new lambda.EventSourceMapping(scope, "UntoldSource", {
    target: made.results,
    eventSourceArn: queues.untold.queueArn,
    batchSize: 10,
    // The least there is: the stream's own ends go first.
    maxConcurrency: 2,
    reportBatchItemFailures: true,
  });
  new events.Rule(scope, "EveryMinute", {
    description: "Bedrock Smoother: finds lanes that have work and no holder",
    schedule: events.Schedule.rate(Duration.minutes(1)),
    targets: [new LambdaFunction(made.prioritizer, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
  });
}

/**
 * The outbox: rows that have come to a terminal state, and nothing else of the table. An end that cannot be told leaves
 * the stream for a queue of its own, so what is tried again here is what not even that takes, for as long as the
 * stream remembers it (a day).
 */
function endsSource(scope: Construct, made: Functions, queues: Queues, table: Table): void {
  new lambda.EventSourceMapping(scope, "EndsSource", {
    target: made.results,
    eventSourceArn: table.tableStreamArn ?? "",
    startingPosition: lambda.StartingPosition.TRIM_HORIZON,
    batchSize: 100,
    bisectBatchOnError: true,
    reportBatchItemFailures: true,
    parallelizationFactor: 4,
    onFailure: new SqsDlq(queues.streamDeadLetters),
    filters: [
      lambda.FilterCriteria.filter({
        eventName: ["INSERT", "MODIFY"],
        dynamodb: { Keys: { sk: { S: ["ROW"] } }, NewImage: { state: { S: [...TERMINAL] } } },
      }),
    ],
  });
}
