import assert from "node:assert/strict";
import { test } from "node:test";

import { Levels, oneIn, showP } from "./levels.ts";

const levels = new Levels([
  { share: 0.01, value: 4 },
  { share: 0.5, value: 1 },
  { share: 0.0001, value: 8 },
]);

test("measured levels come back as they are", () => {
  assert.equal(levels.value(0.5), 1);
  assert.ok(Math.abs(levels.value(0.01) - 4) < 1e-9);
  assert.ok(Math.abs(levels.value(0.0001) - 8) < 1e-9);
});

test("between two levels the value is linear in log p, beyond the last it stays", () => {
  assert.ok(Math.abs(levels.value(0.001) - 6) < 1e-9);
  assert.equal(levels.value(1e-9), 8);
  assert.equal(levels.value(0.9), 1);
});

test("slider positions and p-values are inverse", () => {
  for (const position of [0, 0.25, 0.5, 1]) {
    assert.ok(Math.abs(levels.position(levels.p(position)) - position) < 1e-9);
  }
});

test("p-values are told in words a person can weigh", () => {
  assert.equal(oneIn(0.01), "1 in 100");
  assert.equal(oneIn(0.0001), "1 in 10,000");
  assert.equal(showP(0.05), "0.050");
});

test("one level is no scale", () => {
  assert.throws(() => new Levels([{ share: 0.5, value: 1 }]), /two or more/);
});
