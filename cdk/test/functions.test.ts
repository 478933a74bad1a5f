import assert from "node:assert/strict";
import { test } from "node:test";
import { ROLES } from "../lib/shapes";
import { resources, shown, template } from "./house";

const stack = template();
const functions = resources(stack, "AWS::Lambda::Function");
const byRole = new Map([...functions.values()].map((one) => [one.Properties.Handler as string, one.Properties]));

test("there are six functions of one binary, told apart by their handlers", () => {
  assert.deepEqual([...byRole.keys()].sort(), [...ROLES].sort());
  assert.equal(new Set([...byRole.values()].map((one) => one.Code.S3Key)).size, 1);
  for (const [role, one] of byRole) {
    assert.equal(one.FunctionName, `bedrock-smoother-${role}`);
    assert.equal(one.Runtime, "provided.al2023");
    assert.deepEqual(one.Architectures, ["x86_64"]);
  }
  const arm = resources(template({ architecture: "arm64" }), "AWS::Lambda::Function");
  for (const one of arm.values()) assert.deepEqual(one.Properties.Architectures, ["arm64"]);
});

test("each has a role and a log of its own, which is kept for as long as a setting says", () => {
  for (const part of ["Role", "LoggingConfig"]) {
    const own = new Set([...byRole.values()].map((one) => JSON.stringify(one[part])));
    assert.equal(own.size, ROLES.length, part);
  }
  const days = (of: typeof stack) => [...resources(of, "AWS::Logs::LogGroup").values()].map((log) => log.Properties.RetentionInDays);
  assert.deepEqual(days(stack), ROLES.map(() => 30));
  assert.deepEqual(days(template({ log_retention_days: "7" })), ROLES.map(() => 7));
});

test("each is told where everything is", () => {
  const seen = [...byRole.values()].map((one) => {
    const variables = one.Environment.Variables as Record<string, unknown>;
    return Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, shown(value)]));
  });
  const lane = (name: string) => `"${name}":"Lane${name.replace("-", "")}"`;
  for (const variables of seen) {
    assert.deepEqual(variables, {
      SMOOTHER_CONFIG: "/var/task/smoother.toml",
      SMOOTHER_TABLE: "Requests",
      SMOOTHER_BUCKET: "BedrockCalls",
      SMOOTHER_LANE_QUEUES: `{${["sonnet", "haiku", "other-account"].map(lane).join(",")}}`,
      SMOOTHER_DISPATCH_QUEUE: "Dispatch",
      SMOOTHER_RESULTS_QUEUE: "Results",
      SMOOTHER_UNTOLD_QUEUE: "Untold",
      SMOOTHER_INPUT_DLQ: "InputDeadLetters",
      SMOOTHER_TOPIC: "Ends",
      SMOOTHER_SOCKETS: "https://Sockets.execute-api.us-east-1.${AWS::URLSuffix}/live",
      SMOOTHER_PRIORITIZER: "bedrock-smoother-prioritizer",
      SMOOTHER_SENDERS: "{}",
      SMOOTHER_TRUST_TENANT: "false",
      SMOOTHER_LOG: "info",
      SMOOTHER_AVERAGE_REQUEST_DURATION: "5",
      SMOOTHER_MINUTES_TO_PROCESS: "5",
      SMOOTHER_QUEUE_DEPTH_THRESHOLD: "100",
    });
  }
});

test("executions at once are capped, where the account has enough of them", () => {
  const caps = (of: typeof stack) =>
    Object.fromEntries(
      [...resources(of, "AWS::Lambda::Function").values()].map(({ Properties: one }) => [one.Handler, one.ReservedConcurrentExecutions]),
    );
  assert.deepEqual(caps(stack), { input: 10, http: 200, ws: 50, prioritizer: 8, worker: 30, results: 10 });
  const some = caps(template({ max_concurrent_executions: 7, max_waiting_callers: 3 }));
  assert.deepEqual([some["worker"], some["http"]], [7, 3]);
  assert.deepEqual([...new Set(Object.values(caps(template({ reserve_concurrency: false }))))], [undefined]);
});

test("holders may call the next for as long as there is work, and nobody else may loop", () => {
  const loops = [...byRole].map(([role, one]) => [role, one.RecursiveLoop]).filter(([, loop]) => loop !== undefined);
  assert.deepEqual(Object.fromEntries(loops), { prioritizer: "Allow", worker: "Allow" });
});
