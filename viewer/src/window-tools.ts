// Which values of the scan under the map are black and white: a menu of named windows, keys, and sliders.

import { el, say } from "./dom.ts";
import type { Preset, Range } from "./presets.ts";
import type { ScanView } from "./scan-view.ts";
import { WindowSliders } from "./sliders.ts";

const FIRST_KEY = 5; // 0 and 3 are planes
const LAST_KEY = 9;

export class WindowTools {
  readonly menu = el("span", { class: "windows" });
  readonly sliders = el("div");
  private readonly select = el("select", { id: "window-preset" });
  private presets: Preset[] = [];
  private own: WindowSliders | null = null;

  constructor(private readonly onChange: (range: Range) => void) {
    this.menu.append(el("label", { for: "window-preset" }, "Window "), this.select);
    this.select.addEventListener("change", () => this.use(this.presets[this.select.selectedIndex]));
  }

  // Another scan lies under the map.
  of(view: ScanView): void {
    const open = this.sliders.querySelector("details")?.open ?? false;
    this.presets = view.presets();
    this.select.replaceChildren(...this.presets.map((one) => el("option", {}, one.name)), el("option", { hidden: "" }, "By hand"));
    const ends = [view.extent(), ...this.presets.map((one) => one.range)].flat();
    this.own = new WindowSliders([Math.min(...ends), Math.max(...ends)], this.presets[0]?.range ?? view.window(), (range) => {
      this.onChange(range);
      this.follow(range);
    });
    this.sliders.replaceChildren(this.own.element);
    this.own.element.toggleAttribute("open", open);
    this.follow(view.window());
  }

  // The window was changed elsewhere, by dragging with the right button.
  follow(range: Range): void {
    this.own?.follow(range);
    this.tell(range);
  }

  onKey(key: string): boolean {
    const digit = Number(key);
    const preset = digit >= FIRST_KEY && digit <= LAST_KEY ? this.presets[digit - FIRST_KEY] : undefined;
    this.use(preset);
    return preset !== undefined;
  }

  private use(preset: Preset | undefined): void {
    if (preset === undefined) return;
    this.onChange(preset.range);
    this.follow(preset.range);
    say(`Window ${preset.name}`);
  }

  private tell([black, white]: Range): void {
    const near = (white - black) * 1e-3;
    const found = this.presets.findIndex(({ range }) => Math.abs(range[0] - black) <= near && Math.abs(range[1] - white) <= near);
    this.select.selectedIndex = found < 0 ? this.presets.length : found;
  }
}
