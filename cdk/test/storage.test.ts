import assert from "node:assert/strict";
import { test } from "node:test";
import { only, resources, template } from "./house";

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
  assert.deepEqual([rules["results/"], rules["bodies/"], rules["inbox/"]], [8, 22, 15]);
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

test("with encryption=kms one key of the account's own encrypts everything, and turns over", () => {
  const stack = template({ encryption: "kms" });
  assert.equal(only(stack, "AWS::KMS::Key").Properties.EnableKeyRotation, true);
  assert.equal(algorithm(only(stack, "AWS::S3::Bucket").Properties), "aws:kms");
  assert.equal(only(stack, "AWS::DynamoDB::Table").Properties.SSESpecification.SSEType, "KMS");
  assert.ok(only(stack, "AWS::SNS::Topic").Properties.KmsMasterKeyId);
  for (const [name, queue] of resources(stack, "AWS::SQS::Queue")) assert.ok(queue.Properties.KmsMasterKeyId, name);
});

function algorithm(bucket: any): string {
  return bucket.BucketEncryption.ServerSideEncryptionConfiguration[0].ServerSideEncryptionByDefault.SSEAlgorithm;
}
