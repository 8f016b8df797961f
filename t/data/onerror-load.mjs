// The two ends of t/98-onerror-load.t.
//
//   node onerror-load.mjs serve PORT FILE
//     takes requests and writes one line for each whose body is complete to
//     FILE, before it answers: "id method length sha256"
//   node onerror-load.mjs load URL CONCURRENT SECONDS FILE
//     sends POSTs of random size, follows 307 with the same method and body,
//     and writes what came of each to FILE: "id length sha256 outcome hops";
//     outcome is the status, or the error of the connection
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { appendFileSync, createWriteStream } from 'node:fs';
import http from 'node:http';

const HOPS = 3;
const SIZES = [[1, 2000], [2000, 70_000], [70_000, 300_000]];

function serve(port, file) {
    http.createServer((request, response) => {
        const hash = createHash('sha256');
        let length = 0;

        request.on('data', block => {
            hash.update(block);
            length += block.length;
        });
        request.on('end', () => {
            const sum = hash.digest('hex');
            appendFileSync(file, `${request.headers['x-id']} `
                                 + `${request.method} ${length} ${sum}\n`);
            response.end(`${sum}\n`);
        });
        request.on('error', () => {});
    }).listen(port, '127.0.0.1');
}

// A busy httpd closes connections that wait for another request, at any time.
const agent = new http.Agent({ keepAlive: false });

function send(url, id, body) {
    return new Promise(resolve => {
        const request = http.request(url, {
            agent, method: 'POST', timeout: 20_000,
            headers: { 'X-Id': id, 'Content-Length': body.length,
                       'Content-Type': 'application/octet-stream' },
        }, response => {
            let text = '';
            response.on('data', block => { text += block; });
            response.on('end', () => resolve({
                outcome: response.statusCode, text: text.trim(),
                location: response.headers.location }));
            response.on('error', e => resolve({ outcome: e.code }));
        });
        request.on('timeout', () => request.destroy(new Error('timeout')));
        request.on('error', e => resolve({ outcome: e.code || e.message }));
        request.end(body);
    });
}

async function one(url, id) {
    const body = randomBytes(randomInt(...SIZES[randomInt(SIZES.length)]));
    const sum = createHash('sha256').update(body).digest('hex');
    let hops = 0;
    let answer = await send(url, id, body);

    while (answer.outcome === 307 && hops < HOPS) {
        hops++;
        answer = await send(answer.location, id, body);
    }
    if (answer.outcome === 200 && answer.text !== sum) {
        answer.outcome = 'wrong-answer';
    }
    return `${id} ${body.length} ${sum} ${answer.outcome} ${hops}\n`;
}

async function load(url, concurrent, seconds, file) {
    const out = createWriteStream(file);
    const end = Date.now() + 1000 * seconds;
    let next = 0;

    async function visitor() {
        while (Date.now() < end) {
            out.write(await one(url, `p${next++}`));
        }
    }
    await Promise.all(Array.from({ length: concurrent }, visitor));
    out.end();
    agent.destroy();
}

const [what, ...args] = process.argv.slice(2);
if (what === 'serve') {
    serve(Number(args[0]), args[1]);
}
else {
    await load(args[0], Number(args[1]), Number(args[2]), args[3]);
}
