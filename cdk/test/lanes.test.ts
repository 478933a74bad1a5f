import assert from "node:assert/strict";
import { test } from "node:test";
import { configuration } from "../lib/lanes";
import { callable } from "../lib/models";
import { LANES, refusal } from "./house";

test("lanes are read from the file of one machine", () => {
  const { lanes, retentionHours } = configuration(LANES, "smoother.toml");
  assert.deepEqual(
    lanes.map((lane) => [lane.name, lane.region, lane.models.length]),
    [["sonnet", "us-east-1", 1], ["haiku", "us-west-2", 1], ["other-account", "us-west-2", 1]],
  );
  assert.equal(lanes[2]?.roleArn, "arn:aws:iam::210987654321:role/calls");
  assert.equal(retentionHours, 168);
  assert.equal(configuration(`[server]\nretention_minutes = 90\n${LANES}`, "x").retentionHours, 1.5);
});

test("what cannot be deployed is refused with its place", () => {
  assert.match(refusal(() => configuration("", "a.toml")), /a\.toml.*\n.*no lane/);
  assert.match(refusal(() => configuration("[lanes.a]\nregion = 5", "a.toml")), /lanes\.a\.models.*\n.*lanes\.a\.region/s);
  assert.match(refusal(() => configuration("[lanes.a\n", "a.toml")), /a\.toml is not TOML/);
});

test("a model id is called at its Region, a profile also behind itself, anywhere", () => {
  const found = callable(configuration(LANES, "smoother.toml").lanes, "aws", "123456789012");
  assert.deepEqual(found, {
    direct: ["arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"],
    profiles: ["arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"],
    behind: ["arn:aws:bedrock:*::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"],
    // A lane of another account's role is called as that role, not in the function's own name.
    roles: ["arn:aws:iam::210987654321:role/calls"],
    regions: ["us-east-1", "us-west-2"],
  });
});

test("ARNs are taken as they are", () => {
  const lane = (model: string) => ({ name: "a", region: "us-east-1", models: [model], roleArn: undefined });
  const of = (model: string) => callable([lane(model)], "aws", "123456789012");
  const application = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
  assert.deepEqual(of(application).profiles, [application]);
  assert.deepEqual(of(application).behind, ["arn:aws:bedrock:*::foundation-model/*"]);
  const profile = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/global.amazon.nova-2-lite-v1:0";
  assert.deepEqual(of(profile).behind, ["arn:aws:bedrock:*::foundation-model/amazon.nova-2-lite-v1:0"]);
  const provisioned = "arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc";
  assert.deepEqual([of(provisioned).direct, of(provisioned).profiles], [[provisioned], []]);
});
