/** The queues, and how long each message stays whose. */
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";
import { SHAPES } from "./shapes";
import type { Lane } from "./lanes";

export interface Queues {
  /** Where producers send. */
  readonly input: sqs.Queue;
  readonly inputDeadLetters: sqs.Queue;
  /** Events into each lane. */
  readonly lanes: ReadonlyMap<string, sqs.Queue>;
  /** Released requests on their way to a worker. */
  readonly dispatch: sqs.Queue;
  readonly dispatchDeadLetters: sqs.Queue;
  /** What has ended, for producers to read. */
  readonly results: sqs.Queue;
  /** Ends that could not be told yet. */
  readonly untold: sqs.Queue;
  /** Ends that could not be told for days. */
  readonly streamDeadLetters: sqs.Queue;
}

/** Keeps a message longest: nobody may have noticed yet. */
const LONGEST = Duration.days(14);

/** A message stays hidden while a function may still work on it and on its retries
 * (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html). */
const hiddenFor = (timeoutSeconds: number) => Duration.seconds(6 * timeoutSeconds);

export function queues(scope: Construct, lanes: readonly Lane[], removal: RemovalPolicy, key: IKey | undefined): Queues {
  const queue = (id: string, props: sqs.QueueProps) =>
    new sqs.Queue(scope, id, {
      enforceSSL: true,
      encryption: key ? sqs.QueueEncryption.KMS : sqs.QueueEncryption.SQS_MANAGED,
      ...(key && { encryptionMasterKey: key }),
      ...props,
    });
  const deadLetters = (id: string) => queue(id, { retentionPeriod: LONGEST, removalPolicy: removal });
  const [inputDeadLetters, dispatchDeadLetters] = [deadLetters("InputDeadLetters"), deadLetters("DispatchDeadLetters")];
  const streamDeadLetters = deadLetters("StreamDeadLetters");
  return {
    inputDeadLetters,
    dispatchDeadLetters,
    streamDeadLetters,
    untold: queue("Untold", {
      retentionPeriod: LONGEST,
      visibilityTimeout: hiddenFor(SHAPES.results.timeoutSeconds),
      // Told every six minutes, that is four days: as long as a key or a topic may stay unusable unnoticed.
      deadLetterQueue: { queue: streamDeadLetters, maxReceiveCount: 1000 },
      removalPolicy: removal,
    }),
    input: queue("Input", {
      retentionPeriod: LONGEST,
      visibilityTimeout: hiddenFor(SHAPES.input.timeoutSeconds),
      deadLetterQueue: { queue: inputDeadLetters, maxReceiveCount: 5 },
      removalPolicy: removal,
    }),
    dispatch: queue("Dispatch", {
      // A release that nobody claimed by its start_by is void; its row says so, not the message.
      retentionPeriod: Duration.days(1),
      visibilityTimeout: hiddenFor(SHAPES.worker.timeoutSeconds),
      // The worker gives back what it could not take up, to come again within a minute or two, while it is valid.
      deadLetterQueue: { queue: dispatchDeadLetters, maxReceiveCount: 10 },
      removalPolicy: RemovalPolicy.DESTROY,
    }),
    results: queue("Results", { retentionPeriod: LONGEST, removalPolicy: removal }),
    lanes: new Map(lanes.map((lane) => [lane.name, laneQueue(queue, lane)])),
  };
}

/** Events may be lost: a holder finds what waits in the table. It deletes what it has taken in at once. */
function laneQueue(queue: (id: string, props: sqs.QueueProps) => sqs.Queue, lane: Lane): sqs.Queue {
  return queue(`Lane-${lane.name}`, {
    retentionPeriod: Duration.days(1),
    visibilityTimeout: Duration.seconds(30),
    receiveMessageWaitTime: Duration.seconds(20),
    removalPolicy: RemovalPolicy.DESTROY,
  });
}
