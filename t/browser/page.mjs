// page.mjs visits the page that ./quickstart serves, as somebody who presses
// every button would, and prints what they see: one line of JSON for each
// window, { window, verdicts, told, arrived, wide, complaints }.
//
// Usage: node page.mjs URL MODULES CHROMIUM
// Run by t/check/quickstart.t, which knows what to expect.
import { launcher } from './launch.mjs';

const PATIENCE = 20_000;
const [url, modules, program] = process.argv.slice(2);
const windows = {
  desk: { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  phone: { viewport: { width: 360, height: 740 }, colorScheme: 'dark' },
};

const browser = await launcher(modules, PATIENCE).chromium(program);
for (const [name, options] of Object.entries(windows)) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [];
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|404/.test(message.text())) complaints.push(message.text());
  });
  await page.goto(url);
  await page.click('#all');
  await page.waitForFunction(() => document.querySelectorAll('.verdict').length === 6);
  const verdicts = await page.$$eval('.outcome', (all) => all.map((outcome) =>
    `${outcome.dataset.status} ${outcome.querySelector('.verdict').textContent}`));
  const told = await page.textContent('[role=status] >> nth=0');
  const wide = await page.evaluate(() =>
    document.documentElement.scrollWidth > document.documentElement.clientWidth);
  // Without the script's help: the first form, and the page that it leads to.
  await Promise.all([page.waitForURL(/\/fallback\//), page.click('button.link >> nth=0')]);
  const arrived = await page.textContent('body');
  console.log(JSON.stringify({ window: name, verdicts, told, arrived, wide, complaints }));
  await context.close();
}
await browser.close();
