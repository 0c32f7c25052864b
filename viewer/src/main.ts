// The page: which part is shown, light or dark, the token, and keys.

import "./style.css";

import { casesOfStudy, models, setToken, type Model, type Problem } from "./api.ts";
import { CasePage } from "./case-page.ts";
import { byId, el } from "./dom.ts";
import { history } from "./history.ts";
import { uploadForm } from "./upload.ts";

const main = byId("main");
const tokenDialog = byId<HTMLDialogElement>("token-dialog");
const keysDialog = byId<HTMLDialogElement>("keys-dialog");
let known: Model[] | null = null;
let page: CasePage | null = null;

async function show(): Promise<void> {
  page?.close();
  page = null;
  try {
    known ??= await models();
  } catch (error) {
    showProblem(error as Problem);
    return;
  }
  const study = /^\/study\/([0-9.]{1,64})$/.exec(location.pathname)?.[1];
  if (study !== undefined) {
    await showStudy(study);
    return;
  }
  const id = /^#\/cases\/([0-9a-f]{32})$/.exec(location.hash)?.[1];
  if (id === undefined) {
    main.replaceChildren(uploadForm(known, (made) => (location.hash = `#/cases/${made}`)), await history());
  } else {
    page = new CasePage(id, known);
    main.replaceChildren(page.element);
  }
  document.title = id === undefined ? "sanum" : "Case · sanum";
}

async function showStudy(uid: string): Promise<void> {
  try {
    const newest = (await casesOfStudy(uid))[0];
    if (newest !== undefined) location.replace(`/#/cases/${newest.id}`);
    else main.replaceChildren(el("section", { class: "card", role: "alert" }, el("h1", {}, "No case of this study"), el("p", {}, "It was not judged yet, or you may not see it."), el("p", {}, el("a", { href: "/" }, "To all cases"))));
  } catch (error) {
    showProblem(error as Problem);
  }
}

function showProblem(problem: Problem): void {
  const again = el("button", { type: "button" }, problem.status === 401 ? "Enter a token" : "Try again");
  again.addEventListener("click", () => (problem.status === 401 ? tokenDialog.showModal() : void show()));
  main.replaceChildren(
    el("section", { class: "card failed-card", role: "alert" }, el("h1", {}, problem.status === 401 ? "A token is needed" : "Something is wrong"), el("p", {}, problem.message), again),
  );
  if (problem.status === 401 && !tokenDialog.open) tokenDialog.showModal();
}

function setTheme(theme: string): void {
  document.documentElement.dataset["theme"] = theme;
  byId("theme-button").textContent = theme === "dark" ? "Light" : "Dark";
  localStorage.setItem("sanum-theme", theme);
}

function usualTheme(): string {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function onKey(event: KeyboardEvent): void {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") !== null) return;
  if (event.key === "?") keysDialog.showModal();
  else if (page?.onKey(event.key.length === 1 ? event.key.toLowerCase() : event.key) !== true) return;
  event.preventDefault();
  event.stopPropagation(); // the picture has keys of its own
}

byId("token-button").addEventListener("click", () => tokenDialog.showModal());
byId("keys-button").addEventListener("click", () => keysDialog.showModal());
byId("theme-button").addEventListener("click", () => setTheme(document.documentElement.dataset["theme"] === "dark" ? "light" : "dark"));
tokenDialog.addEventListener("close", () => {
  const input = byId<HTMLInputElement>("token-input");
  if (tokenDialog.returnValue === "use") {
    setToken(input.value.trim());
    known = null;
    void show();
  }
  input.value = "";
});
addEventListener("hashchange", () => void show());
addEventListener("keydown", onKey, { capture: true });
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => event.preventDefault());
setTheme(localStorage.getItem("sanum-theme") ?? usualTheme());
void show();
