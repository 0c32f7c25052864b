// One case: progress while it runs, then decision, picture, sliders and findings.

import { deleteCase, follow, getCase, getDetection, getFile, type Case, type Detection, type Model, type Problem } from "./api.ts";
import { button, el, say } from "./dom.ts";
import { chip } from "./history.ts";
import { resultView, type ResultView } from "./result-view.ts";
import { warmUp } from "./scan-view.ts";
import type { Channel } from "./stages.ts";

export class CasePage {
  readonly element = el("div", { class: "case" });
  private readonly gone = new AbortController();
  private result: ResultView | null = null;

  constructor(
    private readonly id: string,
    private readonly models: Model[],
  ) {
    this.element.append(el("p", { class: "loading" }, "Loading the case"));
    void this.open();
  }

  close(): void {
    this.gone.abort();
    this.result?.close();
  }

  onKey(key: string): boolean {
    return this.result?.onKey(key) ?? false;
  }

  private async open(): Promise<void> {
    try {
      const found = await getCase(this.id);
      this.showProgress(found);
      if (!ended(found)) void warmUp().catch(() => undefined); // without WebGL the picture will tell
      if (!ended(found)) await follow(this.id, this.gone.signal, (now) => this.showProgress(now));
      await this.showEnd(await getCase(this.id));
    } catch (error) {
      if (!this.gone.signal.aborted) this.showProblem((error as Problem).message);
    }
  }

  private showProgress(found: Case): void {
    if (ended(found)) return;
    const stage = found.status === "queued" ? "Waiting for a worker" : sentence(found.stage);
    say(stage);
    this.element.replaceChildren(
      heading(found),
      el(
        "section",
        { class: "card waiting", "aria-busy": "true" },
        el("p", {}, stage),
        el("progress", { max: "1", value: String(found.progress), "aria-label": "Progress of the case" }),
        el("p", { class: "hint" }, "You may leave this page; the case stays in the list."),
      ),
    );
  }

  private async showEnd(found: Case): Promise<void> {
    if (found.status === "failed") {
      this.showFailure(found);
      return;
    }
    say(`The case is ${found.decision}`);
    const detection = await getDetection(found);
    const channels = channelsOf(found, detection);
    const map = found.results["anomaly_map.nii.gz"];
    this.element.replaceChildren(heading(found), decision(found, detection));
    if (channels.length > 0) {
      const model = this.models.find((one) => one.name === found.model) ?? null;
      this.result = await resultView(this.element, { found, detection, model, channels, map: map === undefined ? null : () => getFile(map) });
    } else {
      const told = found.inputs_kept ? "No picture: the scan could not be read." : "No picture: the scan has expired and was deleted.";
      this.element.append(el("p", { class: "empty" }, told));
    }
    this.element.append(this.actions(found));
  }

  private showFailure(found: Case): void {
    say("The case failed");
    this.element.replaceChildren(
      heading(found),
      el(
        "section",
        { class: "card failed-card", role: "alert" },
        el("h2", {}, "This case could not be finished"),
        el("p", {}, "That says nothing about the scan: it was not judged."),
        el("p", { class: "mono" }, found.error),
      ),
      this.actions(found),
    );
  }

  private showProblem(text: string): void {
    this.element.replaceChildren(
      el("section", { class: "card failed-card", role: "alert" }, el("h2", {}, "Not to be shown"), el("p", {}, text)),
      el("p", {}, el("a", { href: "#/" }, "To all cases")),
    );
  }

  private actions(found: Case): HTMLElement {
    const saves = Object.entries(found.results).map(([name, address]) => button(name, () => void save(name, address), { class: "quiet" }));
    const remove = button("Delete this case", () => void this.remove(), { class: "quiet danger" });
    return el("section", { class: "actions", "aria-label": "Files of this case" }, ...saves, remove);
  }

  private async remove(): Promise<void> {
    if (!confirm("Delete this case, its scan and its results?")) return;
    try {
      await deleteCase(this.id);
      location.hash = "#/";
    } catch (error) {
      this.element.prepend(el("p", { class: "problem", role: "alert" }, (error as Problem).message));
    }
  }
}

function ended(found: Case): boolean {
  return found.status === "done" || found.status === "failed";
}

function heading(found: Case): HTMLElement {
  return el("h1", { class: "title" }, found.label || `Case ${found.id.slice(0, 8)}`, chip(found));
}

function decision(found: Case, detection: Detection): HTMLElement {
  if (found.decision === "refused") {
    return el(
      "section",
      { class: "card refused-card" },
      el("h2", {}, "Refused: this scan can't be judged"),
      el("p", {}, found.reason),
      el("p", { class: "hint" }, "Refused is neither normal nor abnormal."),
    );
  }
  const fact = (name: string, value: number | null): HTMLElement =>
    el("div", {}, el("dt", {}, name), el("dd", {}, value === null ? "–" : value.toPrecision(3)));
  const warnings = (detection.warnings ?? []).map((text) => el("p", { class: "problem" }, text));
  return el(
    "section",
    { class: `card decision ${found.decision ?? ""}`, "aria-label": "Decision" },
    ...warnings,
    el("dl", {}, el("div", {}, el("dt", {}, "Decision"), el("dd", {}, found.decision ?? "–")), fact("p-value of the whole scan", found.p_value), fact("Score", found.score), fact("Threshold", found.threshold), el("div", {}, el("dt", {}, "Model"), el("dd", {}, found.model))),
  );
}

// The scan on whose grid all lie, the case's other scans, and the reconstruction; none where the scan is not kept.
function channelsOf(found: Case, detection: Detection): Channel[] {
  const scan = found.results["scan.nii.gz"];
  if (scan === undefined) return [];
  const modality = detection.modality ?? "";
  const others = Object.keys(found.results).flatMap((name) => /^scan-(\w+)\.nii\.gz$/.exec(name)?.[1] ?? []);
  const restored = found.results["restored.nii.gz"];
  return [
    { name: modality || "Scan", modality, restored: false, fetch: () => getFile(scan) },
    ...others.map((name) => ({ name, modality: name, restored: false, fetch: () => getFile(found.results[`scan-${name}.nii.gz`]!) })),
    ...(restored === undefined ? [] : [{ name: "Reconstruction", modality, restored: true, fetch: () => getFile(restored) }]),
  ];
}

async function save(name: string, address: string): Promise<void> {
  const url = URL.createObjectURL(await getFile(address));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function sentence(stage: string): string {
  return stage === "" ? "Starting" : stage[0]!.toUpperCase() + stage.slice(1);
}
