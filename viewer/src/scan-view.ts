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
    const file = new File([picture.scan], "scan.nii.gz");
    const [black, white] = picture.window ?? [NaN, NaN];
    this.niivue.addVolume(await NVImage.loadFromFile({ file, name: "scan.nii.gz", colormap: "gray", cal_min: black, cal_max: white }));
    if (picture.map !== null) {
      const [low, high] = picture.mapRange;
      this.niivue.addVolume(
        await NVImage.loadFromFile({
          file: new File([picture.map], "map.nii.gz"),
          name: "map.nii.gz",
          colormap: "inferno",
          opacity: 0.7,
          cal_min: low,
          cal_max: high,
        }),
      );
    }
    this.planes(this.isImage ? "axial" : "all");
    this.niivue.setInterpolation(this.isImage);
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
    this.niivue.updateGLVolume();
  }

  mapOpacity(opacity: number): void {
    if (this.niivue.volumes[MAP] !== undefined) this.niivue.setOpacity(MAP, opacity);
  }

  jumpTo(mm: [number, number, number]): void {
    this.niivue.scene.crosshairPos = this.niivue.mm2frac(mm);
    this.niivue.createOnLocationChange();
    this.niivue.drawScene();
  }

  move(i: number, j: number, k: number): void {
    this.niivue.moveCrosshairInVox(i, j, k);
  }

  // Both views show the same place from now on.
  tieTo(other: ScanView): void {
    this.niivue.broadcastTo(other.niivue, { "2d": true, "3d": true });
    other.niivue.broadcastTo(this.niivue, { "2d": true, "3d": true });
  }

  close(): void {
    this.niivue.cleanup();
    this.niivue.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
