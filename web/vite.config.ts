import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// One index.html serves /i and /console; the server falls back to it for both and serves /assets with long caching.
export default defineConfig({
  plugins: [react()],
  base: "/",
  build: {
    outDir: "dist",
    assetsDir: "assets",
    sourcemap: false,
    target: "es2022",
    // The Content-Security-Policy allows no data: URLs for scripts and styles.
    assetsInlineLimit: 0,
  },
  server: {
    // `npm run dev` against a Colloquy on its default port.
    proxy: { "/api": process.env.COLLOQUY_URL ?? "http://127.0.0.1:8080" },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.ts", "src/**/*.test.tsx"],
    setupFiles: ["tests/setup.ts"],
    restoreMocks: true,
  },
});
