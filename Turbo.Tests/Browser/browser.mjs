// Chromium, driven by the unmodified playwright-core package, in a fresh profile each time.
import { chromium } from 'playwright-core';

const { CHROMIUM = '/usr/bin/chromium' } = process.env;

// `trustsAll`: takes any certificate, as of a test's own authority.
export const launch = ({ trustsAll = false } = {}) => chromium.launch({
  executablePath: CHROMIUM,
  headless: true,
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--disable-dev-shm-usage', ...(trustsAll ? ['--ignore-certificate-errors'] : []),
  ],
});
