// Steps of the build that Vite does not have.

import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";

import type { Plugin } from "vite";

const SOURCES = ["index.html", "package-lock.json", "build-plugins.ts", "vite.config.ts"];

// The built page keeps the hash of its source, so that a test can tell when one was changed without the other.
export function rememberSource(): Plugin {
  return {
    name: "remember-source",
    generateBundle() {
      const hash = createHash("sha256");
      for (const name of [...SOURCES, ...readdirSync("src").sort().map((file) => `src/${file}`)]) hash.update(readFileSync(name));
      this.emitFile({ type: "asset", fileName: "source.sha256", source: `${hash.digest("hex")}\n` });
    },
  };
}

const GRADIENTS = "this.gradientTexture = gradientGL({";

// NiiVue computes a volume's gradients whenever the volume changes, two thirds of the work of showing it, though its 3D
// drawing looks at them only where it is lit by them. Here it is not.
export function leaveOutGradients(): Plugin {
  return {
    name: "leave-out-gradients",
    transform(code, id) {
      if (!id.endsWith("/@niivue/niivue/build/niivue/index.js")) return null;
      const place = code.indexOf(GRADIENTS, code.indexOf("this.volumeTexture = outTexture;"));
      if (place < 0) this.error("NiiVue has changed: see whether its gradients still have to be left out");
      return `${code.slice(0, place)}if (this.opts.gradientAmount !== 0) ${code.slice(place)}`;
    },
  };
}

// The licences of all that is built in, as they ask for.
export function keepLicences(): Plugin {
  return {
    name: "keep-licences",
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((part) => (part.type === "chunk" ? Object.keys(part.modules) : []));
      const named = modules.map((path) => /^\0?(.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/)/.exec(path)).filter((found) => found !== null);
      const packages = new Map(named.map((found) => [found[2]!, found[1]!]));
      const texts = [...packages].sort().map(([name, folder]) => `${name}\n\n${licence(name, folder).trim()}\n`);
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: texts.join(`\n${"-".repeat(80)}\n\n`) });
    },
  };
}

function licence(name: string, folder: string): string {
  const own = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (own !== undefined) return readFileSync(`${folder}/${own}`, "utf8");
  const kept = `licenses/${name.split("/").pop()}.txt`; // for packages that come without their licence
  if (!existsSync(kept)) throw new Error(`${name}: no licence in the package; put it into ${kept}`);
  return readFileSync(kept, "utf8");
}
