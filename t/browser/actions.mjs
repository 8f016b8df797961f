// actions.mjs is what people and pages do: submit a form, upload a file, call
// an API, leave a page.  Each action takes a browser page, which shows an empty
// document of the origin that is to act, and a URL; it returns what the page
// got to know, and says what should arrive.
//
// asks          'cors': the standard says what Origin is
// leaves        nobody is there to read the answer
// credentials   'always': cookies go along across origins, too
// authorization what the request carries in this field
//
// Called by run.mjs.  It knows nothing of redirects.
import { createHash } from 'node:crypto';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const bytes = (text) => Buffer.from(text, 'utf8');
const whole = (method, type, body) => ({
  method, type, length: body.length, sha256: sha256(body),
});

export const FILE = Buffer.alloc(5 * 1024 * 1024, Buffer.from(
  Array.from({ length: 251 }, (_, i) => i)));
const JSON_BODY = '{"stock":7,"name":"caf\u00e9"}';
// Browsers take 64 KB at most for what may outlive its page.
const LAST_WORDS = 'x\u00fc'.repeat(9_000);

// In the page: puts a form into the document.
function makeForm([action, enctype, fields]) {
  const form = document.createElement('form');
  Object.assign(form, { method: 'post', action, enctype });
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement('input');
    Object.assign(input, value === null ? { type: 'file', name } : { name, value });
    form.append(input);
  }
  form.append(document.createElement('button'));
  document.body.replaceChildren(form);
}

async function submit(page) {
  const [response] = await Promise.all([
    page.waitForNavigation({ waitUntil: 'commit' }), page.click('button'),
  ]);
  return { status: response?.status(), url: page.url() };
}

// In the page: fetch, and what of its outcome a script can see.
async function call([url, init]) {
  if (init.form) {
    const { length, step } = init.form;
    const data = new FormData();
    data.append('title', 't\u00eft');
    data.append('file', new Blob([Uint8Array.from({ length }, (_, i) => i % step)]),
      'photo.bin');
    init = { ...init, body: data };
  }
  try {
    const { status, url: at } = await fetch(url, init);
    return { status, url: at };
  } catch (error) {
    return { error: error.name };
  }
}

// In the page: sends when the page is left.
function atTheEnd([url, how, text]) {
  addEventListener('pagehide', () => {
    if (how === 'beacon') navigator.sendBeacon(url, text);
    else fetch(url, { method: 'POST', body: text, keepalive: true });
  });
}

async function leave(page, url, how) {
  await page.evaluate(atTheEnd, [url, how, LAST_WORDS]);
  await page.goto('about:blank');
  return {};
}

const put = (more) => ({
  method: 'PUT', body: JSON_BODY, ...more,
  headers: { 'Content-Type': 'application/json', ...more?.headers },
});
const PUT_ARRIVES = whole('PUT', 'application/json', bytes(JSON_BODY));
const parts = (title) => ({
  method: 'POST', type: 'multipart/form-data', parts: {
    title: { length: bytes(title).length, sha256: sha256(bytes(title)) },
    file: { file: 'photo.bin', length: FILE.length, sha256: sha256(FILE) },
  },
});

export const actions = {
  form: {
    credentials: 'always',
    async run(page, url) {
      await page.evaluate(makeForm, [url, 'application/x-www-form-urlencoded',
        { card: '1&2', name: 'J\u00fcrgen X' }]);
      return submit(page);
    },
    arrives: whole('POST', 'application/x-www-form-urlencoded',
      bytes('card=1%262&name=J%C3%BCrgen+X')),
  },
  upload: {
    credentials: 'always',
    async run(page, url, file) {
      await page.evaluate(makeForm, [url, 'multipart/form-data',
        { title: 'a title', file: null }]);
      await page.setInputFiles('input[type=file]', file);
      return submit(page);
    },
    arrives: parts('a title'),
  },
  formdata: {
    asks: 'cors',
    run: (page, url) => page.evaluate(call,
      [url, { method: 'POST', form: { length: FILE.length, step: 251 } }]),
    arrives: parts('t\u00eft'),
  },
  put: {
    asks: 'cors',
    run: (page, url) => page.evaluate(call, [url, put()]),
    arrives: PUT_ARRIVES,
  },
  delete: {
    asks: 'cors',
    run: (page, url) => page.evaluate(call, [url, { method: 'DELETE' }]),
    arrives: whole('DELETE', '', Buffer.alloc(0)),
  },
  cookie: {
    asks: 'cors',
    credentials: 'always',
    run: (page, url) => page.evaluate(call, [url, put({ credentials: 'include' })]),
    arrives: PUT_ARRIVES,
  },
  authorization: {
    asks: 'cors',
    authorization: 'Bearer abc',
    run: (page, url) => page.evaluate(call,
      [url, put({ headers: { Authorization: 'Bearer abc' } })]),
    arrives: PUT_ARRIVES,
  },
  keepalive: {
    asks: 'cors',
    leaves: true,
    run: (page, url) => leave(page, url, 'keepalive'),
    arrives: whole('POST', 'text/plain', bytes(LAST_WORDS)),
  },
  beacon: {
    leaves: true,
    credentials: 'always',
    run: (page, url) => leave(page, url, 'beacon'),
    arrives: whole('POST', 'text/plain', bytes(LAST_WORDS)),
  },
};
