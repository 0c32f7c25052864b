// Drop a scan, choose a model, send it.

import { sendCase, type Model, type Problem } from "./api.ts";
import { el, say } from "./dom.ts";

const BRAIN = "brain";

export function uploadForm(models: Model[], onAccepted: (id: string) => void): HTMLElement {
  const model = el("select", { id: "model", name: "model" }, ...models.map((one) => el("option", { value: one.name }, one.name)));
  const facts = el("p", { class: "hint", id: "model-facts" });
  const slots = el("div", { class: "slots" });
  const mask = el("div", { class: "slots" });
  const problem = el("p", { class: "problem", role: "alert" });
  const send = el("button", { type: "submit", disabled: "" }, "Judge this scan");
  const sent = el("progress", { max: "1", value: "0", "aria-label": "Upload", class: "hidden" });
  const label = el("input", { type: "text", id: "label", maxlength: "120", autocomplete: "off" });
  const fromName = el("input", { type: "checkbox", id: "label-from-name" });
  const asCalled = el("input", { type: "checkbox", id: "as-called" });
  const chosen = new Map<string, File>();

  function chosenModel(): Model {
    return models.find((one) => one.name === model.value) ?? models[0]!;
  }

  // Of the first scan; there is one, or nothing could be sent.
  function nameOfScan(): string {
    return chosenModel().modalities.flatMap((modality) => chosen.get(modality)?.name ?? [])[0]!;
  }

  function refresh(): void {
    const wanted = chosenModel();
    const fields = [...wanted.modalities, BRAIN];
    for (const field of chosen.keys()) if (!fields.includes(field)) chosen.delete(field);
    const lacking = wanted.modalities.filter((modality) => !chosen.has(modality));
    send.toggleAttribute("disabled", takesAny(wanted) ? lacking.length === wanted.modalities.length : lacking.length > 0);
    facts.textContent = describe(wanted);
    slots.replaceChildren(...wanted.modalities.map((modality) => slot(modality, ...scanWords(modality))));
    mask.replaceChildren(slot(BRAIN, "Drop a brain mask here", "or choose a file on the grid of the scan; above 0 is brain"));
  }

  function scanWords(modality: string): [string, string] {
    const title = chosenModel().modalities.length > 1 ? `Drop the ${modality} scan here` : "Drop a scan here";
    return [title, `or choose a file: ${modality} as NIfTI, DICOM, image, or zip`];
  }

  function slot(modality: string, title: string, hint: string): HTMLElement {
    const file = chosen.get(modality);
    const input = el("input", { type: "file", id: `file-${modality}`, class: "visually-hidden" });
    const label = el(
      "label",
      { for: input.id, class: file === undefined ? "drop" : "drop filled" },
      el("strong", {}, file?.name ?? title),
      el("span", {}, file === undefined ? hint : size(file)),
    );
    input.addEventListener("change", () => take(modality, input.files?.[0]));
    label.addEventListener("dragover", (event) => {
      event.preventDefault();
      label.classList.add("over");
    });
    label.addEventListener("dragleave", () => label.classList.remove("over"));
    label.addEventListener("drop", (event) => {
      event.preventDefault();
      take(modality, event.dataTransfer?.files[0]);
    });
    return el("div", {}, input, label);
  }

  function take(modality: string, file: File | undefined): void {
    if (file === undefined) return;
    chosen.set(modality, file);
    problem.textContent = "";
    refresh();
    say(`${file.name} chosen as ${modality}`);
    send.focus();
  }

  async function submit(): Promise<void> {
    const form = new FormData();
    form.set("model", chosenModel().name);
    form.set("label", label.value.trim() || (fromName.checked ? nameOfScan() : "").slice(0, 120));
    if (asCalled.checked) form.set("as_called", "yes");
    for (const [modality, file] of chosen) form.set(modality, file);
    send.setAttribute("disabled", "");
    sent.classList.remove("hidden");
    problem.textContent = "";
    try {
      onAccepted((await sendCase(form, (share) => (sent.value = share))).id);
    } catch (error) {
      problem.textContent = (error as Problem).message;
    } finally {
      sent.classList.add("hidden");
      refresh();
    }
  }

  const form = el(
    "form",
    { class: "card upload", "aria-labelledby": "upload-title" },
    el("h1", { id: "upload-title" }, "Judge a scan"),
    slots,
    el("details", { class: "more" }, el("summary", {}, "Brain mask, if there is one"), mask),
    el(
      "div",
      { class: "row" },
      el("label", { for: "label" }, "Label"),
      label,
      fromName,
      el("label", { for: "label-from-name" }, "the file's name, where there is none"),
    ),
    el("p", { class: "hint" }, "A label is shown in the list of cases. A file's name may name a patient, so it is not taken unless you say so."),
    el(
      "details",
      { class: "more" },
      el("summary", {}, "Refused because it looks like another sequence?"),
      el("div", { class: "row" }, asCalled, el("label", { for: "as-called" }, "It shows what it is called, whatever it looks like: judge it so")),
      el("p", { class: "hint" }, "The refusal becomes a warning that stays with the result."),
    ),
    el("div", { class: "row" }, el("label", { for: "model" }, "Model"), model, send),
    facts,
    sent,
    problem,
  );
  model.addEventListener("change", refresh);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void submit();
  });
  refresh();
  return form;
}

function describe(model: Model): string {
  const calibration = model.card["calibration"] as { subjects?: number } | null | undefined;
  const subjects = calibration?.subjects === undefined ? "" : `, calibrated on ${calibration.subjects} healthy subjects`;
  return `${String(model.card["detector"])} for ${model.modalities.join(takesAny(model) ? ", or " : " and ")}${subjects}.`;
}

// Whether one scan of any of its modalities makes a case.
function takesAny(model: Model): boolean {
  return model.card["any_of"] === true;
}

function size(file: File): string {
  return file.size >= 1e6 ? `${(file.size / 1e6).toFixed(1)} MB` : `${Math.ceil(file.size / 1e3)} kB`;
}
