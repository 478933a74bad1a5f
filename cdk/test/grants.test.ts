/** docs/aws.md shows what each function may do; here it is compared with what the template gives it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROLES } from "../lib/shapes";
import { resources, shown, template } from "./house";

interface Statement {
  readonly Sid: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}

const stack = template();
const listed = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value]);

function granted(role: string, of = stack): Statement[] {
  const id = `${role[0]?.toUpperCase()}${role.slice(1)}Role`;
  const found = resources(of, "AWS::IAM::Role").get(id)?.Properties;
  assert.ok(found, id);
  assert.equal(found.ManagedPolicyArns, undefined, `${id} has managed policies`);
  assert.equal(found.Policies.length, 1);
  return found.Policies[0].PolicyDocument.Statement;
}

/** Resources that depend on smoother.toml, as the table calls them. */
const OF_THE_LANES: Readonly<Record<string, string>> = {
  CallModels: "the lanes' models",
  CallProfiles: "the lanes' inference profiles",
  CallBehindProfiles: "the models behind them, through the profile only",
  CallAsOtherAccount: "the lanes' `role_arn`",
  ApplyGuardrails: "guardrails of the lanes' Regions",
};

function row(role: string, statement: Statement): string {
  const on = listed(statement.Resource).map((one) => {
    const text = shown(one);
    return text.startsWith("Lane") ? "`Lane-*`" : `\`${text.replace(/^arn:\$\{AWS::Partition\}:\w[\w-]*:us-east-1:\$\{AWS::AccountId\}:/, "")}\``;
  });
  const where = OF_THE_LANES[statement.Sid] ?? [...new Set(on)].join(", ");
  return `| ${role} | ${statement.Sid} | ${listed(statement.Action).map((action) => `\`${action}\``).join(", ")} | ${where} |`;
}

test("the table in docs/aws.md is what each function may do", () => {
  const expected = ROLES.flatMap((role) => granted(role).map((statement) => row(role, statement)));
  const text = readFileSync(join(import.meta.dirname, "../../docs/aws.md"), "utf8");
  const stated = text.split("\n").filter((line) => ROLES.some((role) => line.startsWith(`| ${role} | `)) && line.split("|").length === 6);
  assert.deepEqual(stated, expected, `the table has to read:\n${expected.join("\n")}\n`);
});

test("no function has a policy beside the one that is written out", () => {
  assert.equal(resources(stack, "AWS::IAM::Policy").size, 0);
  assert.equal(resources(stack, "AWS::IAM::Role").size, ROLES.length);
});

test("every statement names its actions one by one, and its resources but where IAM knows none", () => {
  for (const role of ROLES) {
    for (const statement of granted(role)) {
      assert.equal(statement.Effect, "Allow");
      for (const action of listed(statement.Action)) assert.ok(!action.includes("*"), `${role}: ${action}`);
      const everything = listed(statement.Resource).some((one) => shown(one) === "*");
      assert.equal(everything, statement.Sid === "ListStreams", `${role}: ${statement.Sid}`);
    }
  }
});

test("what a profile routes to is called through the profile only", () => {
  for (const role of ["http", "worker"]) {
    const behind = granted(role).find((statement) => statement.Sid === "CallBehindProfiles");
    assert.deepEqual(Object.keys(behind?.Condition as object), ["ArnLike"]);
  }
});

test("only who calls Bedrock may, and only who releases may dispatch", () => {
  const who = (sid: string) => ROLES.filter((role) => granted(role).some((statement) => statement.Sid === sid));
  assert.deepEqual(who("CallModels"), ["http", "worker"]);
  assert.deepEqual(who("Dispatch"), ["prioritizer"]);
  assert.deepEqual(who("TakeInput"), ["input"]);
});

test("with a key of the account's own, every function may use it and no other", () => {
  const kms = template({ encryption: "kms" });
  for (const role of ROLES) {
    const statement = granted(role, kms).find(({ Sid }) => Sid === "Decrypt");
    assert.equal(shown(statement?.Resource), "Key", role);
  }
});
