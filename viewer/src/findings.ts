// The list of findings, and what their p-values are about.

import type { Detection, Finding } from "./api.ts";
import { button, el } from "./dom.ts";
import { where } from "./scan-view.ts";
import type { VerdictButtons } from "./verdicts.ts";

export function findingButton(finding: Finding, onClick: () => void): HTMLButtonElement {
  const pixel = `pixel ${finding.peak_mm[0].toFixed(0)}, ${finding.peak_mm[1].toFixed(0)}`;
  const region = finding.region || (finding.unit === "px" ? pixel : `${where(finding.peak_mm)} mm`);
  const size = finding.unit === "ml" ? `${finding.size.toFixed(1)} ml` : `${finding.size.toFixed(0)} px`;
  const made = button("", onClick, { class: "finding", "aria-pressed": "false" });
  made.append(
    el("b", {}, String(finding.rank)),
    el("span", {}, region),
    el("span", { class: "hint" }, `${size} · peak ${finding.peak_score.toPrecision(3)}`),
    tested(finding),
  );
  return made;
}

function tested(finding: Finding): Node {
  if (finding.p_value === undefined || finding.p_value === null) return el("span", {});
  const stands = finding.significant === true ? "stands out by itself" : "does not stand out by itself";
  return el("span", { class: "hint" }, `This finding: p = ${finding.p_value.toPrecision(2)}, ${stands}`);
}

export function findingList(detection: Detection, refused: boolean, buttons: HTMLButtonElement[], verdicts: VerdictButtons): HTMLElement {
  const section = el("section", { class: "card findings" }, el("h2", {}, "Findings"));
  if (refused) {
    section.append(el("p", { class: "empty" }, "Not judged, so nothing was looked for."));
  } else if (buttons.length === 0) {
    section.append(el("p", { class: "empty" }, "No region lies above the healthy level."));
  } else {
    section.append(el("ol", {}, ...buttons.map((one, index) => el("li", {}, one, verdicts.of(detection.findings[index]!.rank)))), meaning(detection));
  }
  return section;
}

function meaning(detection: Detection): Node {
  const tested = detection.findings.some((one) => one.p_value !== undefined && one.p_value !== null);
  if (!tested) return el("span", {});
  const two =
    "The decision is about the whole scan. A finding's p-value is about that region alone, compared with regions of healthy " +
    "scans: a scan may be abnormal though none of its regions stands out by itself.";
  const control = detection.finding_control ?? "";
  return el("details", { class: "hint" }, el("summary", {}, "What the p-values mean"), el("p", {}, two), control === "" ? null : el("p", {}, control));
}
