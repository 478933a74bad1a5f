/**
 * The lanes of smoother.toml, as far as a deployment is concerned with them: a queue each, and whom the functions
 * may call. What else stands in the file is the functions' business; `smoother check-config` judges all of it.
 */
import { parse, TomlError } from "smol-toml";
import { Mistake } from "./mistake";

export interface Lane {
  readonly name: string;
  /** Region of the quota. */
  readonly region: string;
  /** Ids, profile ids or ARNs. */
  readonly models: readonly string[];
  /** Role of another account; its calls are made as it. */
  readonly roleArn: string | undefined;
}

export interface Configuration {
  readonly lanes: readonly Lane[];
  /** How long results stay readable. */
  readonly retentionHours: number;
}

/** Reads the text of `file`; throws with every mistake that concerns the deployment. */
export function configuration(text: string, file: string): Configuration {
  const mistakes: string[] = [];
  const root = table(document(text, file));
  const sections = Object.entries(table(root["lanes"]));
  if (sections.length === 0) mistakes.push("it has no lane: name at least one, [lanes.NAME]");
  const lanes = sections.map(([name, section]) => lane(name, table(section), mistakes));
  const retentionHours = retention(table(root["server"]), mistakes);
  if (mistakes.length > 0) {
    throw new Mistake(`${file} cannot be deployed (smoother check-config tells more):`, mistakes);
  }
  return { lanes, retentionHours };
}

function document(text: string, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof TomlError) throw new Mistake(`${file} is not TOML:`, error.message.split("\n"));
    throw error;
  }
}

function lane(name: string, section: Record<string, unknown>, mistakes: string[]): Lane {
  const wrong = (key: string, form: string) => mistakes.push(`lanes.${name}.${key} has to be ${form}`);
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) wrong("", "named with 1 to 64 characters of A-Z a-z 0-9 . _ -");
  const models = section["models"] ?? (section["model"] === undefined ? undefined : [section["model"]]);
  if (!isTexts(models)) wrong("models", "a list of at least one model id, inference profile id or ARN");
  const region = section["region"];
  if (typeof region !== "string") wrong("region", 'an AWS Region, such as "us-east-1"');
  const roleArn = section["role_arn"];
  if (roleArn !== undefined && typeof roleArn !== "string") wrong("role_arn", "the ARN of an IAM role");
  return {
    name,
    region: String(region),
    models: isTexts(models) ? [...models, ...called(section)] : [],
    roleArn: typeof roleArn === "string" ? roleArn : undefined,
  };
}

/** The model that is called in place of the one a caller names. */
function called(section: Record<string, unknown>): string[] {
  const model = section["call_model"];
  return typeof model === "string" ? [model] : [];
}

function retention(server: Record<string, unknown>, mistakes: string[]): number {
  const minutes = server["retention_minutes"];
  const hours = server["retention_hours"] ?? (minutes === undefined ? 168 : Number(minutes) / 60);
  if (typeof hours === "number" && hours > 0) return hours;
  mistakes.push("server.retention_hours has to be a whole number of hours, at least 1");
  return 168;
}

function table(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === "string" && entry !== "");
}
