// Browser tests on the system's Chromium, against a real Rialto: see tests/e2e/rialto.ts.
import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: 'tests/e2e',
  workers: 2,
  // So long is waited for what has to come; how soon it comes is measured where it matters. A busy
  // machine takes ten times as long for a page as a quiet one.
  timeout: 300_000,
  expect: { timeout: 60_000 },
  reporter: [['list']],
  outputDir: process.env.CONSOLE_SHOTS ?? 'shots',
  // Those that only look may run side by side; those that do something come after, one by one.
  projects: [
    { name: 'look', testMatch: /(screens|hostile)\.spec/, fullyParallel: true },
    {
      name: 'act',
      testMatch: /(live|stories|figures|design|workspace|sources|places|layout|quality|token)\.spec/,
      workers: 1,
      dependencies: ['look'],
    },
  ],
  globalSetup: './tests/e2e/setup.ts',
  use: {
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell',
      args: ['--no-sandbox'],
    },
  },
});
