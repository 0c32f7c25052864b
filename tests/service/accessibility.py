"""What keeps people from using a page: axe-core's rules, and what Tab does not reach."""

from __future__ import annotations

import importlib.resources

import pytest

GRAVE = ("serious", "critical")

ACTS = "a[href], button, select, input, summary, [tabindex='0']"

REACHABLE = f"""() => {{
  const shown = (one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0;
  const all = [...document.querySelectorAll("{ACTS}")].filter(shown);
  all.forEach((one, place) => (one.dataset.place = place));
  document.activeElement?.blur();
  return all.map((one) => one.outerHTML.slice(0, 160));
}}"""

HERE = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  return [one.dataset.place ?? null, style.outlineStyle !== "none" || style.position === "absolute"];
}"""


def barriers(page) -> list[str]:
    """Violations of serious or critical impact: the rule, and where it is broken."""
    package = "axe_playwright_python"
    pytest.importorskip(package, reason="axe-core comes with axe-playwright-python; make environment")
    page.evaluate(importlib.resources.files(package).joinpath("axe.min.js").read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


def out_of_reach(page) -> list[str]:
    """What acts, but is not reached by Tab, or is reached and does not show it."""
    acting = page.evaluate(REACHABLE)
    reached = {}
    for _ in range(len(acting) + 3):
        page.keyboard.press("Tab")
        place, marked = page.evaluate(HERE)
        reached[place] = marked
    return [html for place, html in enumerate(acting) if not reached.get(str(place), False)]
