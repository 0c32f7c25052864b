// The brain that was judged: where a map has a number.

import { NVImage } from "@niivue/niivue";

const SOLID = 128; // of 255, for the brightest: as NiiVue's own grey scale has it
const UINT8 = 2;
const SAMPLE = 20_000; // voxels from which percentiles are told

// Where a map has values; elsewhere its values are less than `from`.
export interface Judged {
  map: NVImage;
  from: number;
}

// A map's values outside the brain become less than any within: what a graphics card draws for "not a number" is left
// to it, and it may be a colour. Gives the value from which on a voxel is judged.
export function tellOutside(map: NVImage): number {
  const values = map.img!;
  let least = Infinity;
  for (const value of values) if (value < least) least = value;
  if (!Number.isFinite(least)) least = 0;
  for (let place = 0; place < values.length; place++) if (Number.isNaN(values[place]!)) values[place] = least - 1;
  return least;
}

// Values of a scan within the brain, ascending, of voxels evenly spread; without a brain those that are neither zero nor the darkest.
export function brainValues(scan: NVImage, judged: Judged | null): Float32Array {
  const values = scan.img!;
  const map = judged?.map.img;
  const known = map !== undefined && map.length === values.length;
  const slope = scan.hdr!.scl_slope || 1;
  const offset = scan.hdr!.scl_inter || 0;
  const told = (place: number): number => values[place]! * slope + offset;
  const inside = (place: number): boolean => (known ? map[place]! >= judged!.from : told(place) !== 0 && told(place) > scan.global_min!);
  let count = 0;
  for (let place = 0; place < values.length; place++) if (inside(place)) count++;
  const every = Math.max(1, Math.floor(count / SAMPLE));
  const taken = new Float32Array(Math.ceil(count / every));
  let seen = 0;
  for (let place = 0; place < values.length; place++) {
    if (inside(place) && seen++ % every === 0) taken[(seen - 1) / every] = told(place);
  }
  return taken.sort();
}

// How solid each voxel of the scan is in 3D: as bright as it is within the brain, not at all outside. The map lies on
// the scan's grid.
export function brainAlpha(scan: NVImage, { map, from }: Judged): NVImage | null {
  const judged = map.img;
  const values = scan.img;
  if (judged === undefined || values === undefined || judged.length !== values.length) return null;
  const alpha = new Uint8Array(judged.length);
  const slope = scan.hdr!.scl_slope || 1;
  const black = (scan.cal_min! - (scan.hdr!.scl_inter || 0)) / slope;
  const scale = (SOLID * slope) / (scan.cal_max! - scan.cal_min!);
  for (let place = 0; place < alpha.length; place++) {
    if (judged[place]! >= from) alpha[place] = Math.min(SOLID, Math.max(0, (values[place]! - black) * scale));
  }
  const made = Object.assign(Object.create(Object.getPrototypeOf(map) as object) as NVImage, map, {
    id: "brain",
    img: alpha,
    hdr: Object.assign(Object.create(Object.getPrototypeOf(map.hdr) as object) as object, map.hdr, { datatypeCode: UINT8, numBitsPerVoxel: 8, scl_slope: 1, scl_inter: 0 }),
    cal_min: 0,
    cal_max: 255,
    opacity: 0,
    colormapNegative: "",
  });
  return made;
}
