// The service's API as this page uses it.

export type Status = "queued" | "running" | "done" | "failed";
export type Decision = "normal" | "abnormal" | "refused";

export interface Case {
  id: string;
  label: string;
  model: string;
  status: Status;
  stage: string;
  progress: number;
  created: string;
  finished: string | null;
  error: string;
  decision: Decision | null;
  reason: string;
  score: number | null;
  threshold: number | null;
  p_value: number | null;
  warnings: string[];
  modalities: string[];
  inputs_kept: boolean;
  results: Record<string, string>;
}

export interface CasePage {
  cases: Case[];
  next: string | null;
}

export interface MapLevel {
  share: number;
  value: number;
}

export interface Model {
  name: string;
  modalities: string[];
  map_levels: MapLevel[];
  card: Record<string, unknown>;
}

export interface Finding {
  rank: number;
  size: number;
  unit: "ml" | "px";
  peak_score: number;
  peak_mm: [number, number, number];
  peak_voxel: [number, number, number];
  region?: string | null;
  p_value?: number | null;
  significant?: boolean | null;
}

export type Verdict = "agree" | "disagree" | "unsure";

export interface Verdicts {
  reader: string;
  verdicts: { finding: number; reader: string; verdict: Verdict }[];
}

export interface Detection {
  findings: Finding[];
  map_scale: [number, number];
  is_image: boolean;
  modality?: string;
  warnings?: string[];
  finding_control?: string;
}

// An answer other than success: RFC 9457 problem details.
export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }
}

const TOKEN = "sanum-token";

export function setToken(token: string): void {
  if (token === "") sessionStorage.removeItem(TOKEN);
  else sessionStorage.setItem(TOKEN, token);
}

function headers(): Record<string, string> {
  const token = sessionStorage.getItem(TOKEN);
  return token === null ? {} : { Authorization: `Bearer ${token}` };
}

async function ask(address: string, options: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, { ...options, headers: { ...options.headers, ...headers() } });
  } catch {
    throw new Problem(0, "The service does not answer. Is it running?");
  }
  if (!response.ok) throw new Problem(response.status, await detail(response));
  return response;
}

async function detail(response: Response): Promise<string> {
  try {
    return String(((await response.json()) as { detail: string }).detail);
  } catch {
    return response.statusText;
  }
}

export async function models(): Promise<Model[]> {
  return ((await (await ask("/v1/models")).json()) as { models: Model[] }).models;
}

export async function listCases(after: string | null): Promise<CasePage> {
  const place = after === null ? "" : `&after=${encodeURIComponent(after)}`;
  return (await (await ask(`/v1/cases?limit=20${place}`)).json()) as CasePage;
}

export async function getCase(id: string): Promise<Case> {
  return (await (await ask(`/v1/cases/${id}`)).json()) as Case;
}

// The cases of a DICOM study, newest first.
export async function casesOfStudy(uid: string): Promise<Case[]> {
  return ((await (await ask(`/v1/cases?study=${encodeURIComponent(uid)}`)).json()) as CasePage).cases;
}

export async function getVerdicts(id: string): Promise<Verdicts> {
  return (await (await ask(`/v1/cases/${id}/verdicts`)).json()) as Verdicts;
}

export async function giveVerdict(id: string, finding: number, verdict: Verdict): Promise<Verdicts> {
  const options = { method: "PUT", body: JSON.stringify({ verdict }), headers: { "Content-Type": "application/json" } };
  return (await (await ask(`/v1/cases/${id}/findings/${finding}/verdict`, options)).json()) as Verdicts;
}

export async function deleteCase(id: string): Promise<void> {
  await ask(`/v1/cases/${id}`, { method: "DELETE" });
}

export async function getDetection(found: Case): Promise<Detection> {
  return (await (await ask(found.results["detection.json"]!)).json()) as Detection;
}

export async function getFile(address: string): Promise<Blob> {
  return await (await ask(address)).blob();
}

// Sends a case; XMLHttpRequest, because fetch does not tell how much has been sent.
export function sendCase(form: FormData, onSent: (share: number) => void): Promise<Case> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/cases");
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onSent(event.loaded / event.total);
    request.onerror = () => reject(new Problem(0, "The upload broke off. Is the service running?"));
    request.onload = () => {
      const answer = request.response as (Case & { detail?: string }) | null;
      if (request.status === 202 && answer !== null) resolve(answer);
      else reject(new Problem(request.status, answer?.detail ?? `The service answered ${request.status}.`));
    };
    request.send(form);
  });
}

const BUSY = 503;
const ASK_AGAIN_MS = 3000;

// Follows a case until it has ended. EventSource can't send a token, so the stream is read by hand; where the service
// holds no more streams, the case is asked for from time to time.
export async function follow(id: string, signal: AbortSignal, onCase: (found: Case) => void): Promise<void> {
  while (!signal.aborted) {
    const response = await ask(`/v1/cases/${id}/events`, { signal }).catch((error: unknown) => {
      if (error instanceof Problem && error.status === BUSY) return null;
      throw error;
    });
    if (response === null) {
      await new Promise((done) => setTimeout(done, ASK_AGAIN_MS));
      const found = await getCase(id);
      onCase(found);
      if (found.status === "done" || found.status === "failed") return;
      continue;
    }
    for await (const found of casesIn(response)) {
      onCase(found);
      if (found.status === "done" || found.status === "failed") return;
    }
  }
}

async function* casesIn(response: Response): AsyncGenerator<Case> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (text + value).split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      if (event.startsWith("event: deleted")) throw new Problem(404, "The case was deleted.");
      const line = event.split("\n").find((part) => part.startsWith("data: "));
      if (line !== undefined) yield JSON.parse(line.slice(6)) as Case;
    }
  }
}
