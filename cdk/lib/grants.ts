/**
 * What each function may do, written out: every action here is one that its code carries out, on nothing else.
 * The constructs' own grants are switched off. docs/aws.md shows the same as a table; a test compares.
 */
import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Callable } from "./models";
import type { Role } from "./shapes";

/** ARNs of what the functions work on. */
export interface Parts {
  readonly table: string;
  readonly stream: string;
  readonly bucket: string;
  readonly input: string;
  readonly inputDeadLetters: string;
  readonly lanes: readonly string[];
  readonly dispatch: string;
  readonly results: string;
  readonly untold: string;
  readonly streamDeadLetters: string;
  readonly topic: string;
  readonly prioritizer: string;
  /** `@connections` of the WebSocket's stage. */
  readonly connections: string;
  /** Guardrails that calls may name. */
  readonly guardrails: readonly string[];
  readonly models: Callable;
  /** The account's own key, where data is encrypted with one. */
  readonly key: string | undefined;
}

const allow = (sid: string, actions: readonly string[], resources: readonly string[]) =>
  new PolicyStatement({ sid, effect: Effect.ALLOW, actions: [...actions], resources: [...resources] });

/** The statements of one function's role. */
export function statements(role: Role, parts: Parts, logGroup: string): PolicyStatement[] {
  const common = [allow("Log", ["logs:CreateLogStream", "logs:PutLogEvents"], [logGroup])];
  if (parts.key !== undefined) common.push(allow("Decrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [parts.key]));
  return [...common, ...BY_ROLE[role](parts)];
}

const BY_ROLE: Readonly<Record<Role, (parts: Parts) => PolicyStatement[]>> = {
  input: (parts) => [
    take("TakeInput", [parts.input]),
    send("RefuseInput", [parts.inputDeadLetters]),
    rows(parts, ["BatchGetItem", "GetItem", "PutItem", "UpdateItem"]),
    list(parts),
    read(parts, ["inbox", "bodies"]),
    write(parts, ["bodies"]),
    ...tellLanes(parts),
  ],
  http: (parts) => [
    rows(parts, ["BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    indexes(parts, ["listing", "dead"]),
    list(parts),
    read(parts, ["bodies", "inbox/uploads", "results"]),
    // What callers put there by an address that was signed for them is put with this role's leave.
    write(parts, ["bodies", "inbox/uploads", "results"]),
    ...tellLanes(parts),
    ...call(parts, ["bedrock:CountTokens"]),
  ],
  ws: (parts) => [
    rows(parts, ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    list(parts),
    read(parts, ["bodies", "results"]),
    write(parts, ["bodies"]),
    push(parts),
    ...tellLanes(parts),
  ],
  prioritizer: (parts) => [
    take("TakeEvents", parts.lanes),
    rows(parts, ["BatchGetItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem"]),
    indexes(parts, ["waiting", "due"]),
    list(parts),
    write(parts, ["results"]),
    send("Dispatch", [parts.dispatch]),
    ...tellLanes(parts),
  ],
  worker: (parts) => [
    take("TakeReleased", [parts.dispatch], ["sqs:ChangeMessageVisibility"]),
    rows(parts, ["GetItem", "PutItem", "Query", "UpdateItem"]),
    list(parts),
    read(parts, ["bodies"]),
    write(parts, ["results"]),
    ...tellLanes(parts),
    ...call(parts, []),
  ],
  results: (parts) => [
    allow("ReadStream", ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], [parts.stream]),
    // Lambda asks for it before it reads a stream, and IAM knows no resource for it.
    allow("ListStreams", ["dynamodb:ListStreams"], ["*"]),
    send("StreamDeadLetters", [parts.streamDeadLetters]),
    take("TakeUntold", [parts.untold]),
    send("LeaveUntold", [parts.untold]),
    // It writes what answers teach, and the sizes of requests that wait.
    rows(parts, ["DeleteItem", "GetItem", "PutItem", "Query"]),
    indexes(parts, ["waiting"]),
    list(parts),
    read(parts, ["results"]),
    send("TellResults", [parts.results]),
    allow("TellTopic", ["sns:Publish"], [parts.topic]),
    push(parts),
    ...tellLanes(parts),
  ],
};

const take = (sid: string, queues: readonly string[], also: readonly string[] = []) =>
  allow(sid, [...also, "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], queues);

const send = (sid: string, queues: readonly string[]) => allow(sid, ["sqs:SendMessage"], queues);

/** DescribeTable is for the check at start. Transactions need what their items need, and no action of their own. */
const rows = (parts: Parts, actions: readonly string[]) =>
  allow("Rows", ["DescribeTable", ...actions].sort().map((action) => `dynamodb:${action}`), [parts.table]);

const indexes = (parts: Parts, names: readonly string[]) =>
  allow("Indexes", ["dynamodb:Query"], names.map((name) => `${parts.table}/index/${name}`));

/** Without it S3 answers AccessDenied for an object that is not there. */
const list = (parts: Parts) => allow("MissingIsMissing", ["s3:ListBucket"], [parts.bucket]);

const read = (parts: Parts, prefixes: readonly string[]) =>
  allow("ReadPayloads", ["s3:GetObject"], prefixes.map((prefix) => `${parts.bucket}/${prefix}/*`));

const write = (parts: Parts, prefixes: readonly string[]) =>
  allow("WritePayloads", ["s3:PutObject"], prefixes.map((prefix) => `${parts.bucket}/${prefix}/*`));

/** To tell a lane something is to send it the event and to wake its holder. */
const tellLanes = (parts: Parts) => [
  send("TellLanes", parts.lanes),
  allow("WakeHolder", ["lambda:InvokeFunction"], [parts.prioritizer]),
];

const push = (parts: Parts) => allow("Push", ["execute-api:ManageConnections"], [parts.connections]);

/** Calls of Bedrock; `free` are operations that cost no tokens of a lane. */
function call(parts: Parts, free: readonly string[]): PolicyStatement[] {
  const { direct, profiles, behind, roles } = parts.models;
  const actions = [...free, "bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"];
  const some = (sid: string, done: readonly string[], resources: readonly string[]) =>
    resources.length > 0 ? [allow(sid, done, resources)] : [];
  const through = some("CallBehindProfiles", actions, behind);
  through.forEach((statement) => statement.addCondition("ArnLike", { "bedrock:InferenceProfileArn": [...profiles] }));
  return [
    ...some("CallModels", actions, direct),
    ...some("CallProfiles", actions, profiles),
    ...through,
    ...some("ApplyGuardrails", ["bedrock:ApplyGuardrail"], parts.guardrails),
    ...some("CallAsOtherAccount", ["sts:AssumeRole"], roles),
  ];
}
