// What the reader thinks of each finding: three buttons, kept by the service.

import { getVerdicts, giveVerdict, type Finding, type Problem, type Verdict, type Verdicts } from "./api.ts";
import { button, el, say } from "./dom.ts";

const CHOICES: [Verdict, string, string][] = [
  ["agree", "Agree", "y"],
  ["disagree", "Disagree", "n"],
  ["unsure", "Unsure", "u"],
];

export class VerdictButtons {
  private readonly groups = new Map<number, HTMLElement>();

  constructor(
    private readonly id: string,
    findings: Finding[],
  ) {
    for (const finding of findings) this.groups.set(finding.rank, this.group(finding.rank));
    if (findings.length > 0) void this.update(getVerdicts(id));
  }

  of(rank: number): HTMLElement {
    return this.groups.get(rank)!;
  }

  onKey(key: string, rank: number): boolean {
    const choice = CHOICES.find(([, , letter]) => letter === key);
    if (choice === undefined) return false;
    this.give(rank, choice[0]);
    return true;
  }

  private group(rank: number): HTMLElement {
    const group = el("div", { class: "verdict", role: "group", "aria-label": `Your verdict on finding ${rank}` });
    for (const [verdict, name] of CHOICES) {
      group.append(button(name, () => this.give(rank, verdict), { "data-verdict": verdict, "aria-pressed": "false" }));
    }
    return group;
  }

  private give(rank: number, verdict: Verdict): void {
    void this.update(giveVerdict(this.id, rank, verdict)).then((kept) => kept && say(`Finding ${rank}: ${verdict}`));
  }

  // Shows what the service keeps, so that no button looks pressed whose word was not kept.
  private async update(asked: Promise<Verdicts>): Promise<boolean> {
    try {
      const { reader, verdicts } = await asked;
      for (const [rank, group] of this.groups) {
        const mine = verdicts.find((one) => one.finding === rank && one.reader === reader)?.verdict;
        for (const one of group.children) one.setAttribute("aria-pressed", String(one.getAttribute("data-verdict") === mine));
      }
      return true;
    } catch (error) {
      say(`The verdict was not kept: ${(error as Problem).message}`);
      return false;
    }
  }
}
