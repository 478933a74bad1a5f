import assert from "node:assert/strict";
import { test } from "node:test";
import { only, resources, shown, template } from "./house";

test("the table has its keys, its four indexes, a stream, TTL and recovery", () => {
  const { Properties: table } = only(template(), "AWS::DynamoDB::Table");
  const keys = (schema: any[]) => schema.map((key) => `${key.KeyType} ${key.AttributeName}`);
  assert.deepEqual(keys(table.KeySchema), ["HASH pk", "RANGE sk"]);
  const indexes = table.GlobalSecondaryIndexes.map((index: any) => ({
    name: index.IndexName,
    keys: keys(index.KeySchema),
    projection: index.Projection,
  }));
  assert.deepEqual(indexes, [
    { name: "waiting", keys: ["HASH wpk", "RANGE wsk"], projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["w"] } },
    { name: "due", keys: ["HASH dpk", "RANGE dsk"], projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["w"] } },
    { name: "listing", keys: ["HASH lpk", "RANGE lsk"], projection: { ProjectionType: "KEYS_ONLY" } },
    { name: "dead", keys: ["HASH xpk", "RANGE xsk"], projection: { ProjectionType: "INCLUDE", NonKeyAttributes: ["tenant", "lane"] } },
  ]);
  assert.ok(table.AttributeDefinitions.every((attribute: any) => attribute.AttributeType === "S"));
  assert.equal(table.StreamSpecification.StreamViewType, "NEW_AND_OLD_IMAGES");
  assert.deepEqual(table.TimeToLiveSpecification, { AttributeName: "ttl", Enabled: true });
  assert.equal(table.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, true);
  assert.equal(table.BillingMode, "PAY_PER_REQUEST");
});

test("the bucket is private, encrypted, reached by TLS alone, and empties itself", () => {
  const stack = template();
  const { Properties: bucket } = only(stack, "AWS::S3::Bucket");
  assert.deepEqual(bucket.PublicAccessBlockConfiguration, {
    BlockPublicAcls: true,
    BlockPublicPolicy: true,
    IgnorePublicAcls: true,
    RestrictPublicBuckets: true,
  });
  assert.equal(algorithm(bucket), "AES256");
  const rules = Object.fromEntries(bucket.LifecycleConfiguration.Rules.map((rule: any) => [rule.Prefix, rule.ExpirationInDays]));
  // 168 hours and a day; a body may have waited before.
  assert.deepEqual([rules["results/"], rules["bodies/"], rules["inbox/"], rules["inbox/uploads/"]], [8, 22, 15, 2]);
  const denied = only(stack, "AWS::S3::BucketPolicy").Properties.PolicyDocument.Statement.filter((one: any) => one.Effect === "Deny");
  assert.deepEqual(denied.map((one: any) => one.Condition), [
    { Bool: { "aws:SecureTransport": "false" } },
    { NumericLessThan: { "s3:TlsVersion": 1.2 } },
  ]);
});

test("data outlives the stack, unless a setting says otherwise", () => {
  const kept = (stack: ReturnType<typeof template>) =>
    ["AWS::DynamoDB::Table", "AWS::S3::Bucket"].map((type) => only(stack, type).DeletionPolicy);
  const [retained, destroyed] = [template(), template({ removal: "destroy" })];
  assert.deepEqual(kept(retained), ["Retain", "Retain"]);
  assert.deepEqual(kept(destroyed), ["Delete", "Delete"]);
  assert.equal(only(retained, "AWS::DynamoDB::Table").Properties.DeletionProtectionEnabled, true);
  assert.equal(only(destroyed, "AWS::DynamoDB::Table").Properties.DeletionProtectionEnabled, false);
});

/** Every type of resource in which something of requests is kept, and where it names a key. */
const KEPT_IN: Readonly<Record<string, (properties: any) => unknown>> = {
  "AWS::DynamoDB::Table": (table) => table.SSESpecification?.KMSMasterKeyId,
  "AWS::S3::Bucket": (bucket) => rule(bucket).ServerSideEncryptionByDefault.KMSMasterKeyID,
  "AWS::SNS::Topic": (topic) => topic.KmsMasterKeyId,
  "AWS::SQS::Queue": (queue) => queue.KmsMasterKeyId,
  "AWS::Logs::LogGroup": (log) => log.KmsKeyId,
};

/** Types that keep nothing of requests. */
const KEEPS_NOTHING = [
  /^AWS::(ApiGatewayV2|Events|IAM|KMS|Lambda)::/,
  /^AWS::(S3::BucketPolicy|SNS::Subscription|SNS::TopicPolicy|SQS::QueuePolicy)$/,
  /^AWS::CDK::Metadata$/,
];

test("with encryption=kms one key of the account's own encrypts everything, and turns over", () => {
  const stack = template({ encryption: "kms" });
  assert.equal(only(stack, "AWS::KMS::Key").Properties.EnableKeyRotation, true);
  assert.equal(algorithm(only(stack, "AWS::S3::Bucket").Properties), "aws:kms");
  assert.equal(only(stack, "AWS::DynamoDB::Table").Properties.SSESpecification.SSEType, "KMS");
  for (const [type, key] of Object.entries(KEPT_IN)) {
    const found = resources(stack, type);
    assert.ok(found.size > 0, type);
    for (const [name, one] of found) assert.equal(shown(key(one.Properties)), "Key", `${type} ${name}`);
  }
  const all = Object.values(stack.toJSON()["Resources"] as Record<string, { Type: string }>);
  const others = new Set(all.map(({ Type }) => Type).filter((type) => !(type in KEPT_IN)));
  assert.deepEqual([...others].filter((type) => !KEEPS_NOTHING.some((known) => known.test(type))), [], "a type that is not known here");
});

test("without it AWS's own keys encrypt what is kept, and nothing names a key", () => {
  const stack = template();
  assert.equal(resources(stack, "AWS::KMS::Key").size, 0);
  assert.equal(algorithm(only(stack, "AWS::S3::Bucket").Properties), "AES256");
  for (const queue of resources(stack, "AWS::SQS::Queue").values()) assert.equal(queue.Properties.SqsManagedSseEnabled, true);
  for (const [type, key] of Object.entries(KEPT_IN)) {
    for (const [name, one] of resources(stack, type)) assert.equal(key(one.Properties ?? {}), undefined, `${type} ${name}`);
  }
});

test("CloudWatch Logs may use the key for the logs of this stack, and for no others", () => {
  const policy = only(template({ encryption: "kms" }), "AWS::KMS::Key").Properties.KeyPolicy.Statement;
  const statement = policy.find((one: any) => one.Sid === "Logs");
  assert.deepEqual(statement.Principal, { Service: "logs.us-east-1.amazonaws.com" });
  const arn = shown(statement.Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"]);
  assert.equal(arn, "arn:${AWS::Partition}:logs:us-east-1:${AWS::AccountId}:log-group:bedrock-smoother-*");
});

function rule(bucket: any): any {
  return bucket.BucketEncryption.ServerSideEncryptionConfiguration[0];
}

function algorithm(bucket: any): string {
  return rule(bucket).ServerSideEncryptionByDefault.SSEAlgorithm;
}
