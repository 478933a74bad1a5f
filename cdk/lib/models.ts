/**
 * What IAM has to allow so that a lane's models can be called.
 *
 * An inference profile is called by its own ARN and by those of its foundation models in every Region it may route
 * to; the latter are allowed only through the profile
 * (https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html).
 */
import type { Lane } from "./lanes";

export interface Callable {
  /** Foundation models, provisioned throughput, imported and custom models: called as they are. */
  readonly direct: readonly string[];
  /** Inference profiles. */
  readonly profiles: readonly string[];
  /** Foundation models behind the profiles, in any Region. */
  readonly behind: readonly string[];
  /** Roles of other accounts, in whose name lanes call. */
  readonly roles: readonly string[];
  /** Regions of lanes that call in their own name. */
  readonly regions: readonly string[];
}

/** Where an inference profile routes to, as its id begins. */
const GEOGRAPHY = /^(?:global|us|us-gov|eu|apac|au|jp|ca|sa|me|af)\./;

export function callable(lanes: readonly Lane[], partition: string, account: string): Callable {
  const [direct, profiles, behind] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const own = lanes.filter((lane) => lane.roleArn === undefined);
  for (const lane of own) {
    for (const model of lane.models) {
      const found = arns(model, lane.region, partition, account);
      if (found.behind === undefined) {
        direct.add(found.arn);
      } else {
        profiles.add(found.arn);
        behind.add(found.behind);
      }
    }
  }
  return {
    direct: [...direct],
    profiles: [...profiles],
    behind: [...behind],
    roles: unique(lanes.flatMap((lane) => lane.roleArn ?? [])),
    regions: unique(own.map((lane) => lane.region)),
  };
}

function arns(model: string, region: string, partition: string, account: string): { arn: string; behind?: string } {
  const anywhere = (id: string) => `arn:${partition}:bedrock:*::foundation-model/${id}`;
  if (model.startsWith("arn:")) {
    if (model.includes(":application-inference-profile/")) return { arn: model, behind: anywhere("*") };
    const id = model.split(":inference-profile/")[1];
    return id === undefined ? { arn: model } : { arn: model, behind: anywhere(id.replace(GEOGRAPHY, "")) };
  }
  if (!GEOGRAPHY.test(model)) return { arn: `arn:${partition}:bedrock:${region}::foundation-model/${model}` };
  return {
    arn: `arn:${partition}:bedrock:${region}:${account}:inference-profile/${model}`,
    behind: anywhere(model.replace(GEOGRAPHY, "")),
  };
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
