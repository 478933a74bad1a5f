/** A stack as a test wants it: real parameters and a real smoother.toml; only the binary is a file of one line. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { App, type Stack } from "aws-cdk-lib";
import { Template } from "aws-cdk-lib/assertions";
import { bundle } from "../lib/bundle";
import { configuration } from "../lib/lanes";
import { Mistake } from "../lib/mistake";
import { parameters } from "../lib/parameters";
import { SmootherStack } from "../lib/stack";

export const LANES = `
[lanes.sonnet]
models = ["us.anthropic.claude-sonnet-4-5-20250929-v1:0"]
region = "us-east-1"
tokens_per_minute = 300000
fallback = ["haiku"]

[lanes.haiku]
model = "anthropic.claude-3-haiku-20240307-v1:0"
region = "us-west-2"
tokens_per_minute = 1000000

[lanes.other-account]
model = "anthropic.claude-3-haiku-20240307-v1:0"
region = "us-west-2"
role_arn = "arn:aws:iam::210987654321:role/calls"
tokens_per_minute = 1000000
`;

const folder = mkdtempSync(join(tmpdir(), "smoother-cdk-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

export function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const bundled = join(folder, "bundle");
mkdirSync(bundled);

export const MINIMUM = {
  notification_email: "ops@example.com",
  config: file("smoother.toml", LANES),
  bootstrap: file("bootstrap", "#!/bin/true\n"),
};

export function app(context: Record<string, unknown> = {}): { app: App; stack: Stack } {
  const app = new App({ context: { ...MINIMUM, ...context } });
  const given = parameters(app.node);
  const stack = new SmootherStack(app, given.name, {
    given,
    configuration: configuration(LANES, "smoother.toml"),
    code: bundle(bundled, given.bootstrap, given.config),
    env: { region: given.awsRegion },
  });
  return { app, stack };
}

const templates = new Map<string, Template>();

export function template(context: Record<string, unknown> = {}): Template {
  const known = JSON.stringify(context);
  const made = templates.get(known) ?? Template.fromStack(app(context).stack);
  templates.set(known, made);
  return made;
}

export interface Resource {
  readonly Type: string;
  readonly Properties: any;
  readonly DeletionPolicy?: string;
}

/** The resources of a type, by the name of their construct. */
export function resources(of: Template, type: string): Map<string, Resource> {
  return new Map(Object.entries(of.findResources(type)).map(([id, found]) => [named(id), found as Resource]));
}

/** A logical id without the hash behind it. */
export function named(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, "");
}

export function only(of: Template, type: string): Resource {
  const [found, ...more] = resources(of, type).values();
  if (found === undefined || more.length > 0) throw new Error(`there are ${more.length + 1} of ${type}`);
  return found;
}

/** A value of the template as one line of text: `Input`, `Requests/index/waiting`. */
export function shown(value: unknown): string {
  if (typeof value === "string") return value;
  const { Ref, "Fn::GetAtt": attribute, "Fn::Join": join } = value as Record<string, any>;
  if (typeof Ref === "string") return Ref.startsWith("AWS::") ? `\${${Ref}}` : named(Ref);
  if (Array.isArray(attribute)) return attribute[1] === "Arn" ? named(attribute[0]) : `${named(attribute[0])}.${attribute[1]}`;
  if (Array.isArray(join)) return (join[1] as unknown[]).map(shown).join(join[0]);
  throw new Error(`cannot be shown: ${JSON.stringify(value)}`);
}

/** What somebody is told whose deployment is refused. */
export function refusal(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof Mistake) return error.message;
    throw error;
  }
  throw new Error("it was not refused");
}
