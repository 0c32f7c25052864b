// Earlier cases, newest first.

import { listCases, type Case, type Problem } from "./api.ts";
import { button, el } from "./dom.ts";

export function chip(found: Case): HTMLElement {
  const text = found.decision ?? found.status;
  return el("span", { class: `chip ${text}` }, text);
}

export async function history(): Promise<HTMLElement> {
  const list = el("ul", { class: "cases" });
  const more = el("div", { class: "row" });
  const section = el("section", { "aria-labelledby": "history-title" }, el("h2", { id: "history-title" }, "Cases"), list, more);

  async function load(after: string | null): Promise<void> {
    const page = await listCases(after);
    list.append(...page.cases.map(line));
    const next = page.next;
    more.replaceChildren(...(next === null ? [] : [button("Earlier cases", () => void load(next), { class: "quiet" })]));
    if (list.childElementCount === 0) {
      list.replaceWith(el("p", { class: "empty" }, "No case yet. What you send appears here, until it expires."));
    }
  }

  try {
    await load(null);
  } catch (error) {
    section.append(el("p", { class: "problem", role: "alert" }, (error as Problem).message));
  }
  return section;
}

function line(found: Case): HTMLElement {
  const when = new Date(found.created).toLocaleString();
  const warned = found.warnings.length === 0 ? null : el("span", { class: "chip warned", title: found.warnings.join("\n") }, "warning");
  const p = found.p_value === null ? "" : ` · p = ${found.p_value.toPrecision(2)}`;
  return el(
    "li",
    {},
    el(
      "a",
      { href: `#/cases/${found.id}` },
      el("span", { class: "name" }, found.label || found.id.slice(0, 8)),
      chip(found),
      warned,
      el("span", { class: "hint" }, `${found.model} · ${when}${p}`),
    ),
  );
}
