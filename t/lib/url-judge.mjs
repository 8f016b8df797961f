// url-judge.mjs says where a browser would go: for each Location on standard
// input it prints the origin that it leads to.  The parser is the WHATWG URL
// parser that comes with node, the one browsers follow: a backslash is a slash,
// tabs and newlines are removed, full-width characters are mapped.
//
// Usage: node url-judge.mjs BASE...
//   in:  one Location a line, as hexadecimal bytes
//   out: for each BASE, separated by tabs, "scheme://host[:port]" of the URL
//        that the Location is when it comes as the answer to BASE; "invalid"
//        when a browser would refuse it; "credentials" when it holds a user
//        name or a password
//
// Called by R307::OpenRedirect.  It knows nothing of rules.
import { createInterface } from 'node:readline';

const bases = process.argv.slice(2);

function lead(location, base) {
  let url;
  try {
    url = new URL(location, base);
  } catch {
    return 'invalid';
  }
  if (url.username !== '' || url.password !== '') {
    return 'credentials';
  }
  return `${url.protocol}//${url.host}`;
}

const lines = createInterface({ input: process.stdin, crlfDelay: Infinity });
lines.on('line', (line) => {
  // Browsers read header values byte by byte.
  const location = Buffer.from(line, 'hex').toString('latin1');
  process.stdout.write(
    bases.map((base) => lead(location, base)).join('\t') + '\n');
});
