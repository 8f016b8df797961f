// launch.mjs starts the browsers of this machine for tests: headless, and so
// that they ask nothing but this machine.  Called by run.mjs and page.mjs.
import { createRequire } from 'node:module';

// modules: the directory whose node_modules has playwright-core.
export function launcher(modules, timeout) {
  const { chromium, firefox } = createRequire(`${modules}/`)('playwright-core');
  return {
    chromium: (executablePath) => chromium.launch({
      executablePath, timeout, chromiumSandbox: false,
      args: ['--no-proxy-server',
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
    }),
    // Debian's Firefox speaks WebDriver BiDi, which this channel stands for.
    firefox: (executablePath) => firefox.launch({
      executablePath, timeout, channel: 'moz-firefox',
      firefoxUserPrefs: { 'network.proxy.type': 0, 'network.dns.disabled': true },
    }),
  };
}
