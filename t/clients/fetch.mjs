// fetch.mjs sends one request with node's fetch (undici) and prints what the far
// end says, then "status" and "redirects" (whether there were some), one a line;
// or "error", its name and cause.
//
// Usage: node fetch.mjs METHOD URL [FILE|-] [stream] [Name:value...]
// Run by t/82-clients.t.
import { createReadStream, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';

const [method, url, path = '-', ...rest] = process.argv.slice(2);
const streamed = rest.includes('stream');
const headers = rest.filter((word) => word !== 'stream')
  .map((word) => /^([^:]+):(.*)$/s.exec(word).slice(1));
const init = { method, headers, signal: AbortSignal.timeout(30_000) };

if (path !== '-') {
  // A stream is read once.  Of bytes, node 20 keeps only what is in a Blob.
  Object.assign(init, streamed
    ? { body: Readable.toWeb(createReadStream(path)), duplex: 'half' }
    : { body: new Blob([readFileSync(path)]) });
}
try {
  const response = await fetch(url, init);
  process.stdout.write(await response.text());
  console.log(`status: ${response.status}\nredirects: ${Number(response.redirected)}`);
} catch (error) {
  console.log(`error: ${error.name}`);
}
