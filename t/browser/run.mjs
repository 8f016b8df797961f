// run.mjs drives browsers through the cases of t/data/browsers.tsv and prints
// TAP.  What a page sends to the front, an httpd with the module, has to arrive
// at the receiver; that is where method, body and number of arrivals are
// looked at.
//
// Usage: node run.mjs CONFIG.json, with
//   modules   directory whose node_modules has playwright-core
//   cases     path of browsers.tsv
//   front     port of the httpd with the module
//   secure    port of the same server that speaks TLS and HTTP/2
//   receiver  port to listen on: the receiver
//   pages     port to listen on: the origin of pages that are of neither
//   browsers  [{ name, program }]
//   file      path of a file that pages may upload, to be written
//   patience  milliseconds that anything may take
// Run by t/85-browsers.t, which owns the configuration of the front.
import { readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

import { FILE, actions } from './actions.mjs';
import { launcher } from './launch.mjs';
import { Receiver } from './receiver.mjs';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const origin = Object.fromEntries(['front', 'secure', 'receiver', 'pages']
  .map((name) => [name,
    `http${name === 'secure' ? 's' : ''}://127.0.0.1:${config[name]}`]));

// Where the page is, and where the front sends its request.  Within "secure"
// all goes over HTTP/2.
const places = {
  secure: { page: 'secure', to: 'here' },
  same: { page: 'front', to: 'here' },          // one origin
  away: { page: 'front', to: 'there' },         // leaves the origin
  call: { page: 'pages', to: 'here' },          // calls another origin
  third: { page: 'pages', to: 'there' },        // ... which sends on to a third
};
const frontOf = ({ page }) => origin[page === 'secure' ? 'secure' : 'front'];
const targetOf = (place) => (place.to === 'here' ? `${frontOf(place)}/receiver/`
  : `${origin.receiver}/`);
// Of the application, which knows one front.
const targets = { here: `${origin.front}/receiver/`, there: `${origin.receiver}/` };

const isOneOrigin = (place) => targetOf(place).startsWith(`${origin[place.page]}/`);

const COOKIE = 'visitor=7';

// ---- TAP ----

let tests = 0;

function ok(passed, name, details = []) {
  console.log(`${passed ? 'ok' : 'not ok'} ${++tests} - ${name}`);
  if (!passed) details.forEach((line) => console.log(`# ${line}`));
}

function same(got, want, name) {
  ok(isDeepStrictEqual(got, want), name,
    [`got  ${JSON.stringify(got)}`, `want ${JSON.stringify(want)}`]);
}

// ---- cases ----

// Rows are "action ways places facts", each a comma-separated list but the first.
function readCases() {
  const rows = readFileSync(config.cases, 'utf8').split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split('\t'));
  return rows.flatMap(([action, ways, where, facts]) =>
    ways.split(',').flatMap((way) => where.split(',').map((place) => {
      if (!actions[action] || !places[place]) throw Error(`${action} ${place}?`);
      return { action, way, place, facts: facts.split(',') };
    })));
}

// What should arrive, and with which fields: as the Fetch standard has it.  The
// fact "as-get" says that method and body are lost, "gone" that nothing arrives.
function expected({ action, place, facts }) {
  const { arrives, asks, credentials, authorization } = actions[action];
  const want = { ...arrives };
  if (credentials === 'always' || isOneOrigin(places[place])) want.cookie = COOKIE;
  if (authorization && places[place].to === 'here') want.authorization = authorization;
  if (asks === 'cors') {
    want.origin = place === 'third' ? 'null' : origin[places[place].page];
  }
  if (facts.includes('as-get')) {
    Object.assign(want, { method: 'GET', type: '', length: 0 });
    for (const name of ['sha256', 'parts', 'origin']) delete want[name];
  }
  return want;
}

// Only what the case speaks of; Authorization and cookies always.
function observed(arrival, want) {
  if (!arrival) return 'nothing';
  const names = [...Object.keys(want), 'authorization', 'cookie'];
  return Object.fromEntries(names.filter((name) => arrival[name] !== undefined)
    .map((name) => [name, arrival[name]]));
}

// parts without undefined members, to compare with.
const plain = (value) => JSON.parse(JSON.stringify(value));

async function until(condition) {
  const end = Date.now() + config.patience;
  while (!condition() && Date.now() < end) {
    await new Promise((done) => setTimeout(done, 10));
  }
}

// ---- browsers ----

const launch = launcher(config.modules, config.patience);
const receiver = new Receiver(targets);

async function tryCase(page, name, number, test) {
  const { action, way, place, facts } = test;
  const gone = facts.includes('gone');
  const key = `${name}-${number}`;
  const where = places[place];
  const title = `${name}: ${action}, ${way}, ${place}`;
  try {
    await page.goto(`${origin[where.page]}/page`);
    const url = `${frontOf(where)}/${way}/${where.to}/${key}`;
    const told = await actions[action].run(page, url, config.file);
    if (!gone && !told.error) await until(() => receiver.arrived(key).length > 0);
    const want = gone ? 'nothing' : expected(test);
    same(plain(observed(receiver.arrived(key)[0], want)), plain(want), title);
    if (!actions[action].leaves) {
      const at = told.url && told.url.replace(/[?].*/, '').replace(/\/[^/]*$/, '/');
      same(gone ? told.error : [told.status, at?.startsWith(targetOf(where))],
        gone ? 'TypeError' : [200, true], `${title}: what the page sees`);
    }
  } catch (error) {
    ok(false, title, String(error).split('\n').slice(0, 5));
  }
  return { key, title, gone };
}

async function tryBrowser({ name, program }, cases) {
  const browser = await launch[name](program);
  const done = [];
  try {
    console.log(`# ${name} ${browser.version()}`);
    const context = await browser.newContext({
      serviceWorkers: 'block', ignoreHTTPSErrors: true,
    });
    await context.addCookies([{
      name: COOKIE.split('=')[0], value: COOKIE.split('=')[1], url: origin.front,
    }]);
    const page = await context.newPage();
    page.setDefaultTimeout(config.patience);
    for (const test of cases) {
      done.push(await tryCase(page, name, done.length, test));
    }
  } finally {
    await browser.close();
  }
  // By now everything that was sent twice has arrived twice.
  const twice = done.filter(({ key }) => receiver.arrived(key).length > 1);
  const came = done.filter(({ key, gone }) => gone && receiver.arrived(key).length > 0);
  ok(twice.length === 0, `${name}: nothing arrived twice`, twice.map(({ title }) => title));
  ok(came.length === 0, `${name}: nothing arrived that should not`,
    came.map(({ title }) => title));
  ok(done.length > 0, `${name}: ${done.length} cases`);
}

writeFileSync(config.file, FILE);
const servers = [await receiver.listen(config.receiver),
  await receiver.listen(config.pages)];
try {
  const cases = readCases();
  await Promise.all(config.browsers.map((browser) => tryBrowser(browser, cases)));
} catch (error) {
  ok(false, 'the browsers were driven', String(error).split('\n').slice(0, 10));
}
for (const server of servers) {
  server.close();
  server.closeAllConnections();
}
console.log(`1..${tests}`);
