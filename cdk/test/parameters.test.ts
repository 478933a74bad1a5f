import assert from "node:assert/strict";
import { test } from "node:test";
import { App } from "aws-cdk-lib";
import { parameters } from "../lib/parameters";
import { MINIMUM, refusal } from "./house";

const read = (context: Record<string, unknown>) => parameters(new App({ context }).node);

test("the defaults are those that are documented", () => {
  const given = read(MINIMUM);
  assert.deepEqual(
    { ...given, config: undefined, bootstrap: undefined },
    {
      awsRegion: "us-east-1",
      notificationEmail: "ops@example.com",
      averageRequestDuration: 5,
      minutesToProcess: 5,
      maxConcurrentExecutions: 30,
      alarmThreshold: 5,
      alarmEvaluationPeriods: 1,
      dashboardName: "bedrock-errors",
      queueDepthThreshold: 100,
      name: "bedrock-smoother",
      config: undefined,
      bootstrap: undefined,
      architecture: "x86_64",
      removal: "retain",
      auth: "AWS_IAM",
      encryption: "aws",
      logRetentionDays: 30,
      reserveConcurrency: true,
      maxWaitingCallers: 200,
      log: "info",
      senders: {},
      trustTenant: false,
      local: undefined,
    },
  );
});

test("values of the command line are texts, those of cdk.json are numbers and flags", () => {
  const [typed, written] = ["17", 17].map((max_concurrent_executions) => read({ ...MINIMUM, max_concurrent_executions }));
  assert.equal(typed?.maxConcurrentExecutions, 17);
  assert.equal(written?.maxConcurrentExecutions, 17);
  assert.equal(read({ ...MINIMUM, trust_tenant: "true" }).trustTenant, true);
  assert.equal(read({ ...MINIMUM, trust_tenant: true }).trustTenant, true);
  assert.deepEqual(read({ ...MINIMUM, senders: '{"AIDA1": "acme"}' }).senders, { AIDA1: "acme" });
});

test("every mistake is reported at once, with what is allowed", () => {
  const bad = {
    config: "nowhere.toml",
    bootstrap: MINIMUM.bootstrap,
    aws_region: "Virginia",
    max_concurrent_executions: "1",
    average_request_duration: "-5",
    removal: "maybe",
    auth: "none",
    trust_tenant: "yes",
    senders: "[]",
    log_retention_days: "31",
    dashboard_name: "bedrock errors",
    local: "127.0.0.1:4566",
    notifcation_email: "ops@example.com",
  };
  const message = refusal(() => read(bad));
  for (const expected of [
    "notification_email is required: an e-mail address",
    'config is "nowhere.toml"; allowed: the path of a file',
    'aws_region is "Virginia"; allowed: an AWS Region',
    'max_concurrent_executions is "1"; allowed: a whole number from 2 to 1000',
    'average_request_duration is "-5"',
    'removal is "maybe"; allowed: retain or destroy',
    'auth is "none"; allowed: AWS_IAM or NONE',
    'trust_tenant is "yes"; allowed: true or false',
    'senders is "[]"',
    'log_retention_days is "31"; allowed: one of 1, 3, 5',
    'dashboard_name is "bedrock errors"',
    'local is "127.0.0.1:4566"',
    "notifcation_email is no parameter",
  ]) {
    assert.ok(message.includes(expected), `${expected}\nis not in\n${message}`);
  }
});
