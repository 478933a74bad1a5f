/** Something that whoever deploys has got wrong: told in its own words, without a trace of the program. */
export class Mistake extends Error {
  constructor(what: string, each: readonly string[]) {
    super([what, ...each.map((mistake) => `  ${mistake}`)].join("\n"));
  }
}
