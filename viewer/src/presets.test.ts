import assert from "node:assert/strict";
import { test } from "node:test";

import { percentile, presets, type Values } from "./presets.ts";

const values: Values = { brain: Float32Array.from({ length: 101 }, (_, place) => place), automatic: [3, 90], extent: [-5, 400] };

test("CT has the windows by which it is read, in Hounsfield units, brain first", () => {
  const shown = presets("CT", false, values).map(({ name, range }) => [name, ...range]);
  assert.deepEqual(shown, [["Brain", 0, 80], ["Subdural", -20, 180], ["Stroke", 20, 60], ["Bone", -800, 2000], ["Automatic", 3, 90]]);
});

test("a picture of a CT has no Hounsfield units", () => {
  assert.deepEqual(presets("CT", true, values).map((one) => one.name), ["Automatic", "Brain", "All values"]);
});

test("each sequence has windows by percentiles of the brain", () => {
  const bright = presets("FLAIR", false, values).find((one) => one.name === "Bright lesions")!;
  assert.ok(Math.abs(bright.range[0] - 40) < 1e-9 && Math.abs(bright.range[1] - 99.9) < 1e-9);
  assert.deepEqual(presets("T1w", false, values).map((one) => one.name), ["Automatic", "Brain", "Grey and white matter", "All values"]);
  assert.deepEqual(presets("", false, values).map((one) => one.name), ["Automatic", "Brain", "All values"]);
});

test("no brain and a brain of one value give no window by percentiles", () => {
  for (const brain of [[], [7, 7, 7]]) {
    assert.deepEqual(presets("T1w", false, { ...values, brain }).map((one) => one.name), ["Automatic", "All values"]);
  }
});

test("percentiles lie between neighbours", () => {
  assert.equal(percentile([1, 3], 50), 2);
  assert.equal(percentile([1, 3], 100), 3);
});
