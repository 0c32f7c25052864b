import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { defineConfig, type Plugin } from "vite";

// The built page keeps the hash of its source, so that a test can tell when one was changed without the other.
function rememberSource(): Plugin {
  return {
    name: "remember-source",
    generateBundle() {
      const hash = createHash("sha256");
      for (const name of ["index.html", "package-lock.json", ...readdirSync("src").sort().map((file) => `src/${file}`)]) {
        hash.update(readFileSync(name));
      }
      this.emitFile({ type: "asset", fileName: "source.sha256", source: `${hash.digest("hex")}\n` });
    },
  };
}

// Everything is a file of its own, so that the page's content policy needs neither inline scripts nor inline styles.
export default defineConfig({
  base: "/viewer/",
  resolve: {
    alias: [{ find: /^numcodecs\/.*/, replacement: fileURLToPath(new URL("src/no-codec.ts", import.meta.url)) }],
  },
  build: {
    outDir: "../src/sanum/service/viewer",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 2500,
  },
  plugins: [rememberSource()],
  server: { proxy: { "/v1": "http://127.0.0.1:8417" } },
});
