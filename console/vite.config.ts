// How the console is built, tested, and served while one works on it.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env.RIALTO_SERVER ?? 'http://127.0.0.1:8080';
const proxied = ['/v1', '/metrics', '/livez', '/readyz'];

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { '@': new URL('./src', import.meta.url).pathname } },
  server: { proxy: Object.fromEntries(proxied.map((path) => [path, server])) },
  build: {
    target: 'es2022',
    manifest: true,
    chunkSizeWarningLimit: 1700,
    // What every screen stands on comes in one file: a browser takes six at a time.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            {
              name: 'base',
              test: /rolldown|preload-helper|node_modules\/(react|react-dom|scheduler|i18next|react-i18next|use-sync-external-store|@tanstack\/(react-)?(query|router|store|history)[^/]*|@mantine\/(hooks|core\/esm\/(core|utils)))\//,
            },
          ],
        },
      },
    },
  },
  // The first test of a file pays for the modules, and a compiler may be running beside.
  test: {
    testTimeout: 30_000,
    environment: 'happy-dom',
    include: ['tests/unit/**/*.test.{ts,tsx}'],
  },
});
