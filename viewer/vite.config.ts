import { fileURLToPath } from "node:url";

import { defineConfig } from "vite";

import { keepLicences, leaveOutGradients, rememberSource } from "./build-plugins.ts";

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
  plugins: [leaveOutGradients(), keepLicences(), rememberSource()],
  server: { proxy: { "/v1": "http://127.0.0.1:8417" } },
});
