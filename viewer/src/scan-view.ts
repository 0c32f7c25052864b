// NiiVue: a scan with the anomaly map over it, in three planes and 3D.

import { DRAG_MODE, MULTIPLANAR_TYPE, Niivue, NVImage, SHOW_RENDER } from "@niivue/niivue";

import { brainAlpha, tellOutside } from "./brain.ts";

export type Planes = "all" | "axial" | "coronal" | "sagittal" | "render";
export type Range = [number, number];

export interface Picture {
  scan: Blob;
  map: Blob | null;
  mapRange: Range;
  isImage: boolean;
  beside?: ScanView; // shown alike: the same window, and the same brain in 3D
}

const MAP = 1;
const PLANE_NAMES = ["sagittal", "coronal", "axial"];

interface Place {
  mm: ArrayLike<number>;
  vox: ArrayLike<number>;
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

type Look = Parameters<typeof NVImage.loadFromFile>[0];

function image(content: Blob, name: string, look: Omit<Look, "file" | "name">): Promise<NVImage> {
  return NVImage.loadFromFile({ file: new File([content], name), name, ...look });
}

export class ScanView {
  private brain: NVImage | null = null;
  private judgedFrom = -Infinity;
  private axis = 2;

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
      multiplanarShowRender: SHOW_RENDER.NEVER,
      multiplanarLayout: MULTIPLANAR_TYPE.GRID,
      tileMargin: 4,
      isColorbar: false,
      isNearestInterpolation: picture.isImage,
      dragAndDropEnabled: false,
      dragMode: DRAG_MODE.windowing,
      measureLineColor: [1, 0.85, 0.2, 1],
      measureTextColor: [1, 0.85, 0.2, 1],
      showMeasureUnits: !picture.isImage,
      show3Dcrosshair: true,
      loadingText: "",
      logLevel: "error",
    });
    await niivue.attachToCanvas(canvas);
    const view = new ScanView(niivue, picture.isImage);
    niivue.onLocationChange = (place) => onMove(view.describe(place as Place));
    await view.load(picture);
    return view;
  }

  private async load(picture: Picture): Promise<void> {
    const [black, white] = picture.beside?.window() ?? [NaN, NaN];
    const loading = image(picture.scan, "scan.nii.gz", { colormap: "gray", cal_min: black, cal_max: white });
    const [low, high] = picture.mapRange;
    const look = { colormap: "inferno", opacity: 0.7, cal_min: low, cal_max: high };
    const [scan, map] = await Promise.all([loading, picture.map === null ? null : image(picture.map, "map.nii.gz", look)]);
    this.brain = this.isImage ? null : (picture.beside?.brain ?? (map === null ? null : brainAlpha(scan, map)));
    if (map !== null) this.judgedFrom = tellOutside(map);
    this.niivue.opts.sliceType = this.isImage ? this.niivue.sliceTypeAxial : this.niivue.sliceTypeMultiplanar;
    // Together: with `addVolume` NiiVue works through all earlier volumes again for each one.
    this.niivue.volumes = map === null ? [scan] : [scan, map];
    this.hideFace(scan);
    this.niivue.setVolume(scan, 0);
  }

  // In 3D a whole head shows a face. NiiVue takes how solid each voxel is from the last volume, which it draws nowhere.
  private hideFace(scan: NVImage): void {
    if (this.brain === null) return;
    this.niivue.volumes.push(this.brain);
    scan.modulationImage = this.niivue.volumes.length - 1;
    scan.modulateAlpha = 1;
    this.niivue.opts.multiplanarShowRender = SHOW_RENDER.ALWAYS;
  }

  // Whether 3D can be shown without a face.
  get knowsBrain(): boolean {
    return this.brain !== null;
  }

  wholeHead(whole: boolean): void {
    const scan = this.niivue.volumes[0]!;
    scan.modulationImage = whole || this.brain === null ? null : this.niivue.volumes.indexOf(this.brain);
    this.niivue.opts.multiplanarShowRender = whole || this.brain !== null ? SHOW_RENDER.ALWAYS : SHOW_RENDER.NEVER;
    this.redraw(scan, 0);
  }

  // Scan values shown black and white.
  window(): Range {
    const scan = this.niivue.volumes[0]!;
    return [scan.cal_min!, scan.cal_max!];
  }

  setWindow([black, white]: Range): void {
    const scan = this.niivue.volumes[0]!;
    scan.cal_min = black;
    scan.cal_max = Math.max(white, black + 1e-6 * (Math.abs(black) + 1));
    this.redraw(scan, 0);
  }

  // All values of the scan.
  extent(): Range {
    const scan = this.niivue.volumes[0]!;
    return [scan.global_min!, scan.global_max!];
  }

  planes(which: Planes): void {
    const kinds = {
      all: this.niivue.sliceTypeMultiplanar,
      axial: this.niivue.sliceTypeAxial,
      coronal: this.niivue.sliceTypeCoronal,
      sagittal: this.niivue.sliceTypeSagittal,
      render: this.niivue.sliceTypeRender,
    };
    this.axis = Math.max(0, which === "all" || which === "render" ? 2 : PLANE_NAMES.indexOf(which));
    this.niivue.setSliceType(kinds[which]);
    this.niivue.createOnLocationChange();
  }

  // Map values from `low` are coloured; the colours end at `high`.
  mapRange(low: number, high: number): void {
    const map = this.map();
    if (map === undefined) return;
    map.cal_min = low;
    map.cal_max = Math.max(high, low * 1.0001);
    this.redraw(map, MAP);
  }

  mapOpacity(opacity: number): void {
    const map = this.map();
    if (map === undefined) return;
    map.opacity = opacity;
    this.redraw(map, MAP);
  }

  private map(): NVImage | undefined {
    const found = this.niivue.volumes[MAP];
    return found === this.brain ? undefined : found;
  }

  // The other layer stays as it is; `updateGLVolume` would work through both again.
  private redraw(volume: NVImage, layer: number): void {
    this.niivue.refreshLayers(volume, layer);
    this.niivue.drawScene();
  }

  // While it is on, dragging measures instead of moving the crosshair.
  ruler(on: boolean): void {
    this.niivue.opts.dragModePrimary = on ? DRAG_MODE.measurement : DRAG_MODE.crosshair;
    if (!on) this.niivue.clearMeasurements();
  }

  jumpTo(mm: [number, number, number]): void {
    this.niivue.scene.crosshairPos = this.niivue.mm2frac(mm);
    this.niivue.createOnLocationChange();
    this.niivue.drawScene();
  }

  move(i: number, j: number, k: number): void {
    this.niivue.moveCrosshairInVox(i, j, k);
  }

  // Through the slices of the plane that is shown; of all planes the axial one.
  step(count: number): void {
    const move = [0, 0, 0];
    move[this.axis] = count;
    this.move(move[0]!, move[1]!, move[2]!);
  }

  // Both views show the same place from now on; the other one, which came later, goes where this one is.
  tieTo(other: ScanView): void {
    this.niivue.broadcastTo(other.niivue, { "2d": true, "3d": true });
    other.niivue.broadcastTo(this.niivue, { "2d": true, "3d": true });
    other.niivue.opts.sliceType = this.niivue.opts.sliceType;
    const [i, j, k] = this.niivue.frac2mm(this.niivue.scene.crosshairPos);
    other.jumpTo([i!, j!, k!]);
  }

  private describe(place: Place): string {
    const [scan, map] = place.values.map((one) => one.value);
    const spot = this.isImage ? `pixel ${place.mm[0]!.toFixed(0)}, ${place.mm[1]!.toFixed(0)}` : `${where(place.mm)} mm`;
    const level = this.map() === undefined || map === undefined || map < this.judgedFrom ? "" : ` · map ${map.toPrecision(3)}`;
    return `${spot}${this.slices(place)} · scan ${scan?.toPrecision(4) ?? ""}${level}`;
  }

  // Slices are counted from 1: from the patient's left, from behind, from below.
  private slices(place: Place): string {
    const sizes = this.niivue.volumes[0]?.dimsRAS;
    if (this.isImage || sizes === undefined) return "";
    const said = PLANE_NAMES.map((name, axis) => `${name} ${Math.round(place.vox[axis]!) + 1} of ${sizes[axis + 1]}`);
    const all = this.niivue.opts.sliceType === this.niivue.sliceTypeMultiplanar;
    return ` · ${all ? said.reverse().join(", ") : said[this.axis]}`;
  }

  close(): void {
    this.niivue.cleanup();
    this.niivue.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
