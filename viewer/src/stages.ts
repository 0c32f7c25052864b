// The pictures of a case: the scan with its map, and beside it another scan or the reconstruction, tied to it.

import { button, el, say } from "./dom.ts";
import type { Range } from "./presets.ts";
import { ScanView } from "./scan-view.ts";

// What can be shown of a case: a scan of one modality, or a reconstruction of it.
export interface Channel {
  name: string;
  modality: string; // "" where nobody knows
  restored: boolean;
  fetch(): Promise<Blob>;
}

export interface Shown {
  channels: Channel[]; // the first one is the scan on whose grid all lie
  map: (() => Promise<Blob>) | null;
  mapRange: Range;
  isImage: boolean;
}

const KEYS = "Arrow keys move the crosshair, page up and down go through the slices; J and K go through the findings.";
const RESTORED = "Reconstruction: as the model expects it in health";

export class Stages {
  readonly element = el("div", { class: "stages" });
  readonly canvas = el("canvas", { tabindex: "0", role: "img" });
  private readonly caption = el("figcaption");
  private readonly loading = el("p", { class: "loading over" }, "Loading the picture");
  private readonly besideCanvas = el("canvas", { tabindex: "0", role: "img" });
  private readonly besideCaption = el("figcaption");
  private readonly besideLoading = el("p", { class: "loading over" }, "Loading the other picture");
  private views: ScanView[] = [];
  private closed = false;
  private main: Channel;
  private beside: Channel | null;

  // `onScan` is told when another scan has come under the map, or another window.
  constructor(
    private readonly shown: Shown,
    private readonly onMove: (text: string) => void,
    private readonly onScan: (changed: boolean) => void,
  ) {
    this.main = shown.channels[0]!;
    this.beside = shown.channels[1] ?? null;
    this.element.append(el("figure", { class: "stage" }, this.canvas, this.loading, this.caption));
    if (this.beside !== null) {
      this.element.classList.add("two");
      this.element.append(el("figure", { class: "stage twin" }, this.besideCanvas, this.besideLoading, this.besideCaption));
    }
    this.label();
    for (const canvas of [this.canvas, this.besideCanvas]) {
      canvas.addEventListener("pointerup", () => this.dragged(canvas));
      canvas.addEventListener("wheel", (event) => this.wheeled(event), { capture: true });
    }
  }

  get view(): ScanView | undefined {
    return this.views[0];
  }

  get all(): readonly ScanView[] {
    return this.views;
  }

  get hasBeside(): boolean {
    return this.beside !== null;
  }

  // Whether another scan of the case can come under the map.
  get canSwap(): boolean {
    return this.shown.channels.filter((one) => !one.restored).length > 1;
  }

  has(focused: Element | null): boolean {
    return focused === this.canvas || focused === this.besideCanvas;
  }

  // The scan first, which a person waits for; `ready` is called before what stands beside it is fetched.
  async draw(ready: () => void): Promise<void> {
    const { mapRange, isImage } = this.shown;
    const [scan, map] = await Promise.all([this.main.fetch(), this.shown.map?.() ?? null]);
    const main = await ScanView.show(this.canvas, { scan, modality: this.main.modality, window: null, map, mapRange, isImage, beside: null }, this.onMove);
    if (this.closed) return main.close();
    this.views = [main];
    ready();
    await shownOn(this.canvas, main, this.loading);
    if (this.beside !== null && !this.closed) await this.drawBeside(main, this.beside);
  }

  private async drawBeside(main: ScanView, channel: Channel): Promise<void> {
    const { mapRange, isImage } = this.shown;
    const picture = { scan: await channel.fetch(), modality: channel.modality, window: this.sharedWindow(channel), map: null, mapRange, isImage, beside: main };
    const made = await ScanView.show(this.besideCanvas, picture, () => undefined);
    if (this.closed) return made.close();
    this.views.push(made);
    main.tieTo(made);
    await shownOn(this.besideCanvas, made, this.besideLoading);
  }

  // Scans of one modality are shown in one window, others each in its own.
  private sharedWindow(channel: Channel): Range | null {
    return channel.modality === this.main.modality ? (this.view?.window() ?? null) : null;
  }

  setWindow(range: Range): void {
    this.views[0]?.setWindow(range);
    if (this.beside?.modality === this.main.modality) this.views[1]?.setWindow(range);
  }

  private dragged(canvas: HTMLCanvasElement): void {
    const [main, beside] = this.views;
    if (main === undefined) return;
    const alike = beside !== undefined && this.beside?.modality === this.main.modality;
    if (canvas === this.besideCanvas && !alike) return;
    this.setWindow((canvas === this.canvas ? main : beside!).window());
    this.onScan(false);
  }

  private wheeled(event: WheelEvent): void {
    if (!event.ctrlKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.view?.zoom(event.deltaY < 0 ? 1 : -1);
  }

  // What can stand beside the scan: nothing to choose where there is but one.
  chooser(): HTMLElement | null {
    if (this.shown.channels.length < 3) return null;
    const select = el("select", { id: "beside" });
    const refresh = (): void => {
      const rest = this.shown.channels.filter((one) => one !== this.main);
      select.replaceChildren(...rest.map((one) => el("option", one === this.beside ? { selected: "" } : {}, one.name)));
    };
    select.addEventListener("change", () => void this.choose(this.shown.channels.find((one) => one.name === select.value)!));
    this.element.addEventListener("swapped", refresh);
    refresh();
    return el("span", {}, el("label", { for: "beside" }, "Beside it "), select);
  }

  private async choose(channel: Channel): Promise<void> {
    const view = this.views[1];
    if (view === undefined) return;
    this.beside = channel;
    this.label();
    delete this.besideCanvas.dataset["drawn"];
    this.besideCanvas.after(this.besideLoading);
    await view.change(await channel.fetch(), channel.modality, this.sharedWindow(channel));
    await shownOn(this.besideCanvas, view, this.besideLoading);
  }

  // The scan beside comes under the map, and the other one stands beside it.
  swap(): void {
    const [main, beside] = this.views;
    if (main === undefined || beside === undefined || this.beside === null || this.beside.restored) return;
    main.exchange(beside);
    [this.main, this.beside] = [this.beside, this.main];
    this.label();
    this.element.dispatchEvent(new Event("swapped"));
    this.onScan(true);
    say(`The map lies on ${this.main.name}`);
  }

  swapButton(): HTMLButtonElement {
    return button("Swap", () => this.swap(), { "aria-label": "Swap the scan under the map and the one beside it" });
  }

  // Both in one place, in turn: an eye sees what differs.
  blink(): void {
    this.element.classList.add("blinking");
    const other = this.element.classList.toggle("shows-twin");
    say((other ? this.beside : this.main)?.name ?? "");
  }

  besides(): void {
    this.element.classList.remove("blinking", "shows-twin");
  }

  private label(): void {
    const several = this.canSwap;
    this.caption.textContent = this.beside === null ? "" : `${several ? this.main.name : "Scan"} and anomaly map`;
    this.caption.hidden = this.beside === null;
    const named = several ? ` (${this.main.name})` : "";
    this.canvas.setAttribute("aria-label", `Scan${named} with the anomaly map over it. ${KEYS}`);
    if (this.beside === null) return;
    this.besideCaption.textContent = this.beside.restored ? RESTORED : this.beside.name;
    const name = this.beside.restored ? "Healthy twin restored by the model" : `Beside it: ${this.beside.name}`;
    this.besideCanvas.setAttribute("aria-label", `${name}. ${KEYS}`);
  }

  close(): void {
    this.closed = true;
    for (const view of this.views) view.close();
  }
}

// Marks a picture as drawn once the browser has had its turn to put it on the screen; then comes 3D.
async function shownOn(canvas: HTMLCanvasElement, view: ScanView, loading: HTMLElement): Promise<void> {
  await view.draw();
  loading.remove();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  canvas.dataset["drawn"] = "true";
  view.draw3d();
}
