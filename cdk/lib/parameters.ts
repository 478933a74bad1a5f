/**
 * What a deployment is told: the parameters, each with its form and default, read from the CDK's context
 * (`-c name=value`, or `context` in cdk.json). Every mistake is reported at once.
 */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { Node } from "constructs";
import type { Architecture } from "./binary";
import { Mistake } from "./mistake";

export interface Parameters {
  /** Where the stack lives; lanes name the Regions they call themselves. */
  readonly awsRegion: string;
  /** Who is told by the topic. */
  readonly notificationEmail: string;
  /** Seconds: what one call takes while nothing has been measured. */
  readonly averageRequestDuration: number;
  /** Minutes: the release horizon. */
  readonly minutesToProcess: number;
  /** Invocations of the worker at once; a cap on spending, the lanes' quotas limit the calls. */
  readonly maxConcurrentExecutions: number;
  /** Errors within an evaluation period at which alarms go off. */
  readonly alarmThreshold: number;
  readonly alarmEvaluationPeriods: number;
  readonly dashboardName: string;
  /** Released requests that nobody has claimed yet: no more are released above it. */
  readonly queueDepthThreshold: number;

  /** Name of the stack and of everything in it. */
  readonly name: string;
  /** Absolute path of smoother.toml, the same as on one machine. */
  readonly config: string;
  /** Absolute path of the binary of all functions. */
  readonly bootstrap: string;
  readonly architecture: Architecture;
  /** What becomes of the table, the bucket and the queues that hold work when the stack is removed. */
  readonly removal: "retain" | "destroy";
  /** How callers of the function URL and the WebSocket prove who they are. */
  readonly auth: "AWS_IAM" | "NONE";
  /** AWS-owned keys, or a key of the account's own. */
  readonly encryption: "aws" | "kms";
  readonly logRetentionDays: number;
  /** Whether functions reserve concurrency, which also caps them; accounts with a small limit cannot. */
  readonly reserveConcurrency: boolean;
  /** Callers that may wait at the function URL at once; each holds one execution. */
  readonly maxWaitingCallers: number;
  /** From which level on the functions log. */
  readonly log: "error" | "warn" | "info" | "debug" | "trace";
  /** SQS SenderId to tenant. */
  readonly senders: Readonly<Record<string, string>>;
  /** Whether the `Tenant` attribute of a message is believed. */
  readonly trustTenant: boolean;
  /** The emulator's URL, where the stack runs on one: leaves out what an emulator lacks. */
  readonly local: string | undefined;
}

/** Days that CloudWatch Logs can retain for. */
const RETENTION_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

type Reading<T> = { readonly form: string; readonly read: (given: unknown) => T | undefined };

const text = (form: string, pattern: RegExp): Reading<string> => ({
  form,
  read: (given) => (typeof given === "string" && pattern.test(given) ? given : undefined),
});

const whole = (least: number, most: number): Reading<number> => ({
  form: `a whole number from ${least} to ${most}`,
  read: (given) => {
    const digits = typeof given === "number" || typeof given === "string" ? String(given) : "";
    const value = /^\d{1,9}$/.test(digits) ? Number(digits) : NaN;
    return value >= least && value <= most ? value : undefined;
  },
});

const oneOf = <T extends string>(...words: readonly T[]): Reading<T> => ({
  form: words.join(" or "),
  read: (given) => words.find((word) => word === given),
});

const flag: Reading<boolean> = {
  form: "true or false",
  read: (given) => (String(given) === "true" ? true : String(given) === "false" ? false : undefined),
};

const path: Reading<string> = {
  form: "the path of a file, relative to cdk/",
  read: (given) => {
    if (typeof given !== "string" || given === "") return undefined;
    const found = resolve(given);
    return statSync(found, { throwIfNoEntry: false })?.isFile() ? found : undefined;
  },
};

const senders: Reading<Record<string, string>> = {
  form: 'JSON of SQS sender ids and their tenants, such as {"AIDACKCEVSQ6C2EXAMPLE": "acme"}',
  read: (given) => {
    try {
      const value: unknown = typeof given === "string" ? JSON.parse(given) : given;
      const named = (entry: unknown): entry is string => typeof entry === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(entry);
      if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
      return Object.values(value).every(named) ? (value as Record<string, string>) : undefined;
    } catch {
      return undefined;
    }
  },
};

const days: Reading<number> = {
  form: `one of ${RETENTION_DAYS.join(", ")}`,
  read: (given) => RETENTION_DAYS.find((day) => String(day) === String(given)),
};

/** Name of the context key, its form, and its default (`undefined`: required). */
const TABLE = {
  awsRegion: ["aws_region", text("an AWS Region, such as us-east-1", /^[a-z]+(-[a-z]+)+-\d+$/), "us-east-1"],
  notificationEmail: ["notification_email", text("an e-mail address", /^[^@\s]+@[^@\s]+\.[^@\s]+$/), undefined],
  averageRequestDuration: ["average_request_duration", whole(1, 900), 5],
  minutesToProcess: ["minutes_to_process", whole(1, 1440), 5],
  maxConcurrentExecutions: ["max_concurrent_executions", whole(2, 1000), 30],
  alarmThreshold: ["alarm_threshold", whole(1, 1_000_000), 5],
  alarmEvaluationPeriods: ["alarm_evaluation_periods", whole(1, 100), 1],
  dashboardName: ["dashboard_name", text("1 to 255 characters of A-Z a-z 0-9 - _", /^[A-Za-z0-9_-]{1,255}$/), "bedrock-errors"],
  queueDepthThreshold: ["queue_depth_threshold", whole(1, 120_000), 100],
  name: ["name", text("1 to 40 characters of A-Z a-z 0-9 -, the first a letter", /^[A-Za-z][A-Za-z0-9-]{0,39}$/), "bedrock-smoother"],
  config: ["config", path, "../smoother.toml"],
  bootstrap: ["bootstrap", path, "../target/lambda/bootstrap"],
  architecture: ["architecture", oneOf("x86_64", "arm64"), "x86_64"],
  removal: ["removal", oneOf("retain", "destroy"), "retain"],
  auth: ["auth", oneOf("AWS_IAM", "NONE"), "AWS_IAM"],
  encryption: ["encryption", oneOf("aws", "kms"), "aws"],
  logRetentionDays: ["log_retention_days", days, 30],
  reserveConcurrency: ["reserve_concurrency", flag, true],
  maxWaitingCallers: ["max_waiting_callers", whole(1, 10_000), 200],
  log: ["log", oneOf("error", "warn", "info", "debug", "trace"), "info"],
  senders: ["senders", senders, {}],
  trustTenant: ["trust_tenant", flag, false],
} as const satisfies Record<Exclude<keyof Parameters, "local">, readonly [string, Reading<unknown>, unknown]>;

const LOCAL = ["local", text("the emulator's URL, such as http://127.0.0.1:4566", /^http:\/\/\S+$/)] as const;

/** Every context key there is. */
export const KEYS: readonly string[] = [...Object.values(TABLE).map(([key]) => key), LOCAL[0]];

/** The parameters of this run; throws with every mistake in it. */
export function parameters(node: Node): Parameters {
  const mistakes: string[] = [];
  const value = <T>(key: string, reading: Reading<T>, preset: unknown, required: boolean): T | undefined => {
    const given: unknown = node.tryGetContext(key) ?? preset;
    if (given === undefined) {
      if (required) mistakes.push(`${key} is required: ${reading.form} (-c ${key}=…)`);
      return undefined;
    }
    const read = reading.read(given);
    if (read === undefined) mistakes.push(`${key} is ${JSON.stringify(given)}; allowed: ${reading.form}`);
    return read;
  };
  const read: Record<string, unknown> = {};
  for (const [field, [key, reading, preset]] of Object.entries(TABLE)) {
    read[field] = value<unknown>(key, reading, preset, true);
  }
  read["local"] = value(LOCAL[0], LOCAL[1], undefined, false);
  mistakes.push(...unknownKeys(node));
  if (mistakes.length > 0) throw new Mistake("The parameters of this deployment are wrong:", mistakes);
  return read as unknown as Parameters;
}

/** A misspelled key would otherwise be a default in silence. The CDK's own keys hold a colon or a slash. */
function unknownKeys(node: Node): string[] {
  const given = Object.keys(node.getAllContext() as Record<string, unknown>);
  return given
    .filter((key) => !/[:/@]/.test(key) && !KEYS.includes(key))
    .map((key) => `${key} is no parameter; there are: ${KEYS.join(", ")}`);
}
