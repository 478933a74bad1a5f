import assert from "node:assert/strict";
import { test } from "node:test";
import { Annotations, Match } from "aws-cdk-lib/assertions";
import { app, only, resources, shown, template } from "./house";

const open = { auth: "NONE" };

test("the function URL streams, and takes signed calls alone unless a setting opens it", () => {
  const url = only(template(), "AWS::Lambda::Url").Properties;
  assert.deepEqual([url.AuthType, url.InvokeMode, shown(url.TargetFunctionArn)], ["AWS_IAM", "RESPONSE_STREAM", "HttpFunction"]);
  assert.equal(only(template(open), "AWS::Lambda::Url").Properties.AuthType, "NONE");
});

test("nobody may call the URL's function without a signature, unless a setting opens it", () => {
  const anybody = (context: Record<string, unknown>) =>
    [...resources(template(context), "AWS::Lambda::Permission").values()].filter((one) => one.Properties.Principal === "*").length;
  assert.equal(anybody({}), 0);
  assert.ok(anybody(open) > 0);
});

test("an open door is warned of", () => {
  const warnings = (context: Record<string, unknown>) =>
    Annotations.fromStack(app(context).stack).findWarning("*", Match.stringLikeRegexp("can spend the quota")).length;
  assert.deepEqual([warnings({}), warnings(open)], [0, 1]);
});

test("the WebSocket's three routes lead to its function, and connecting takes a signature", () => {
  const routes = (context: Record<string, unknown>) =>
    Object.fromEntries(
      [...resources(template(context), "AWS::ApiGatewayV2::Route").values()].map(({ Properties: one }) => [one.RouteKey, one.AuthorizationType]),
    );
  assert.deepEqual(routes({}), { $connect: "AWS_IAM", $disconnect: "NONE", $default: "NONE" });
  assert.equal(routes(open)["$connect"], "NONE");
  const stage = only(template(), "AWS::ApiGatewayV2::Stage").Properties;
  assert.equal(stage.StageName, "live");
  assert.ok(stage.DefaultRouteSettings.ThrottlingRateLimit > 0);
});

test("outputs name what users need", () => {
  const outputs = Object.fromEntries(Object.entries(template().findOutputs("*")).map(([name, output]) => [name, output["Value"]]));
  assert.deepEqual(Object.keys(outputs).sort(), [
    "BedrockCallsBucketName",
    "HoldNextBatchQueueUrl",
    "HttpUrl",
    "InputDeadLetterQueueUrl",
    "InputQueueUrl",
    "RequestsTableName",
    "ResultsQueueUrl",
    "TopicArn",
    "WebSocketUrl",
  ]);
  assert.equal(shown(outputs["HoldNextBatchQueueUrl"]), "Dispatch");
  assert.match(shown(outputs["WebSocketUrl"]), /^wss:\/\/.*\/live$/);
});

test("on an emulator the WebSocket has the emulator's address", () => {
  const stack = template({ local: "http://127.0.0.1:4566" });
  assert.equal(shown(stack.findOutputs("WebSocketUrl")["WebSocketUrl"]?.["Value"]), "ws://127.0.0.1:4566/_aws/execute-api/Sockets/live");
});

test("the topic tells the address that was given what has ended without an answer", () => {
  const subscription = only(template(), "AWS::SNS::Subscription").Properties;
  assert.deepEqual([subscription.Protocol, subscription.Endpoint], ["email", "ops@example.com"]);
  assert.deepEqual(subscription.FilterPolicy, { Status: ["FAILED", "EXPIRED"] });
});
