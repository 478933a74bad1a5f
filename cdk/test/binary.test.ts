import assert from "node:assert/strict";
import { test } from "node:test";
import { type Architecture, check, mistakesIn } from "../lib/binary";
import { file, MINIMUM } from "./house";

/** The head of a program for this processor, and the versions of symbols that it asks for. */
function program(machine: number, ...versions: string[]): Buffer {
  const head = Buffer.alloc(64);
  head.write("\x7fELF\x02\x01\x01", "latin1");
  head.writeUInt16LE(machine, 0x12);
  return Buffer.concat([head, Buffer.from(`\0${versions.join("\0")}\0`, "latin1")]);
}

const X86 = 0x3e;
const ARM = 0xb7;

test("a program for the functions' processor and C library passes", () => {
  for (const [machine, architecture] of [[X86, "x86_64"], [ARM, "arm64"]] as [number, Architecture][]) {
    assert.deepEqual(mistakesIn(program(machine, "GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.17"), architecture), []);
    assert.deepEqual(mistakesIn(program(machine), architecture), [], "one that is linked statically");
  }
});

test("one for another processor is told apart", () => {
  assert.match(mistakesIn(program(ARM), "x86_64").join(), /not for x86_64.*--target x86_64-unknown-linux-gnu/);
  assert.match(mistakesIn(program(X86), "arm64").join(), /not for arm64.*--target aarch64-unknown-linux-gnu/);
});

test("one that needs a newer C library than Lambda has is told which", () => {
  assert.match(mistakesIn(program(X86, "GLIBC_2.4", "GLIBC_2.39", "GLIBC_2.34"), "x86_64").join(), /glibc 2\.39, and there is 2\.34/);
  assert.match(mistakesIn(program(X86, "GLIBC_3.0"), "x86_64").join(), /glibc 3\.0/);
});

test("what is no program is named with its path", () => {
  assert.throws(() => check(MINIMUM.bootstrap, "x86_64"), /bootstrap cannot run on Lambda:\n {2}it is no 64-bit program/);
  assert.throws(() => check(file("empty", ""), "arm64"), /no 64-bit program/);
});
