/** The six functions: a role each, a log each, one asset. */
import { ArnFormat, Duration, RemovalPolicy, Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import type { IKey } from "aws-cdk-lib/aws-kms";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as logs from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";
import { type Parts, statements } from "./grants";
import type { Parameters } from "./parameters";
import { ROLES, type Role, SHAPES } from "./shapes";

export type Functions = Readonly<Record<Role, lambda.Function>>;

/** Invocations of the input function and of the results function at once. */
export const INPUT_AT_ONCE = 10;
const RESULTS_AT_ONCE = 10;
/** Messages of WebSockets handled at once. */
const MESSAGES_AT_ONCE = 50;

/**
 * A holder whose time is up calls the next, and a worker that has ended a call may wake one, whose releases come to a
 * worker again: chains without an end while there is work, which Lambda would break off after about 16 links
 * (https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html). What bounds them is the lane's lease: one
 * holder a lane, whoever is called for nothing goes at once.
 */
const HANDS_ON: readonly Role[] = ["prioritizer", "worker"];

export function functionName(name: string, role: Role): string {
  return `${name}-${role}`;
}

/** ARN by name: the prioritizer's role names the prioritizer, which CloudFormation could not resolve otherwise. */
export function functionArn(stack: Stack, name: string, role: Role): string {
  const resource = { service: "lambda", resource: "function", resourceName: functionName(name, role) };
  return stack.formatArn({ ...resource, arnFormat: ArnFormat.COLON_RESOURCE_NAME });
}

export function functions(
  scope: Construct,
  given: Parameters,
  code: lambda.Code,
  parts: Parts,
  environment: Readonly<Record<string, string>>,
  logged: { readonly removal: RemovalPolicy; readonly key: IKey | undefined },
): Functions {
  const one = (role: Role) => {
    const id = role[0]?.toUpperCase() + role.slice(1);
    const logGroup = new logs.LogGroup(scope, `${id}Log`, {
      retention: given.logRetentionDays as logs.RetentionDays,
      removalPolicy: logged.removal,
      ...(logged.key && { encryptionKey: logged.key }),
    });
    const reserved = given.reserveConcurrency ? atOnce(role, given, parts.lanes.length) : undefined;
    return new lambda.Function(scope, `${id}Function`, {
      functionName: functionName(given.name, role),
      description: `Bedrock Smoother: ${SHAPES[role].does}`,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: given.architecture === "arm64" ? lambda.Architecture.ARM_64 : lambda.Architecture.X86_64,
      handler: role,
      code,
      memorySize: SHAPES[role].memoryMb,
      timeout: Duration.seconds(SHAPES[role].timeoutSeconds),
      role: roleOf(scope, id, role, parts, logGroup.logGroupArn),
      logGroup,
      environment: { ...environment },
      ...(HANDS_ON.includes(role) && { recursiveLoop: lambda.RecursiveLoop.ALLOW }),
      ...(reserved !== undefined && { reservedConcurrentExecutions: reserved }),
      // A wake that fails is not repeated: the schedule catches it a minute later at most.
      ...(role === "prioritizer" && { retryAttempts: 0, maxEventAge: Duration.minutes(1) }),
    });
  };
  return Object.fromEntries(ROLES.map((role) => [role, one(role)])) as unknown as Functions;
}

/** How many may run at once. A lane has one holder, and two for as long as one hands over to the next. */
function atOnce(role: Role, given: Parameters, lanes: number): number {
  return {
    input: INPUT_AT_ONCE,
    http: given.maxWaitingCallers,
    ws: MESSAGES_AT_ONCE,
    prioritizer: 2 * lanes + 2,
    worker: given.maxConcurrentExecutions,
    results: RESULTS_AT_ONCE,
  }[role];
}

function roleOf(scope: Construct, id: string, role: Role, parts: Parts, logGroup: string): iam.IRole {
  const made = new iam.Role(scope, `${id}Role`, {
    assumedBy: new iam.ServicePrincipal("lambda.amazonaws.com"),
    description: `Bedrock Smoother: what the ${role} function may do`,
    inlinePolicies: { does: new iam.PolicyDocument({ statements: statements(role, parts, logGroup) }) },
  });
  // Whatever a construct would add by itself is left out: grants.ts is the whole truth.
  return made.withoutPolicyUpdates();
}
