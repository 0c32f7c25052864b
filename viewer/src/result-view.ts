// The picture of a finished case, its tools and sliders, and its findings.

import type { Case, Detection, Model } from "./api.ts";
import { button, el, say } from "./dom.ts";
import { findingButton, findingList } from "./findings.ts";
import { Levels } from "./levels.ts";
import type { Range } from "./presets.ts";
import type { Planes } from "./scan-view.ts";
import { opacitySlider, thresholdSlider } from "./sliders.ts";
import { Stages, type Channel } from "./stages.ts";
import { VerdictButtons } from "./verdicts.ts";
import { WindowTools } from "./window-tools.ts";

export interface Result {
  found: Case;
  detection: Detection;
  model: Model | null;
  channels: Channel[];
  map: (() => Promise<Blob>) | null;
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

const ZOOMS: Record<string, number> = { "+": 1, "=": 1, "-": -1 };

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
  private readonly stages: Stages;
  private readonly windows = new WindowTools((range) => this.stages.setWindow(range));
  private readonly panel = el("aside", { class: "panel", "aria-label": "Map and findings" });
  private readonly place = el("output", { class: "place" });
  private readonly findings: HTMLButtonElement[];
  private readonly verdicts: VerdictButtons;
  private readonly levels: Levels | null;
  private readonly tools = new Map<string, HTMLButtonElement>();
  private chosen = -1;
  private opacity = FIRST_OPACITY;
  private hidden = false;

  constructor(private readonly result: Result) {
    const levels = result.model?.map_levels ?? [];
    this.levels = levels.length > 1 ? new Levels(levels) : null;
    const { map, detection, channels } = result;
    const low = this.levels?.value(FIRST_P) ?? detection.map_scale[0];
    const mapRange: Range = [low, detection.map_scale[1]];
    this.findings = detection.findings.map((finding, index) => findingButton(finding, () => this.choose(index)));
    this.verdicts = new VerdictButtons(result.found.id, detection.findings);
    const picture = { channels, map, mapRange, isImage: detection.is_image };
    this.stages = new Stages(picture, (text) => (this.place.value = text), (changed) => this.scanChanged(changed));
    this.element = this.layout();
  }

  async draw(): Promise<void> {
    await this.stages.draw(() => {
      this.scanChanged(true);
      if (this.stages.view?.knowsBrain !== true) this.disable3d();
      if (this.findings.length > 0) this.choose(0, false);
    });
  }

  private scanChanged(changed: boolean): void {
    const view = this.stages.view;
    if (view === undefined) return;
    if (changed) this.windows.of(view);
    else this.windows.follow(view.window());
  }

  close(): void {
    this.stages.close();
  }

  onKey(key: string): boolean {
    const planes = PLANES.find(([, , letter]) => letter === key);
    const move = this.stages.has(document.activeElement) ? MOVES[key] : undefined;
    const step = STEPS[key];
    const zoom = ZOOMS[key];
    if (planes !== undefined && !this.result.detection.is_image) this.planes(planes[0]);
    else if (move !== undefined) this.stages.view?.move(...move);
    else if (step !== undefined && !this.result.detection.is_image) this.stages.view?.step(step);
    else if (zoom !== undefined) this.stages.view?.zoom(zoom);
    else if (key === "j" && this.findings.length > 0) this.choose((this.chosen + 1) % this.findings.length);
    else if (key === "k" && this.findings.length > 0) this.choose((this.chosen + this.findings.length - 1) % this.findings.length);
    else return this.onToolKey(key);
    return true;
  }

  private onToolKey(key: string): boolean {
    if (key === "m") this.toggleMap();
    else if (key === "r") this.toggleRuler();
    else if (key === "b" && this.stages.hasBeside) this.blink();
    else if (key === "x" && this.stages.canSwap) this.stages.swap();
    else if (this.windows.onKey(key)) return true;
    else return this.chosen >= 0 && this.verdicts.onKey(key, this.result.detection.findings[this.chosen]!.rank);
    return true;
  }

  private layout(): HTMLElement {
    const windows = this.windows.sliders;
    const refused = this.result.found.decision === "refused";
    this.panel.append(...(this.result.map === null ? [windows] : [this.mapSliders(), windows]), findingList(this.result.detection, refused, this.findings, this.verdicts));
    const bars = el("div", { class: "bars" }, this.planeButtons(), this.toolButtons());
    return el("div", { class: "result" }, el("div", { class: "pictures" }, bars, this.stages.element, this.place), this.panel);
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
    if (this.stages.hasBeside) {
      add("blink", "Blink", () => this.blink());
      add("beside", "Side by side", () => this.besides());
      this.press("beside", true);
    }
    if (this.stages.canSwap) group.append(this.stages.swapButton());
    if (!this.result.detection.is_image) add("head", "Whole head in 3D", () => this.toggleHead());
    const chooser = this.stages.chooser();
    group.append(...(chooser === null ? [] : [chooser]), this.windows.menu);
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
    for (const view of this.stages.all) view.planes(which);
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
    for (const view of this.stages.all) view.wholeHead(whole);
    if (whole) this.planeButton("render")?.removeAttribute("disabled");
    else if (this.stages.view?.knowsBrain === false) {
      this.planes("all");
      this.disable3d();
    }
  }

  private toggleRuler(): void {
    const on = !this.pressed("ruler");
    this.press("ruler", on);
    for (const view of this.stages.all) view.ruler(on);
    say(on ? "Ruler: drag from one place to another" : "Ruler off");
  }

  private blink(): void {
    this.stages.blink();
    this.press("blink", true);
    this.press("beside", false);
  }

  private besides(): void {
    this.stages.besides();
    this.press("blink", false);
    this.press("beside", true);
  }

  private mapSliders(): HTMLElement {
    const end = this.result.detection.map_scale[1];
    const levels = this.levels;
    const threshold =
      levels === null
        ? el("p", { class: "hint" }, "Shown on the scale that the model was calibrated with.")
        : thresholdSlider(levels, FIRST_P, (p) => this.stages.view?.mapRange(levels.value(p), end));
    const opacity = opacitySlider(FIRST_OPACITY, (share) => {
      this.opacity = share;
      this.stages.view?.mapOpacity(share);
    });
    return el("section", { class: "card sliders" }, el("h2", {}, "Anomaly map"), threshold, opacity);
  }

  private toggleMap(): void {
    this.hidden = !this.hidden;
    this.stages.view?.mapOpacity(this.hidden ? 0 : this.opacity);
    say(this.hidden ? "Map hidden" : "Map shown");
  }

  private choose(index: number, aloud = true): void {
    this.chosen = index;
    this.findings.forEach((one, place) => one.setAttribute("aria-pressed", String(place === index)));
    const finding = this.result.detection.findings[index]!;
    this.stages.view?.jumpTo(finding.peak_mm);
    if (aloud) say(`Finding ${finding.rank}: ${this.findings[index]!.textContent}`);
  }
}
