// NiiVue: a scan with the anomaly map over it, in three planes and 3D.

import { DRAG_MODE, MULTIPLANAR_TYPE, Niivue, NVImage, SHOW_RENDER } from "@niivue/niivue";

import { brainAlpha, brainValues, tellOutside, type Judged } from "./brain.ts";
import { el } from "./dom.ts";
import { presets, type Preset, type Range } from "./presets.ts";

export type Planes = "all" | "axial" | "coronal" | "sagittal" | "render";
export interface Picture {
  scan: Blob;
  modality: string; // "" where nobody knows
  window: Range | null; // black and white; the first preset by default
  map: Blob | null;
  mapRange: Range;
  isImage: boolean;
  beside: ScanView | null; // with the same brain
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

function images({ scan, map, mapRange: [low, high] }: Picture): Promise<[NVImage, NVImage | null]> {
  const look = { colormap: "inferno", opacity: 0.7, cal_min: low, cal_max: high };
  return Promise.all([image(scan, "scan.nii.gz", { colormap: "gray" }), map === null ? null : image(map, "map.nii.gz", look)]);
}

function image(content: Blob, name: string, look: Omit<Look, "file" | "name">): Promise<NVImage> {
  return NVImage.loadFromFile({ file: new File([content], name), name, ...look });
}

const known = new WeakMap<NVImage, Preset[]>();
const ZOOM_STEP = 1.25;
const MOST_ZOOM = 10;

// Compiles the shaders, which the browser keeps, so that the first picture need not wait for them.
export async function warmUp(): Promise<void> {
  const canvas = el("canvas");
  el("div", {}, canvas); // NiiVue colours what the canvas lies in
  const niivue = new Niivue({ logLevel: "error" });
  await niivue.attachToCanvas(canvas);
  end(niivue);
}

function end(niivue: Niivue): void {
  niivue.cleanup();
  niivue.gl?.getExtension("WEBGL_lose_context")?.loseContext();
}

export class ScanView {
  private brain: NVImage | null = null;
  private judged: Judged | null = null;
  private tied: ScanView | null = null;
  private axis = 2;

  private constructor(
    private readonly niivue: Niivue,
    private readonly isImage: boolean,
  ) {}

  // Readies a canvas, which stays black until `draw`. Radiological convention for volumes; an image stays as its file has it.
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
      clipPlaneHotKey: "", // keys are this page's
      cycleClipPlaneHotKey: "",
      viewModeHotKey: "",
      logLevel: "error",
    });
    const shown = images(picture);
    await niivue.attachToCanvas(canvas);
    niivue.isBusy = true; // so that all that is set until `draw` is drawn once
    const view = new ScanView(niivue, picture.isImage);
    niivue.onLocationChange = (place) => onMove(view.describe(place as Place));
    view.load(picture, await shown);
    return view;
  }

  private load(picture: Picture, [scan, map]: [NVImage, NVImage | null]): void {
    this.judged = map === null ? (picture.beside?.judged ?? null) : { map, from: tellOutside(map) };
    this.meet(scan, picture.modality, picture.window);
    this.brain = this.isImage ? null : (picture.beside?.brain ?? (this.judged === null ? null : brainAlpha(scan, this.judged)));
    this.niivue.opts.sliceType = this.isImage ? this.niivue.sliceTypeAxial : this.niivue.sliceTypeMultiplanar;
    // Together: with `addVolume` NiiVue works through all earlier volumes again for each one.
    this.niivue.volumes = map === null ? [scan] : [scan, map];
    this.hideFace(scan);
    this.niivue.setVolume(scan, 0);
  }

  // Learns which windows suit a scan that is shown for the first time.
  private meet(scan: NVImage, modality: string, window: Range | null): void {
    const extent: Range = [scan.global_min!, scan.global_max!];
    const automatic: Range = [scan.cal_min!, scan.cal_max!];
    const own = presets(modality, this.isImage, { brain: brainValues(scan, this.judged), automatic, extent });
    known.set(scan, own);
    [scan.cal_min, scan.cal_max] = window ?? own[0]!.range;
  }

  // Another scan on the same grid takes the place of the one that is shown, at the next `draw`.
  async change(content: Blob, modality: string, window: Range | null): Promise<void> {
    const scan = await image(content, "scan.nii.gz", { colormap: "gray" });
    this.meet(scan, modality, window);
    this.niivue.isBusy = true;
    this.put(scan);
  }

  // The two scans change places; maps stay, and each scan keeps its window.
  exchange(other: ScanView): void {
    const [own, theirs] = [this.niivue.volumes[0]!, other.niivue.volumes[0]!];
    const whole = own.modulationImage === null; // the head or the brain in 3D, of both alike
    this.put(theirs, whole);
    other.put(own, whole);
  }

  private put(scan: NVImage, whole = this.niivue.volumes[0]!.modulationImage === null): void {
    this.niivue.volumes = [scan, ...this.niivue.volumes.slice(1)];
    scan.modulationImage = whole || this.brain === null ? null : this.niivue.volumes.indexOf(this.brain);
    scan.modulateAlpha = 1;
    this.niivue.setVolume(scan, 0);
    this.niivue.createOnLocationChange();
  }

  // In 3D a whole head shows a face. NiiVue takes how solid each voxel is from the last volume, which it draws nowhere.
  private hideFace(scan: NVImage): void {
    if (this.brain === null) return;
    this.niivue.volumes.push(this.brain);
    scan.modulationImage = this.niivue.volumes.length - 1;
    scan.modulateAlpha = 1;
  }

  // The planes, which a person waits for; done when the graphics card is, or what stands in for one.
  async draw(): Promise<void> {
    this.niivue.isBusy = false;
    this.niivue.drawScene();
    const gl = this.niivue.gl;
    const drawn = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    do await new Promise((done) => requestAnimationFrame(done));
    while (drawn !== null && gl.clientWaitSync(drawn, 0, 0) === gl.TIMEOUT_EXPIRED);
    gl.deleteSync(drawn);
  }

  // 3D beside the planes, of a volume whose brain is known: without a graphics card it takes longer than they do.
  draw3d(): void {
    if (this.brain === null || this.niivue.opts.multiplanarShowRender === SHOW_RENDER.ALWAYS) return;
    this.niivue.opts.multiplanarShowRender = SHOW_RENDER.ALWAYS;
    this.niivue.drawScene();
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

  // Named windows of the scan, the one to begin with first.
  presets(): Preset[] {
    return known.get(this.niivue.volumes[0]!) ?? [];
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
    this.lead();
  }

  move(i: number, j: number, k: number): void {
    this.niivue.moveCrosshairInVox(i, j, k);
    this.lead();
  }

  // Into the picture or out of it, around the crosshair.
  zoom(steps: number): void {
    const [x, y, z, before] = this.niivue.scene.pan2Dxyzmm;
    const zoom = Math.min(MOST_ZOOM, Math.max(1, before! * ZOOM_STEP ** steps));
    const mm = this.niivue.frac2mm(this.niivue.scene.crosshairPos);
    const moved = [x!, y!, z!].map((pan, axis) => (zoom === 1 ? 0 : pan + (before! - zoom) * mm[axis]!));
    this.niivue.setPan2Dxyzmm([moved[0]!, moved[1]!, moved[2]!, zoom]);
    this.lead();
  }

  // NiiVue itself leads the other picture only from the one that has the focus.
  private lead(): void {
    if (this.tied !== null) this.tied.follow(this);
  }

  private follow(other: ScanView): void {
    const [i, j, k] = other.niivue.frac2mm(other.niivue.scene.crosshairPos);
    this.niivue.scene.crosshairPos = this.niivue.mm2frac([i!, j!, k!]);
    const [x, y, z, zoom] = other.niivue.scene.pan2Dxyzmm;
    this.niivue.setPan2Dxyzmm([x!, y!, z!, zoom!]);
  }

  // Through the slices of the plane that is shown; of all planes the axial one.
  step(count: number): void {
    const move = [0, 0, 0];
    move[this.axis] = count;
    this.move(move[0]!, move[1]!, move[2]!);
  }

  // Both views show the same place, slice and zoom from now on; the other one, which came later, goes where this one is.
  tieTo(other: ScanView): void {
    this.niivue.broadcastTo(other.niivue, { "2d": true, "3d": true });
    other.niivue.broadcastTo(this.niivue, { "2d": true, "3d": true });
    this.tied = other;
    other.tied = this;
    other.niivue.setSliceType(this.niivue.opts.sliceType);
    other.axis = this.axis;
    this.lead();
  }

  private describe(place: Place): string {
    const [scan, map] = place.values.map((one) => one.value);
    const spot = this.isImage ? `pixel ${place.mm[0]!.toFixed(0)}, ${place.mm[1]!.toFixed(0)}` : `${where(place.mm)} mm`;
    const level = this.map() === undefined || map === undefined || map < (this.judged?.from ?? -Infinity) ? "" : ` · map ${map.toPrecision(3)}`;
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
    end(this.niivue);
  }
}
