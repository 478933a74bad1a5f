/** Whether a binary can run on Lambda's provided.al2023, before it is uploaded: there it would only fail at its first call. */
import { readFileSync } from "node:fs";
import { Mistake } from "./mistake";

export type Architecture = "x86_64" | "arm64";

/** `e_machine` of an ELF file (System V ABI, and its processor supplements). */
const MACHINES: Record<Architecture, number> = { x86_64: 0x3e, arm64: 0xb7 };
/** The C library of Amazon Linux 2023. */
const GLIBC: Version = [2, 34];
/** What Lambda takes of a function with its layers, unpacked. */
const LARGEST_MB = 250;

type Version = [major: number, minor: number];

/** Throws the mistakes in `path` as the bootstrap of functions of this architecture. */
export function check(path: string, architecture: Architecture): void {
  const mistakes = mistakesIn(readFileSync(path), architecture);
  if (mistakes.length > 0) throw new Mistake(`${path} cannot run on Lambda:`, mistakes);
}

export function mistakesIn(binary: Buffer, architecture: Architecture): string[] {
  const isElf = binary.length >= 64 && binary.subarray(0, 6).equals(Buffer.from("\x7fELF\x02\x01", "latin1"));
  if (!isElf) return ["it is no 64-bit program for Linux; build it with `cargo build --profile lambda -p smoother-bootstrap`"];
  const mistakes = [];
  if (binary.readUInt16LE(0x12) !== MACHINES[architecture]) {
    const target = `${architecture === "arm64" ? "aarch64" : "x86_64"}-unknown-linux-gnu`;
    mistakes.push(`it is not for ${architecture}: build it with \`--target ${target}\`, or set -c architecture`);
  }
  const needs = newest(binary);
  if (needs && compare(needs, GLIBC) > 0) {
    mistakes.push(`it needs glibc ${needs.join(".")}, and there is ${GLIBC.join(".")}: build it on a system as old as that, or with cargo-zigbuild`);
  }
  const size = binary.length / 1e6;
  if (size > LARGEST_MB) mistakes.push(`it has ${Math.round(size)} MB, and a function may have ${LARGEST_MB}: build it with \`--profile lambda\``);
  return mistakes;
}

/** The newest version of glibc that it asks for by name (.gnu.version_r). */
function newest(binary: Buffer): Version | undefined {
  const all = binary.toString("latin1").matchAll(/\0GLIBC_(\d+)\.(\d+)(?:\.\d+)?(?=\0)/g);
  const versions = Array.from(all, ([, major, minor]): Version => [Number(major), Number(minor)]);
  return versions.sort(compare).at(-1);
}

function compare([a, b]: Version, [c, d]: Version): number {
  return a - c || b - d;
}
