// Sliders: what of the map is coloured, and which values of the scan are black and white.

import { el } from "./dom.ts";
import { oneIn, showP, type Levels } from "./levels.ts";
import type { Range } from "./presets.ts";

const STEPS = 200;

interface Slider {
  element: HTMLElement;
  set: (value: number) => void; // as if a person had moved it there
  show: (value: number, text: string) => void;
}

function slider(id: string, name: string, attributes: Record<string, string>, onInput: (value: number) => string): Slider {
  const input = el("input", { type: "range", id, ...attributes });
  const told = el("output", { for: id, id: `${id}-told` });
  const tell = (text: string): void => {
    told.value = text;
    input.setAttribute("aria-valuetext", text);
  };
  const apply = (): void => tell(onInput(Number(input.value)));
  input.addEventListener("input", apply);
  const set = (value: number): void => {
    input.value = String(value);
    apply();
  };
  const show = (value: number, text: string): void => {
    input.value = String(value);
    tell(text);
  };
  return { element: el("div", { class: "slider" }, el("label", { for: id }, name), input, told), set, show };
}

export function thresholdSlider(levels: Levels, first: number, onChange: (p: number) => void): HTMLElement {
  const made = slider("threshold", "Show voxels from", { min: "0", max: "1", step: "any" }, (position) => {
    const p = levels.p(position);
    onChange(p);
    return `p ≤ ${showP(p)}: ${oneIn(p)} healthy voxels lies above`;
  });
  made.set(levels.position(first));
  return made.element;
}

export function opacitySlider(first: number, onChange: (opacity: number) => void): HTMLElement {
  const made = slider("opacity", "Opacity", { min: "0", max: "1", step: "0.05" }, (opacity) => {
    onChange(opacity);
    return `${Math.round(opacity * 100)} %`;
  });
  made.set(first);
  return made.element;
}

// Window and level of the scan, between its least and its greatest value.
export class WindowSliders {
  readonly element: HTMLElement;
  private readonly level: Slider;
  private readonly width: Slider;
  private shown: Range = [0, 1];

  constructor(
    private readonly extent: Range,
    first: Range,
    private readonly onChange: (range: Range) => void,
  ) {
    const step = String((extent[1] - extent[0]) / STEPS || 1);
    const limits = { min: String(extent[0]), max: String(extent[1]), step };
    this.level = slider("level", "Level", limits, (level) => this.apply(level, this.shown[1] - this.shown[0]));
    this.width = slider("window", "Width", { min: step, max: String(extent[1] - extent[0] || 1), step }, (width) =>
      this.apply((this.shown[0] + this.shown[1]) / 2, width),
    );
    const usual = el("button", { type: "button", class: "quiet" }, "As at first");
    usual.addEventListener("click", () => {
      this.onChange(first);
      this.follow(first);
    });
    this.element = el("details", { class: "card more" }, el("summary", {}, "Window and level of the scan"), this.level.element, this.width.element, usual);
    this.follow(first);
  }

  // The window was changed elsewhere, by dragging with the right button.
  follow(range: Range): void {
    this.shown = range;
    const [black, white] = range;
    this.level.show((black + white) / 2, this.describe());
    this.width.show(white - black, this.describe());
  }

  private apply(level: number, width: number): string {
    this.shown = [level - width / 2, level + width / 2];
    this.onChange(this.shown);
    return this.describe();
  }

  private describe(): string {
    const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(this.extent[1] - this.extent[0], 1e-9))));
    return `black at ${this.shown[0].toFixed(digits)}, white at ${this.shown[1].toFixed(digits)}`;
  }
}
