// e2e-fetch.mjs sends requests as a page in a browser does, by the Fetch
// standard, and follows redirects by its rules.  For each it prints the answer
// as one line of JSON: { name, status, url, redirected, text }.
//
// No FormData: node draws another boundary for the second request and leaves the
// old one in Content-Type.
//
// Usage: node e2e-fetch.mjs URL
// Run by t/80-end-to-end.t, which knows what to expect.
const url = process.argv[2];
const json = '{"stock":7,"name":"caf\u00e9"}';

const requests = {
  form: { method: 'POST', body: new URLSearchParams({ card: '1&2', x: '\u00fc' }) },
  put: { method: 'PUT', body: 'x'.repeat(70_000) },
  upload: {
    method: 'POST',
    body: new Blob([new Uint8Array(200_000).fill(7)], { type: 'image/png' }),
  },
  patch: {
    method: 'PATCH',
    headers: { 'Content-Type': 'application/json' },
    body: json,
  },
  delete: { method: 'DELETE' },
};

for (const [name, init] of Object.entries(requests)) {
  const signal = AbortSignal.timeout(20_000);
  try {
    const response = await fetch(`${url}/${name}`, { ...init, signal });
    console.log(JSON.stringify({
      name, status: response.status, url: response.url,
      redirected: response.redirected, text: await response.text(),
    }));
  } catch (error) {
    console.log(JSON.stringify({ name, error: String(error.cause ?? error) }));
  }
}
