/** cdk-nag's rules of AWS Solutions find what is explained here, and nothing else. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Validations } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { app } from "./house";

interface Explained {
  /** Rule, with what it found where it says so. */
  readonly rule: RegExp;
  /** Path of the construct, without the stack's name. */
  readonly at: RegExp;
  readonly because: string;
}

const EXPLAINED: readonly Explained[] = [
  {
    rule: /^AwsSolutions-S1$/,
    at: /^BedrockCalls$/,
    because: "Only the functions read and write it; who wants a record of that has CloudTrail's data events.",
  },
  {
    rule: /^AwsSolutions-SQS3$/,
    at: /^Results$/,
    because: "Whoever consumes it decides after how many receives a message is given up; what it tells is stored.",
  },
  {
    rule: /^AwsSolutions-SQS3$/,
    at: /^Lane-/,
    because: "Its reader deletes whatever it has received, also what it cannot read; what waits stands in the table.",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::<BedrockCalls\.Arn>\/(bodies|results|inbox|inbox\/uploads)\/\*\]$/,
    at: /^(Input|Http|Ws|Prioritizer|Worker|Results)Role$/,
    because: "Objects are named by requests; each function is held to the prefixes that it works on.",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:<AWS::Partition>:execute-api:.*\/live\/\*\/@connections\/\*\]$/,
    at: /^(Ws|Results)Role$/,
    because: "Connections have names of the moment; the grant is for those of this API's one stage.",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:<AWS::Partition>:bedrock:\*::foundation-model\/anthropic\.claude-sonnet-4-5-20250929-v1:0\]$/,
    at: /^(Http|Worker)Role$/,
    because: "An inference profile chooses the Region; a condition allows its model through the profile only.",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::arn:<AWS::Partition>:bedrock:us-(east-1|west-2):<AWS::AccountId>:guardrail\/\*\]$/,
    at: /^(Http|Worker)Role$/,
    because: "Which guardrail a call names is its caller's choice, among the account's own.",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::\*\]$/,
    at: /^ResultsRole$/,
    because: "dynamodb:ListStreams, which Lambda asks for, knows no resource.",
  },
  {
    rule: /^AwsSolutions-APIG4$/,
    at: /^Sockets\/\$(disconnect|default)-Route$/,
    because: "A WebSocket is authorized when it connects; API Gateway knows no authorization of its other routes.",
  },
  {
    rule: /^AwsSolutions-APIG1$/,
    at: /^SocketsStage$/,
    because: "It takes a role in the account's settings of API Gateway, which are not this stack's to change.",
  },
];

const OPEN: Explained = {
  rule: /^AwsSolutions-APIG4$/,
  at: /^Sockets\/\$connect-Route$/,
  because: "auth=NONE was asked for, and is warned of.",
};

for (const [context, explained] of [
  [{}, EXPLAINED],
  [{ encryption: "kms" }, EXPLAINED],
  [{ auth: "NONE" }, [...EXPLAINED, OPEN]],
] as const) {
  test(`cdk-nag finds what is explained, with ${JSON.stringify(context)}`, () => {
    const found = findings(context);
    const covers = (one: Explained, [rule, at]: readonly [string, string]) => one.rule.test(rule) && one.at.test(at);
    const unexplained = found.filter((finding) => !explained.some((one) => covers(one, finding)));
    assert.deepEqual(unexplained, [], "not explained");
    const stale = explained.filter((one) => !found.some((finding) => covers(one, finding)));
    assert.deepEqual(stale, [], "explained, but not found");
  });
}

/** Rule and construct of everything that is found. */
function findings(context: Record<string, unknown>): [string, string][] {
  const made = app(context);
  Validations.of(made.app).addPlugins(new AwsSolutionsChecks(made.app));
  assert.throws(() => made.app.synth(), { name: "ValidationFailed" });
  const report = JSON.parse(readFileSync(join(made.app.outdir, "validation-report.json"), "utf8"));
  return report.pluginReports.flatMap((plugin: any) =>
    plugin.violations.flatMap((violation: any) =>
      violation.violatingConstructs.map((construct: any) => [
        violation.ruleName.replace(/<(\w+?)[0-9A-F]{8}(\.\w+)?>/g, "<$1$2>"),
        construct.constructPath.replace(/^[^/]*\//, "").replace(/\/Resource$/, ""),
      ]),
    ),
  );
}
