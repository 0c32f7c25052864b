// The picture of a finished case, its tools and sliders, and its findings.

import type { Case, Detection, Model } from "./api.ts";
import { button, el, say } from "./dom.ts";
import { findingButton, findingList } from "./findings.ts";
import { Levels } from "./levels.ts";
import { ScanView, type Picture, type Planes, type Range } from "./scan-view.ts";
import { opacitySlider, thresholdSlider, WindowSliders } from "./sliders.ts";
import { VerdictButtons } from "./verdicts.ts";

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
const MOVES: Record<string, [number, number, number]> = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
};
const STEPS: Record<string, number> = { PageUp: 1, PageDown: -1, ".": 1, ",": -1 };

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
  private readonly stages = el("div", { class: "stages" });
  private readonly panel = el("aside", { class: "panel", "aria-label": "Map and findings" });
  private readonly place = el("output", { class: "place" });
  private readonly loading = el("p", { class: "loading over" }, "Loading the picture");
  private readonly twinLoading = el("p", { class: "loading over" }, "Loading the reconstruction");
  private readonly findings: HTMLButtonElement[];
  private readonly verdicts: VerdictButtons;
  private readonly levels: Levels | null;
  private readonly tools = new Map<string, HTMLButtonElement>();
  private views: ScanView[] = [];
  private windowSliders: WindowSliders | null = null;
  private chosen = -1;
  private opacity = FIRST_OPACITY;
  private hidden = false;
  private closed = false;

  constructor(private readonly result: Result) {
    const levels = result.model?.map_levels ?? [];
    this.levels = levels.length > 1 ? new Levels(levels) : null;
    this.findings = result.detection.findings.map((finding, index) => findingButton(finding, () => this.choose(index)));
    this.verdicts = new VerdictButtons(result.found.id, result.detection.findings);
    this.canvas = this.makeCanvas("Scan with the anomaly map over it");
    this.twinCanvas = result.restored === null ? null : this.makeCanvas("Healthy twin restored by the model");
    this.element = this.layout();
  }

  async draw(): Promise<void> {
    const { scan, map, restored, detection } = this.result;
    const low = this.levels?.value(FIRST_P) ?? detection.map_scale[0];
    const mapRange: Range = [low, detection.map_scale[1]];
    const picture: Picture = { scan, map, mapRange, isImage: detection.is_image };
    const main = await ScanView.show(this.canvas, picture, (text) => (this.place.value = text));
    this.views = [main];
    this.addWindow(main);
    if (!main.knowsBrain) this.disable3d();
    if (this.findings.length > 0) this.choose(0, false);
    await shown(this.canvas, this.loading);
    if (restored !== null && this.twinCanvas !== null && !this.closed) {
      await this.drawTwin(this.twinCanvas, main, { ...picture, scan: restored, map: null, beside: main });
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
    const move = document.activeElement === this.canvas ? MOVES[key] : undefined;
    const step = STEPS[key];
    if (planes !== undefined && !this.result.detection.is_image) this.planes(planes[0]);
    else if (move !== undefined) this.views[0]?.move(...move);
    else if (step !== undefined && !this.result.detection.is_image) this.views[0]?.step(step);
    else if (key === "j" && this.findings.length > 0) this.choose((this.chosen + 1) % this.findings.length);
    else if (key === "k" && this.findings.length > 0) this.choose((this.chosen + this.findings.length - 1) % this.findings.length);
    else if (key === "m") this.toggleMap();
    else if (key === "r") this.toggleRuler();
    else if (key === "b" && this.twinCanvas !== null) this.blink();
    else return this.chosen >= 0 && this.verdicts.onKey(key, this.result.detection.findings[this.chosen]!.rank);
    return true;
  }

  private makeCanvas(name: string): HTMLCanvasElement {
    const keys = "Arrow keys move the crosshair, page up and down go through the slices; J and K go through the findings.";
    return el("canvas", { tabindex: "0", role: "img", "aria-label": `${name}. ${keys}` });
  }

  private layout(): HTMLElement {
    const twin = this.twinCanvas;
    this.stages.append(el("figure", { class: "stage" }, this.canvas, this.loading, twin === null ? null : el("figcaption", {}, "Scan and anomaly map")));
    if (twin !== null) {
      this.stages.classList.add("two");
      this.stages.append(el("figure", { class: "stage twin" }, twin, this.twinLoading, el("figcaption", {}, "Reconstruction: as the model expects it in health")));
    }
    this.panel.append(...(this.result.map === null ? [] : [this.mapSliders()]), findingList(this.result.detection, this.result.found.decision === "refused", this.findings, this.verdicts));
    return el("div", { class: "result" }, el("div", { class: "pictures" }, el("div", { class: "bars" }, this.planeButtons(), this.toolButtons()), this.stages, this.place), this.panel);
  }

  private planeButtons(): HTMLElement {
    const group = el("div", { class: "planes", role: "group", "aria-label": "Planes" });
    if (this.result.detection.is_image) return group;
    for (const [planes, name] of PLANES) {
      group.append(button(name, () => this.planes(planes), { "data-planes": planes, "aria-pressed": String(planes === "all") }));
    }
    return group;
  }

  private toolButtons(): HTMLElement {
    const group = el("div", { class: "planes", role: "group", "aria-label": "Tools" });
    const add = (id: string, name: string, act: () => void): void => {
      const made = button(name, act, { "aria-pressed": "false", "data-tool": id });
      this.tools.set(id, made);
      group.append(made);
    };
    add("ruler", "Ruler", () => this.toggleRuler());
    if (this.twinCanvas !== null) {
      add("blink", "Blink", () => this.blink());
      add("beside", "Side by side", () => this.besides());
      this.press("beside", true);
    }
    if (!this.result.detection.is_image) add("head", "Whole head in 3D", () => this.toggleHead());
    return group;
  }

  private press(id: string, on: boolean): void {
    this.tools.get(id)?.setAttribute("aria-pressed", String(on));
  }

  private pressed(id: string): boolean {
    return this.tools.get(id)?.getAttribute("aria-pressed") === "true";
  }

  private planes(which: Planes): void {
    if (which === "render" && this.planeButton("render")?.disabled === true) return;
    for (const view of this.views) view.planes(which);
    for (const one of this.element.querySelectorAll("[data-planes]")) {
      one.setAttribute("aria-pressed", String(one.getAttribute("data-planes") === which));
    }
  }

  private planeButton(which: Planes): HTMLButtonElement | null {
    return this.element.querySelector(`[data-planes=${which}]`);
  }

  // Where no brain is known 3D would show a face, so it waits until the whole head is asked for.
  private disable3d(): void {
    this.planeButton("render")?.setAttribute("disabled", "");
  }

  private toggleHead(): void {
    const whole = !this.pressed("head");
    this.press("head", whole);
    for (const view of this.views) view.wholeHead(whole);
    if (whole) this.planeButton("render")?.removeAttribute("disabled");
    else if (this.views[0]?.knowsBrain === false) {
      this.planes("all");
      this.disable3d();
    }
  }

  private toggleRuler(): void {
    const on = !this.pressed("ruler");
    this.press("ruler", on);
    for (const view of this.views) view.ruler(on);
    say(on ? "Ruler: drag from one place to another" : "Ruler off");
  }

  // Scan and reconstruction in one place, in turn: an eye sees what differs.
  private blink(): void {
    this.stages.classList.add("blinking");
    const twin = this.stages.classList.toggle("shows-twin");
    this.press("blink", true);
    this.press("beside", false);
    say(twin ? "Reconstruction" : "Scan");
  }

  private besides(): void {
    this.stages.classList.remove("blinking", "shows-twin");
    this.press("blink", false);
    this.press("beside", true);
  }

  private addWindow(main: ScanView): void {
    const sliders = new WindowSliders(main.extent(), main.window(), (range) => {
      for (const view of this.views) view.setWindow(range);
    });
    this.windowSliders = sliders;
    this.panel.firstElementChild?.after(sliders.element);
    this.canvas.addEventListener("pointerup", () => this.windowDragged(main));
  }

  private windowDragged(main: ScanView): void {
    const range = main.window();
    this.windowSliders?.follow(range);
    this.views[1]?.setWindow(range);
  }

  private mapSliders(): HTMLElement {
    const end = this.result.detection.map_scale[1];
    const levels = this.levels;
    const threshold =
      levels === null
        ? el("p", { class: "hint" }, "Shown on the scale that the model was calibrated with.")
        : thresholdSlider(levels, FIRST_P, (p) => this.views[0]?.mapRange(levels.value(p), end));
    const opacity = opacitySlider(FIRST_OPACITY, (share) => {
      this.opacity = share;
      this.views[0]?.mapOpacity(share);
    });
    return el("section", { class: "card sliders" }, el("h2", {}, "Anomaly map"), threshold, opacity);
  }

  private toggleMap(): void {
    this.hidden = !this.hidden;
    this.views[0]?.mapOpacity(this.hidden ? 0 : this.opacity);
    say(this.hidden ? "Map hidden" : "Map shown");
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
