/** The two doors that the network reaches: the function URL for HTTP, and the WebSocket. */
import { Annotations, ArnFormat, Stack } from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigatewayv2";
import { WebSocketIamAuthorizer } from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import { WebSocketLambdaIntegration } from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as lambda from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import type { Parameters } from "./parameters";

const STAGE = "live";
/** Messages a second over all connections, and at once. */
const MESSAGES = { rateLimit: 500, burstLimit: 500 };

export function httpDoor(scope: Construct, given: Parameters, http: lambda.Function): lambda.FunctionUrl {
  if (given.auth === "NONE") {
    Annotations.of(scope).addWarningV2(
      "smoother:open",
      "auth=NONE: whoever knows the addresses of the function URL and the WebSocket can spend the quota",
    );
  }
  return http.addFunctionUrl({
    authType: given.auth === "NONE" ? lambda.FunctionUrlAuthType.NONE : lambda.FunctionUrlAuthType.AWS_IAM,
    invokeMode: lambda.InvokeMode.RESPONSE_STREAM,
  });
}

/** The WebSocket. It exists before its function, whose environment and role name it. */
export class Sockets {
  /** What clients connect to. */
  readonly url: string;
  /** Where the functions push to. */
  readonly management: string;
  /** ARN of its `@connections`. */
  readonly connections: string;
  private readonly api: apigateway.WebSocketApi;

  constructor(scope: Construct, given: Parameters) {
    this.api = new apigateway.WebSocketApi(scope, "Sockets", { apiName: `${given.name}-sockets` });
    const stage = new apigateway.WebSocketStage(scope, "SocketsStage", {
      webSocketApi: this.api,
      stageName: STAGE,
      autoDeploy: true,
      throttle: MESSAGES,
    });
    this.url = stage.url;
    this.management = stage.callbackUrl;
    if (given.local !== undefined) {
      // The emulator serves every API under its own address.
      const path = `/_aws/execute-api/${this.api.apiId}/${STAGE}`;
      [this.url, this.management] = [given.local.replace(/^http/, "ws") + path, given.local + path];
    }
    this.connections = Stack.of(scope).formatArn({
      service: "execute-api",
      resource: this.api.apiId,
      resourceName: `${STAGE}/*/@connections/*`,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
  }

  /** Has `ws` serve it. */
  serve(given: Parameters, ws: lambda.Function): void {
    const route = (key: string, id: string, options: Partial<apigateway.WebSocketRouteOptions> = {}) =>
      this.api.addRoute(key, { integration: new WebSocketLambdaIntegration(id, ws), ...options });
    route("$connect", "Connect", given.auth === "NONE" ? {} : { authorizer: new WebSocketIamAuthorizer() });
    route("$disconnect", "Disconnect");
    // The emulator gives the answer back by itself, and knows no resource for it.
    route("$default", "Message", { returnResponse: given.local === undefined });
  }
}
