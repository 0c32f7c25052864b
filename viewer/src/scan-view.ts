// NiiVue: a scan with the anomaly map over it, in three planes and 3D.

import { MULTIPLANAR_TYPE, Niivue, NVImage, SHOW_RENDER } from "@niivue/niivue";

export type Planes = "all" | "axial" | "coronal" | "sagittal" | "render";

export interface Picture {
  scan: Blob;
  map: Blob | null;
  mapRange: [number, number];
  isImage: boolean;
  window?: [number, number];
}

const MAP = 1;

interface Place {
  mm: ArrayLike<number>;
  values: { value: number }[];
}

// World millimetres as a person says them: "28 left, 40 back, 20 up".
export function where(mm: ArrayLike<number>): string {
  const words: [string, string][] = [
    ["right", "left"],
    ["front", "back"],
    ["up", "down"],
  ];
  return words.map(([plus, minus], axis) => `${Math.abs(mm[axis]!).toFixed(0)} ${mm[axis]! >= 0 ? plus : minus}`).join(", ");
}

function describe(place: Place, isImage: boolean): string {
  const [scan, map] = place.values.map((one) => one.value);
  const spot = isImage ? `pixel ${place.mm[0]!.toFixed(0)}, ${place.mm[1]!.toFixed(0)}` : `${where(place.mm)} mm`;
  const level = map === undefined || Number.isNaN(map) ? "" : ` · map ${map.toPrecision(3)}`;
  return `${spot} · scan ${scan?.toPrecision(4) ?? ""}${level}`;
}

type Look = Parameters<typeof NVImage.loadFromFile>[0];

function image(content: Blob, name: string, look: Omit<Look, "file" | "name">): Promise<NVImage> {
  return NVImage.loadFromFile({ file: new File([content], name), name, ...look });
}

export class ScanView {
  private constructor(
    private readonly niivue: Niivue,
    private readonly isImage: boolean,
  ) {}

  // Draws into a canvas. Radiological convention for volumes; an image stays as its file has it.
  static async show(canvas: HTMLCanvasElement, picture: Picture, onMove: (text: string) => void): Promise<ScanView> {
    const niivue = new Niivue({
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.5, 0.86, 1, 0.9],
      crosshairWidth: 0.5,
      crosshairWidthUnit: "percent",
      isRadiologicalConvention: !picture.isImage,
      isOrientationTextVisible: !picture.isImage,
      multiplanarShowRender: picture.isImage ? SHOW_RENDER.NEVER : SHOW_RENDER.ALWAYS,
      multiplanarLayout: MULTIPLANAR_TYPE.GRID,
      tileMargin: 4,
      isColorbar: false,
      isNearestInterpolation: picture.isImage,
      dragAndDropEnabled: false,
      show3Dcrosshair: true,
      loadingText: "",
      logLevel: "error",
    });
    await niivue.attachToCanvas(canvas);
    niivue.onLocationChange = (place) => onMove(describe(place as Place, picture.isImage));
    const view = new ScanView(niivue, picture.isImage);
    await view.load(picture);
    return view;
  }

  // Scan values shown black and white, so that a twin is shown alike.
  window(): [number, number] {
    const scan = this.niivue.volumes[0]!;
    return [scan.cal_min!, scan.cal_max!];
  }

  private async load(picture: Picture): Promise<void> {
    const [black, white] = picture.window ?? [NaN, NaN];
    const scan = image(picture.scan, "scan.nii.gz", { colormap: "gray", cal_min: black, cal_max: white });
    const [low, high] = picture.mapRange;
    const map = picture.map && image(picture.map, "map.nii.gz", { colormap: "inferno", opacity: 0.7, cal_min: low, cal_max: high });
    this.niivue.opts.sliceType = this.isImage ? this.niivue.sliceTypeAxial : this.niivue.sliceTypeMultiplanar;
    const volumes = map === null ? [await scan] : await Promise.all([scan, map]);
    // Together: with `addVolume` NiiVue works through all earlier volumes again for each one.
    this.niivue.volumes = volumes;
    this.niivue.setVolume(volumes[0]!, 0);
  }

  planes(which: Planes): void {
    const kinds = {
      all: this.niivue.sliceTypeMultiplanar,
      axial: this.niivue.sliceTypeAxial,
      coronal: this.niivue.sliceTypeCoronal,
      sagittal: this.niivue.sliceTypeSagittal,
      render: this.niivue.sliceTypeRender,
    };
    this.niivue.setSliceType(kinds[which]);
  }

  // Map values from `low` are coloured; the colours end at `high`.
  mapRange(low: number, high: number): void {
    const map = this.niivue.volumes[MAP];
    if (map === undefined) return;
    map.cal_min = low;
    map.cal_max = Math.max(high, low * 1.0001);
    this.redrawMap(map);
  }

  mapOpacity(opacity: number): void {
    const map = this.niivue.volumes[MAP];
    if (map === undefined) return;
    map.opacity = opacity;
    this.redrawMap(map);
  }

  // The scan below stays as it is; `updateGLVolume` would work through it again, three times the map's work.
  private redrawMap(map: NVImage): void {
    this.niivue.refreshLayers(map, MAP);
    this.niivue.drawScene();
  }

  jumpTo(mm: [number, number, number]): void {
    this.niivue.scene.crosshairPos = this.niivue.mm2frac(mm);
    this.niivue.createOnLocationChange();
    this.niivue.drawScene();
  }

  move(i: number, j: number, k: number): void {
    this.niivue.moveCrosshairInVox(i, j, k);
  }

  // Both views show the same place from now on; the other one, which came later, goes where this one is.
  tieTo(other: ScanView): void {
    this.niivue.broadcastTo(other.niivue, { "2d": true, "3d": true });
    other.niivue.broadcastTo(this.niivue, { "2d": true, "3d": true });
    other.niivue.opts.sliceType = this.niivue.opts.sliceType;
    const [i, j, k] = this.niivue.frac2mm(this.niivue.scene.crosshairPos);
    other.jumpTo([i!, j!, k!]);
  }

  close(): void {
    this.niivue.cleanup();
    this.niivue.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
