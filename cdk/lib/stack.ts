/** Bedrock Smoother on AWS: everything there is, and how it hangs together. */
import { ArnFormat, CfnOutput, RemovalPolicy, Stack, type StackProps } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import type { Code } from "aws-cdk-lib/aws-lambda";
import * as sns from "aws-cdk-lib/aws-sns";
import { EmailSubscription } from "aws-cdk-lib/aws-sns-subscriptions";
import type { Construct } from "constructs";
import { httpDoor, Sockets } from "./doors";
import { functionArn, functionName, functions } from "./functions";
import type { Parts } from "./grants";
import type { Configuration } from "./lanes";
import { callable } from "./models";
import type { Parameters } from "./parameters";
import { type Queues, queues } from "./queues";
import { sources } from "./sources";
import { callsBucket, requestsTable } from "./storage";

export interface SmootherProps extends StackProps {
  readonly given: Parameters;
  readonly configuration: Configuration;
  /** `bootstrap` and smoother.toml. */
  readonly code: Code;
}

export class SmootherStack extends Stack {
  constructor(scope: Construct, id: string, props: SmootherProps) {
    super(scope, id, { description: "Bedrock Smoother: a durable queue in front of Amazon Bedrock", ...props });
    const { given, configuration } = props;
    const removal = given.removal === "destroy" ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN;
    const key = given.encryption === "kms" ? ownKey(this, removal) : undefined;
    const table = requestsTable(this, removal, key);
    const bucket = callsBucket(this, removal, key, configuration.retentionHours);
    const made = queues(this, configuration.lanes, removal, key);
    const topic = new sns.Topic(this, "Ends", { enforceSSL: true, ...(key && { masterKey: key }) });
    // A mail for each answer would be read by nobody; whoever wants them subscribes to the topic.
    const failures = sns.SubscriptionFilter.stringFilter({ allowlist: ["FAILED", "EXPIRED"] });
    topic.addSubscription(new EmailSubscription(given.notificationEmail, { filterPolicy: { Status: failures } }));
    const sockets = new Sockets(this, given);
    const models = callable(configuration.lanes, this.partition, this.account);
    const parts: Parts = {
      table: table.tableArn,
      stream: table.tableStreamArn ?? "",
      bucket: bucket.bucketArn,
      ...queueArns(made),
      topic: topic.topicArn,
      prioritizer: functionArn(this, given.name, "prioritizer"),
      connections: sockets.connections,
      guardrails: models.regions.map((region) => `arn:${this.partition}:bedrock:${region}:${this.account}:guardrail/*`),
      models,
      key: key?.keyArn,
    };
    const environment = {
      ...settings(given),
      ...urls(this, made),
      SMOOTHER_TABLE: table.tableName,
      SMOOTHER_BUCKET: bucket.bucketName,
      SMOOTHER_TOPIC: topic.topicArn,
      SMOOTHER_SOCKETS: sockets.management,
    };
    const all = functions(this, given, props.code, parts, environment, { removal, key });
    sockets.serve(given, all.ws);
    sources(this, given, all, made, table);
    this.outputs({
      InputQueueUrl: made.input.queueUrl,
      InputDeadLetterQueueUrl: made.inputDeadLetters.queueUrl,
      ResultsQueueUrl: made.results.queueUrl,
      HoldNextBatchQueueUrl: made.dispatch.queueUrl,
      RequestsTableName: table.tableName,
      BedrockCallsBucketName: bucket.bucketName,
      TopicArn: topic.topicArn,
      HttpUrl: httpDoor(this, given, all.http).url,
      WebSocketUrl: sockets.url,
    });
  }

  private outputs(values: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(values)) new CfnOutput(this, name, { value });
  }
}

/** A key of the account's own, turned over every year. */
function ownKey(stack: Stack, removal: RemovalPolicy): kms.Key {
  const key = new kms.Key(stack, "Key", {
    description: "Bedrock Smoother: requests, results, messages and logs",
    enableKeyRotation: true,
    removalPolicy: removal,
  });
  // Whatever else uses it does so by a function's role; CloudWatch Logs uses it by itself
  // (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html).
  const group = { service: "logs", resource: "log-group", resourceName: `${stack.stackName}-*` };
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: "Logs",
      principals: [new iam.ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
      actions: ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
      resources: ["*"],
      conditions: {
        ArnLike: { "kms:EncryptionContext:aws:logs:arn": stack.formatArn({ ...group, arnFormat: ArnFormat.COLON_RESOURCE_NAME }) },
      },
    }),
  );
  return key;
}

function queueArns(made: Queues) {
  return {
    input: made.input.queueArn,
    inputDeadLetters: made.inputDeadLetters.queueArn,
    lanes: [...made.lanes.values()].map((queue) => queue.queueArn),
    dispatch: made.dispatch.queueArn,
    results: made.results.queueArn,
    untold: made.untold.queueArn,
    streamDeadLetters: made.streamDeadLetters.queueArn,
  };
}

function urls(stack: Stack, made: Queues): Record<string, string> {
  const lanes = Object.fromEntries([...made.lanes].map(([lane, queue]) => [lane, queue.queueUrl]));
  return {
    SMOOTHER_LANE_QUEUES: stack.toJsonString(lanes),
    SMOOTHER_DISPATCH_QUEUE: made.dispatch.queueUrl,
    SMOOTHER_RESULTS_QUEUE: made.results.queueUrl,
    SMOOTHER_UNTOLD_QUEUE: made.untold.queueUrl,
    SMOOTHER_INPUT_DLQ: made.inputDeadLetters.queueUrl,
  };
}

/** What the functions are told besides where things are. */
function settings(given: Parameters): Record<string, string> {
  return {
    // The emulator unpacks elsewhere; functions start in the folder either way.
    SMOOTHER_CONFIG: given.local ? "smoother.toml" : "/var/task/smoother.toml",
    SMOOTHER_PRIORITIZER: functionName(given.name, "prioritizer"),
    SMOOTHER_SENDERS: JSON.stringify(given.senders),
    SMOOTHER_TRUST_TENANT: String(given.trustTenant),
    SMOOTHER_LOG: given.log,
    SMOOTHER_AVERAGE_REQUEST_DURATION: String(given.averageRequestDuration),
    SMOOTHER_MINUTES_TO_PROCESS: String(given.minutesToProcess),
    SMOOTHER_QUEUE_DEPTH_THRESHOLD: String(given.queueDepthThreshold),
  };
}
