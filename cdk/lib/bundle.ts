/** The one asset of all functions: the binary, and the configuration beside it. */
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "aws-cdk-lib/aws-lambda";

/** Copies both into `folder`, which must be there until the functions are made; the CDK then has its own copy. */
export function bundle(folder: string, bootstrap: string, config: string): Code {
  for (const [from, name, mode] of [[bootstrap, "bootstrap", 0o755], [config, "smoother.toml", 0o644]] as const) {
    copyFileSync(from, join(folder, name));
    chmodSync(join(folder, name), mode);
  }
  return Code.fromAsset(folder);
}
