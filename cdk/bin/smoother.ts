/** The deployment, as the CDK's command runs it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, CliCredentialsStackSynthesizer } from "aws-cdk-lib";
import { check } from "../lib/binary";
import { bundle } from "../lib/bundle";
import { configuration } from "../lib/lanes";
import { Mistake } from "../lib/mistake";
import { parameters } from "../lib/parameters";
import { SmootherStack } from "../lib/stack";

const folder = mkdtempSync(join(tmpdir(), "smoother-bundle-"));
try {
  const app = new App();
  const given = parameters(app.node);
  // The emulator runs it here.
  if (!given.local) check(given.bootstrap, given.architecture);
  const account = process.env["CDK_DEFAULT_ACCOUNT"];
  new SmootherStack(app, given.name, {
    given,
    configuration: configuration(readFileSync(given.config, "utf8"), given.config),
    code: bundle(folder, given.bootstrap, given.config),
    env: { region: given.awsRegion, ...(account && { account }) },
    // The emulator has no roles of a bootstrap stack that enforce anything.
    ...(given.local && { synthesizer: new CliCredentialsStackSynthesizer() }),
  });
  app.synth();
} catch (error) {
  if (!(error instanceof Mistake)) throw error;
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
