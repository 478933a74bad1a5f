/** The six functions: one binary, the role by the handler's name. */
export const ROLES = ["input", "http", "ws", "prioritizer", "worker", "results"] as const;
export type Role = (typeof ROLES)[number];

export interface Shape {
  /** What it is for, as its description says. */
  readonly does: string;
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
}

export const SHAPES: Readonly<Record<Role, Shape>> = {
  input: { does: "takes requests from the input queue", memoryMb: 512, timeoutSeconds: 60 },
  http: { does: "serves every HTTP door behind the function URL", memoryMb: 1024, timeoutSeconds: 900 },
  ws: { does: "serves the WebSocket", memoryMb: 512, timeoutSeconds: 29 },
  prioritizer: { does: "holds a lane and decides who goes next", memoryMb: 1024, timeoutSeconds: 900 },
  worker: { does: "calls Bedrock", memoryMb: 1024, timeoutSeconds: 900 },
  results: { does: "tells what has ended", memoryMb: 512, timeoutSeconds: 60 },
};
