// The picture of a finished case, its sliders, and its findings.

import type { Case, Detection, Finding, Model } from "./api.ts";
import { button, el, say } from "./dom.ts";
import { Levels, oneIn, showP } from "./levels.ts";
import { ScanView, where, type Picture, type Planes } from "./scan-view.ts";

export interface Result {
  found: Case;
  detection: Detection;
  model: Model | null;
  scan: Blob;
  map: Blob | null;
  restored: Blob | null;
}

const FIRST_P = 0.01;
const FIRST_OPACITY = 0.7;
const PLANES: [Planes, string, string][] = [
  ["all", "All", "0"],
  ["axial", "Axial", "a"],
  ["coronal", "Coronal", "c"],
  ["sagittal", "Sagittal", "s"],
  ["render", "3D", "3"],
];
const STEPS: Record<string, [number, number, number]> = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
  PageUp: [0, 0, 1],
  PageDown: [0, 0, -1],
};

export interface ResultView {
  onKey(key: string): boolean;
  close(): void;
}

// Adds the view to `parent`; the canvas must be on the page before anything is drawn.
export async function resultView(parent: HTMLElement, result: Result): Promise<ResultView> {
  const view = new View(result);
  parent.append(view.element);
  await view.draw();
  return view;
}

class View implements ResultView {
  readonly element: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly twinCanvas: HTMLCanvasElement | null;
  private readonly place = el("output", { class: "place" });
  private readonly loading = el("p", { class: "loading over" }, "Loading the picture");
  private readonly twinLoading = el("p", { class: "loading over" }, "Loading the twin");
  private readonly findings: HTMLButtonElement[];
  private readonly levels: Levels | null;
  private views: ScanView[] = [];
  private chosen = -1;
  private opacity = FIRST_OPACITY;
  private hidden = false;
  private closed = false;

  constructor(private readonly result: Result) {
    const levels = result.model?.map_levels ?? [];
    this.levels = levels.length > 1 ? new Levels(levels) : null;
    this.findings = result.detection.findings.map((finding, index) => this.findingButton(finding, index));
    this.canvas = this.makeCanvas("Scan with the anomaly map over it");
    this.twinCanvas = result.restored === null ? null : this.makeCanvas("Healthy twin restored by the model");
    this.element = this.layout();
  }

  async draw(): Promise<void> {
    const { scan, map, restored, detection } = this.result;
    const low = this.levels?.value(FIRST_P) ?? detection.map_scale[0];
    const mapRange: [number, number] = [low, detection.map_scale[1]];
    const picture = { scan, map, mapRange, isImage: detection.is_image };
    const main = await ScanView.show(this.canvas, picture, (text) => (this.place.value = text));
    this.views = [main];
    if (this.findings.length > 0) this.choose(0, false);
    await shown(this.canvas, this.loading);
    if (restored !== null && this.twinCanvas !== null && !this.closed) {
      await this.drawTwin(this.twinCanvas, main, { ...picture, scan: restored, map: null, window: main.window() });
    }
  }

  // After the scan, which a person waits for.
  private async drawTwin(canvas: HTMLCanvasElement, main: ScanView, picture: Picture): Promise<void> {
    const twin = await ScanView.show(canvas, picture, () => undefined);
    if (this.closed) return twin.close();
    this.views.push(twin);
    main.tieTo(twin);
    await shown(canvas, this.twinLoading);
  }

  close(): void {
    this.closed = true;
    for (const view of this.views) view.close();
  }

  onKey(key: string): boolean {
    const planes = PLANES.find(([, , letter]) => letter === key);
    const step = document.activeElement === this.canvas ? STEPS[key] : undefined;
    if (planes !== undefined && !this.result.detection.is_image) this.planes(planes[0]);
    else if (step !== undefined) this.views[0]?.move(...step);
    else if (key === "j" && this.findings.length > 0) this.choose((this.chosen + 1) % this.findings.length);
    else if (key === "k" && this.findings.length > 0) this.choose((this.chosen + this.findings.length - 1) % this.findings.length);
    else if (key === "m") this.toggleMap();
    else return false;
    return true;
  }

  private makeCanvas(name: string): HTMLCanvasElement {
    const keys = "Arrow keys and page up and down move the crosshair; J and K go through the findings.";
    return el("canvas", { tabindex: "0", role: "img", "aria-label": `${name}. ${keys}` });
  }

  private layout(): HTMLElement {
    const twin = this.twinCanvas;
    const stages = el("div", { class: twin === null ? "stages" : "stages two" });
    stages.append(el("figure", { class: "stage" }, this.canvas, this.loading, twin === null ? null : el("figcaption", {}, "Scan and anomaly map")));
    if (twin !== null) stages.append(el("figure", { class: "stage" }, twin, this.twinLoading, el("figcaption", {}, "Restored by the model")));
    return el("div", { class: "result" }, el("div", { class: "pictures" }, this.planeButtons(), stages, this.place), this.panel());
  }

  private planeButtons(): HTMLElement {
    const group = el("div", { class: "planes", role: "group", "aria-label": "Planes" });
    if (this.result.detection.is_image) return group;
    for (const [planes, name] of PLANES) {
      group.append(button(name, () => this.planes(planes), { "data-planes": planes, "aria-pressed": String(planes === "all") }));
    }
    return group;
  }

  private planes(which: Planes): void {
    for (const view of this.views) view.planes(which);
    for (const one of this.element.querySelectorAll("[data-planes]")) {
      one.setAttribute("aria-pressed", String(one.getAttribute("data-planes") === which));
    }
  }

  private panel(): HTMLElement {
    return el("aside", { class: "panel", "aria-label": "Map and findings" }, this.result.map === null ? null : this.sliders(), this.findingList());
  }

  private sliders(): HTMLElement {
    return el("section", { class: "card sliders" }, el("h2", {}, "Anomaly map"), this.thresholdSlider(), this.opacitySlider());
  }

  private thresholdSlider(): HTMLElement {
    const levels = this.levels;
    if (levels === null) return el("p", { class: "hint" }, "Shown on the scale that the model was calibrated with.");
    const input = el("input", { type: "range", id: "threshold", min: "0", max: "1", step: "any" });
    const told = el("output", { for: "threshold", id: "threshold-told" });
    const apply = (): void => {
      const p = levels.p(Number(input.value));
      const text = `p ≤ ${showP(p)}: ${oneIn(p)} healthy voxels lies above`;
      told.value = text;
      input.setAttribute("aria-valuetext", text);
      this.views[0]?.mapRange(levels.value(p), this.result.detection.map_scale[1]);
    };
    input.value = String(levels.position(FIRST_P));
    input.addEventListener("input", apply);
    apply();
    return el("div", { class: "slider" }, el("label", { for: "threshold" }, "Show voxels from"), input, told);
  }

  private opacitySlider(): HTMLElement {
    const input = el("input", { type: "range", id: "opacity", min: "0", max: "1", step: "0.05", value: String(FIRST_OPACITY) });
    const told = el("output", { for: "opacity" });
    const apply = (): void => {
      this.opacity = Number(input.value);
      told.value = `${Math.round(this.opacity * 100)} %`;
      input.setAttribute("aria-valuetext", told.value);
      this.views[0]?.mapOpacity(this.opacity);
    };
    input.addEventListener("input", apply);
    apply();
    return el("div", { class: "slider" }, el("label", { for: "opacity" }, "Opacity"), input, told);
  }

  private toggleMap(): void {
    this.hidden = !this.hidden;
    this.views[0]?.mapOpacity(this.hidden ? 0 : this.opacity);
    say(this.hidden ? "Map hidden" : "Map shown");
  }

  private findingList(): HTMLElement {
    const title = el("h2", {}, "Findings");
    if (this.result.found.decision === "refused") {
      return el("section", { class: "card findings" }, title, el("p", { class: "empty" }, "Not judged, so nothing was looked for."));
    }
    if (this.findings.length === 0) {
      return el("section", { class: "card findings" }, title, el("p", { class: "empty" }, "No region lies above the healthy level."));
    }
    return el("section", { class: "card findings" }, title, el("ol", {}, ...this.findings.map((one) => el("li", {}, one))));
  }

  private findingButton(finding: Finding, index: number): HTMLButtonElement {
    const pixel = `pixel ${finding.peak_mm[0].toFixed(0)}, ${finding.peak_mm[1].toFixed(0)}`;
    const region = finding.region || (finding.unit === "px" ? pixel : `${where(finding.peak_mm)} mm`);
    const size = finding.unit === "ml" ? `${finding.size.toFixed(1)} ml` : `${finding.size.toFixed(0)} px`;
    const p = finding.p_value === undefined || finding.p_value === null ? "" : ` · p = ${finding.p_value.toPrecision(2)}`;
    const made = button("", () => this.choose(index), { class: "finding", "aria-pressed": "false" });
    made.append(el("b", {}, String(finding.rank)), el("span", {}, region), el("span", { class: "hint" }, `${size}${p} · peak ${finding.peak_score.toPrecision(3)}`));
    return made;
  }

  private choose(index: number, aloud = true): void {
    this.chosen = index;
    this.findings.forEach((one, place) => one.setAttribute("aria-pressed", String(place === index)));
    const finding = this.result.detection.findings[index]!;
    for (const view of this.views) view.jumpTo(finding.peak_mm);
    if (aloud) say(`Finding ${finding.rank}: ${this.findings[index]!.textContent}`);
  }
}

// Marks a picture as drawn once the browser has had its turn to put it on the screen.
async function shown(canvas: HTMLCanvasElement, loading: HTMLElement): Promise<void> {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  loading.remove();
  canvas.dataset["drawn"] = "true";
}
