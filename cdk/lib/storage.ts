/** What is kept: one table for rows, lanes and connections, one bucket for bodies and results. */
import { Duration, RemovalPolicy } from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import type { IKey } from "aws-cdk-lib/aws-kms";
import * as s3 from "aws-cdk-lib/aws-s3";
import type { Construct } from "constructs";

/** Bodies may wait as long as a message in SQS, and a dead letter may be sent again within its retention. */
const LONGEST_WAIT_DAYS = 14;

/** The indexes: the name, the start of its key attributes, and what it projects besides the keys. */
export const INDEXES = [
  { name: "waiting", key: "w", projects: ["w"] },
  { name: "due", key: "d", projects: ["w"] },
  { name: "listing", key: "l", projects: [] },
  { name: "dead", key: "x", projects: ["tenant", "lane"] },
] as const;

export function requestsTable(scope: Construct, removal: RemovalPolicy, key: IKey | undefined): dynamodb.Table {
  const text = (name: string): dynamodb.Attribute => ({ name, type: dynamodb.AttributeType.STRING });
  const table = new dynamodb.Table(scope, "Requests", {
    partitionKey: text("pk"),
    sortKey: text("sk"),
    billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
    stream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
    timeToLiveAttribute: "ttl",
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    encryption: key ? dynamodb.TableEncryption.CUSTOMER_MANAGED : dynamodb.TableEncryption.DEFAULT,
    ...(key && { encryptionKey: key }),
    deletionProtection: removal === RemovalPolicy.RETAIN,
    removalPolicy: removal,
  });
  for (const index of INDEXES) {
    table.addGlobalSecondaryIndex({
      indexName: index.name,
      partitionKey: text(`${index.key}pk`),
      sortKey: text(`${index.key}sk`),
      ...(index.projects.length > 0
        ? { projectionType: dynamodb.ProjectionType.INCLUDE, nonKeyAttributes: [...index.projects] }
        : { projectionType: dynamodb.ProjectionType.KEYS_ONLY }),
    });
  }
  return table;
}

export function callsBucket(
  scope: Construct,
  removal: RemovalPolicy,
  key: IKey | undefined,
  retentionHours: number,
): s3.Bucket {
  // An object is older than the end it belongs to, so a day more than the retention is enough for results.
  const retention = Math.ceil(retentionHours / 24) + 1;
  const expires = (prefix: string, days: number): s3.LifecycleRule => ({
    id: prefix.replaceAll("/", ""),
    prefix,
    expiration: Duration.days(days),
  });
  return new s3.Bucket(scope, "BedrockCalls", {
    encryption: key ? s3.BucketEncryption.KMS : s3.BucketEncryption.S3_MANAGED,
    ...(key && { encryptionKey: key, bucketKeyEnabled: true }),
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    minimumTLSVersion: 1.2,
    lifecycleRules: [
      expires("results/", retention),
      expires("bodies/", retention + LONGEST_WAIT_DAYS),
      expires("inbox/", LONGEST_WAIT_DAYS + 1),
      // Whoever was given a place hands the job in at once.
      expires("inbox/uploads/", 2),
      { id: "unfinished", abortIncompleteMultipartUploadAfter: Duration.days(1) },
    ],
    removalPolicy: removal,
  });
}
