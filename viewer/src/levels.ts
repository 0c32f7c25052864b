// Between map values and p-values: the share of healthy voxels that lie above a value.

import type { MapLevel } from "./api.ts";

// Slider positions run from 0 (every second healthy voxel lies above) to 1 (the rarest level that was measured).
export class Levels {
  private readonly points: { log: number; value: number }[];

  constructor(levels: MapLevel[]) {
    this.points = levels
      .filter((level) => level.share > 0)
      .sort((one, other) => other.share - one.share)
      .map((level) => ({ log: Math.log10(level.share), value: level.value }));
    if (this.points.length < 2) throw new Error("expected two or more levels of the healthy map");
  }

  p(position: number): number {
    const first = this.points[0]!.log;
    const last = this.points.at(-1)!.log;
    return 10 ** (first + clamp(position) * (last - first));
  }

  position(p: number): number {
    const first = this.points[0]!.log;
    const last = this.points.at(-1)!.log;
    return clamp((Math.log10(p) - first) / (last - first));
  }

  // Map value that a share p of healthy voxels exceeds, linear in log p between measured levels.
  value(p: number): number {
    const log = Math.log10(p);
    for (let next = 1; next < this.points.length; next++) {
      const low = this.points[next - 1]!;
      const high = this.points[next]!;
      if (log >= high.log || next === this.points.length - 1) {
        const share = clamp((log - low.log) / (high.log - low.log));
        return low.value + share * (high.value - low.value);
      }
    }
    return this.points.at(-1)!.value;
  }
}

export function clamp(share: number): number {
  return Math.min(1, Math.max(0, share));
}

export function showP(p: number): string {
  return p >= 0.1 ? p.toFixed(2) : p >= 0.01 ? p.toFixed(3) : p >= 0.001 ? p.toFixed(4) : p.toFixed(5);
}

// "1 in 100": how rare a value is among healthy voxels.
export function oneIn(p: number): string {
  const count = 1 / p;
  const digits = 10 ** Math.max(0, Math.floor(Math.log10(count)) - 1);
  return `1 in ${(Math.round(count / digits) * digits).toLocaleString("en")}`;
}
