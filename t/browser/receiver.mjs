// receiver.mjs is the place that redirects lead to: an HTTP server that notes
// every request it gets, as a reader of the wire would: method, type, length and
// SHA-256 of the body, of each part when it is multipart, and the fields that
// cross-origin redirects change.  It allows every origin what it asks for.
//
// A request belongs to the case that the last segment of its path names.  Below
// /app/ it is an application that answers 302, except to a preflight.
//
// Started by run.mjs.  It knows nothing of browsers.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

// { name: { file, length, sha256 } } of a multipart/form-data body.
function partsOf(type, body) {
  const boundary = /^multipart\/form-data;.*boundary="?([^";]+)/.exec(type)?.[1];
  if (!boundary) return undefined;
  const line = Buffer.from(`--${boundary}`);
  const parts = {};
  let at = body.indexOf(line);
  for (let i = 0; at >= 0 && i < 20; i++) {
    const next = body.indexOf(line, at + line.length);
    if (next < 0) break;
    const part = body.subarray(at + line.length + 2, next - 2);
    const end = part.indexOf('\r\n\r\n');
    const head = part.subarray(0, end).toString();
    const content = part.subarray(end + 4);
    parts[/ name="([^"]*)"/.exec(head)?.[1]] = {
      file: / filename="([^"]*)"/.exec(head)?.[1],
      length: content.length, sha256: sha256(content),
    };
    at = next;
  }
  return parts;
}

function allow(request, response) {
  const { headers } = request;
  if (!headers.origin) return;
  response.setHeader('Access-Control-Allow-Origin', headers.origin);
  response.setHeader('Access-Control-Allow-Credentials', 'true');
  response.setHeader('Vary', 'Origin');
  if (request.method !== 'OPTIONS') return;
  response.setHeader('Access-Control-Allow-Methods',
    headers['access-control-request-method'] ?? '');
  response.setHeader('Access-Control-Allow-Headers',
    headers['access-control-request-headers'] ?? '');
}

export class Receiver {
  #arrived = new Map();
  #targets;

  // targets: where the application's 302 leads, by the segment behind /app/.
  constructor(targets) {
    this.#targets = targets;
  }

  // Listens on 127.0.0.1; what it returns is to be closed.
  listen(port) {
    const server = createServer((request, response) => {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('error', () => {});
      request.on('end', () => this.#answer(request, Buffer.concat(chunks), response));
    });
    return new Promise((done, failed) => {
      server.once('error', failed);
      server.listen(port, '127.0.0.1', () => done(server));
    });
  }

  // What arrived for a case, preflights excepted.
  arrived(key) {
    return this.#arrived.get(key) ?? [];
  }

  #answer(request, body, response) {
    const { pathname } = new URL(request.url, 'http://receiver');
    const key = pathname.split('/').pop();
    const app = /^\/app\/(\w+)\//.exec(pathname)?.[1];

    allow(request, response);
    if (request.method === 'OPTIONS') {
      response.writeHead(204).end();
    } else if (app) {
      response.writeHead(302, { Location: `${this.#targets[app]}${key}` })
        .end('moved for now');
    } else {
      if (key !== 'page' && key !== 'favicon.ico') this.#note(key, request, body);
      response.writeHead(200, { 'Content-Type': 'text/html' })
        .end('<!DOCTYPE html><meta charset="utf-8"><title>received</title>');
    }
  }

  #note(key, { method, headers }, body) {
    const type = headers['content-type'] ?? '';
    this.#arrived.set(key, [...this.arrived(key), {
      method, type: type.replace(/;.*/, ''), length: body.length,
      sha256: sha256(body), parts: partsOf(type, body),
      cookie: headers.cookie, authorization: headers.authorization,
      origin: headers.origin,
    }]);
  }
}
