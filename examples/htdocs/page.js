// page.js sends each form of the page twice, through a 307 and through a 302,
// and shows what the second server says that it got.  Nothing here knows what
// a redirect does to a request: it is compared with what was sent.

const SAMPLE = 1024 * 1024;             // bytes of a made-up file
const encoder = new TextEncoder();

// ---- what is sent ----

// { method, url, body, type, fields, bytes } of a form of this page.  fields
// are [name, value]; of a file, value is the File.
function requestOf(form, url) {
  if (form.dataset.method) {
    const body = form.elements.json.value;
    return {
      method: form.dataset.method, url, body, type: 'application/json',
      fields: [], bytes: encoder.encode(body), preflight: true,
    };
  }
  const data = new FormData(form);
  for (const [name, value] of data) {
    if (value instanceof File && !value.size) data.set(name, sample());
  }
  const fields = [...data];
  if (form.enctype === 'multipart/form-data') {
    return { method: 'POST', url, body: data, type: form.enctype, fields };
  }
  const body = new URLSearchParams(data);
  return {
    method: 'POST', url, body, type: form.enctype, fields,
    bytes: encoder.encode(body.toString()),
  };
}

let made;

function sample() {
  if (!made) {
    const bytes = new Uint8Array(SAMPLE);
    for (let at = 0; at < SAMPLE; at += 65536) {
      crypto.getRandomValues(bytes.subarray(at, at + 65536));
    }
    made = new File([bytes], 'made-up.bin');
  }
  return made;
}

// Hexadecimal, or undefined where the browser offers no digests.
async function sha256(bytes) {
  if (!crypto.subtle) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

// What arrived, as the second server reports it; null when nothing did.
async function send({ method, url, body, type }) {
  const headers = { Accept: 'application/json' };
  if (type === 'application/json') headers['Content-Type'] = type;
  try {
    const response = await fetch(url, { method, headers, body });
    return { ...await response.json(), at: response.url };
  } catch {
    return null;
  }
}

// ---- what came of it ----

// One line for each field that was sent: did it arrive as it was?
async function compareFields(sent, report) {
  const rows = [];
  for (const [name, value] of sent.fields) {
    const there = report?.fields.find((field) => field.name === name);
    const isFile = value instanceof File;
    const digest = isFile ? await sha256(await value.arrayBuffer()) : undefined;
    const same = there && (isFile
      ? there.length === value.size && (!digest || there.sha256 === digest)
      : there.value === value);
    rows.push({
      name, same, arrived: Boolean(there),
      value: isFile ? `${value.name}, ${size(value.size)}` : value,
    });
  }
  return rows;
}

async function compare(sent, report) {
  const rows = await compareFields(sent, report);
  const digest = sent.bytes && await sha256(sent.bytes);
  const body = report && (sent.bytes
    ? report.length === sent.bytes.length && (!digest || report.sha256 === digest)
    : rows.every((row) => row.same));
  return {
    rows, body, method: report?.method === sent.method,
    kept: Boolean(report && body && report.method === sent.method),
  };
}

function size(bytes) {
  if (bytes < 10_000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

// ---- showing it ----

function element(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function verdictOf(sent, report, { kept, body, method }) {
  if (kept) return 'Arrived as it was sent';
  if (!report) return 'Did not arrive';
  if (!method) return `Arrived as a ${report.method}, ${report.length ? 'changed' : 'empty'}`;
  return body ? 'Arrived changed' : 'Arrived with another body';
}

const pathOf = (url) => {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
};

function showWay(list, sent, report, status, method) {
  const step = (className, verb, path) => element('li', className,
    element('b', '', verb), ' ', element('span', '', path));
  list.append(step('', sent.method, pathOf(sent.url)));
  list.append(step('hop', String(status), 'redirect'));
  list.append(report
    ? step(method ? 'end good' : 'end bad', report.method, pathOf(report.at))
    : step('end bad', 'nothing', 'at the second server'));
}

function showFields(table, rows) {
  table.hidden = rows.length === 0;
  for (const { name, value, same, arrived } of rows) {
    const word = same ? 'arrived' : arrived ? 'changed' : 'lost';
    const text = element(same ? 'span' : 'del', '', value);
    const row = element('tr', same ? 'good' : 'bad', element('th', '', name),
      element('td', '', text), element('td', 'mark-cell', word));
    row.firstChild.scope = 'row';
    table.tBodies[0].append(row);
  }
}

function showFacts(list, sent, report, status, body) {
  const add = (name, value, good) => list.append(element('dt', '', name),
    element('dd', good === undefined ? '' : good ? 'good' : 'bad', value));
  if (!report) {
    add('Why', sent.preflight && status === '302'
      ? 'The redirect answered the preflight, too. Browsers follow none there, and give up.'
      : 'The browser does not say. Is the server still running?');
    return;
  }
  add('Type', report.headers['Content-Type']?.replace(/;.*/, '') ?? 'none',
    report.headers['Content-Type']?.startsWith(sent.type) ?? false);
  add('Body', report.length ? size(report.length) : 'none', body);
  const file = report.fields.find((field) => field.sha256);
  const digest = file?.sha256 ?? (report.length ? report.sha256 : '');
  if (digest) add(file ? 'SHA-256 of the file' : 'SHA-256', `${digest.slice(0, 16)}…`, body);
}

async function show(outcome, sent, report) {
  const status = outcome.dataset.status;
  const result = await compare(sent, report);
  const view = document.getElementById('report').content.cloneNode(true);
  const verdict = view.querySelector('.verdict');

  verdict.textContent = verdictOf(sent, report, result);
  verdict.classList.add(result.kept ? 'good' : 'bad');
  showWay(view.querySelector('.way'), sent, report, status, result.method);
  showFields(view.querySelector('table'), result.rows);
  showFacts(view.querySelector('dl'), sent, report, status, result.body);
  outcome.querySelector('.result').replaceChildren(view);
  outcome.dataset.kept = result.kept;
}

// ---- the page ----

let elsewhere;                          // the second server's origin

async function tryBoth(form) {
  const section = form.closest('.trial');
  const base = form.dataset.path ? elsewhere : location.origin;
  const urls = {
    307: base + (form.dataset.path ?? form.getAttribute('action')),
    302: base + form.dataset.other,
  };
  const button = form.querySelector('.go button');
  button.disabled = true;
  for (const outcome of section.querySelectorAll('.outcome')) {
    const sent = requestOf(form, urls[outcome.dataset.status]);
    await show(outcome, sent, await send(sent));
  }
  button.disabled = false;
  section.querySelector('.told').textContent = summary(section);
}

// One sentence for those who listen to the page.
function summary(section) {
  return [...section.querySelectorAll('.outcome')].map((outcome) =>
    `${outcome.dataset.status}: ${outcome.querySelector('.verdict').textContent}.`).join(' ');
}

// A redirect tells where the second server is; any answer will do.
async function findElsewhere() {
  const { url } = await fetch('/elsewhere');
  elsewhere = new URL(url).origin;
  const put = (name, text) => document.querySelectorAll(name)
    .forEach((place) => { place.textContent = text; });
  put('.origin', location.origin);
  put('.echo', elsewhere);
  put('.echo-port', new URL(elsewhere).port);
}

const forms = [...document.forms];

for (const form of forms) {
  form.addEventListener('submit', (event) => {
    if (event.submitter?.classList.contains('link')) return;
    event.preventDefault();
    tryBoth(form);
  });
}
document.getElementById('all').addEventListener('click', async () => {
  for (const form of forms) await tryBoth(form);
});
await findElsewhere();
document.querySelectorAll('.all, .hint').forEach((place) => { place.hidden = false; });
document.querySelectorAll('.go button').forEach((button) => { button.disabled = false; });
