// Named windows: CT by Hounsfield units, MRI by the grey values of the brain at hand.

export type Range = [number, number];

export interface Preset {
  name: string;
  range: Range;
}

// Of the scan that is shown: its values within the brain in ascending order, and what a program without names would show.
export interface Values {
  brain: ArrayLike<number>;
  automatic: Range;
  extent: Range;
}

// Level and width in Hounsfield units, as head CT is read.
const CT: [string, number, number][] = [
  ["Brain", 40, 80],
  ["Subdural", 80, 200],
  ["Stroke", 40, 40],
  ["Bone", 600, 2800],
];

// Percentiles of the brain's voxels shown black and white.
const BRAIN: [string, number, number] = ["Brain", 1, 99.5];
const SEQUENCES: Record<string, [string, number, number][]> = {
  T1w: [BRAIN, ["Grey and white matter", 20, 95]],
  T1ce: [BRAIN, ["Enhancement", 50, 99.95]],
  T2w: [BRAIN, ["Bright lesions", 40, 99.9]],
  FLAIR: [BRAIN, ["Bright lesions", 40, 99.9], ["Faint changes", 25, 95]],
  PDw: [BRAIN, ["Bright lesions", 40, 99.9]],
};

// The first is the one to begin with. A picture has no Hounsfield units.
export function presets(modality: string, isImage: boolean, values: Values): Preset[] {
  const automatic = { name: "Automatic", range: values.automatic };
  if (modality === "CT" && !isImage) {
    return [...CT.map(([name, level, width]): Preset => ({ name, range: [level - width / 2, level + width / 2] })), automatic];
  }
  const shares = values.brain.length === 0 ? [] : (SEQUENCES[modality] ?? [BRAIN]);
  const own = shares.map(([name, black, white]): Preset => ({ name, range: [percentile(values.brain, black), percentile(values.brain, white)] }));
  const wide = own.filter(({ range: [black, white] }) => white > black);
  return [automatic, ...wide, { name: "All values", range: values.extent }];
}

// Of ascending values, linear between neighbours.
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const place = (share / 100) * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!;
  return low + (place - below) * ((sorted[below + 1] ?? low) - low);
}
