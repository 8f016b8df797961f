# follow.py follows redirects by hand, with nothing but http.client: what a
# program does that knows RFC 9110 and has no library for it.  Prints what the
# far end says, then "status", "redirects" and "connections", one a line.
#
# Usage: python3 follow.py METHOD URL [FILE|-] [chunked] [Name:value...]
# Run by t/82-clients.t.
import http.client
import sys
from urllib.parse import urljoin, urlsplit

HOPS = 5
TIMEOUT = 30
BLOCK = 64 * 1024


def blocks(path):
    with open(path, "rb") as body:
        while block := body.read(BLOCK):
            yield block


def request(conn, method, url, path, chunked, headers):
    """Sends one request; returns its answer, also when that came early."""
    parts = urlsplit(url)
    target = parts.path + ("?" + parts.query if parts.query else "")
    body = None
    if path:
        body = blocks(path) if chunked else open(path, "rb").read()
    try:
        conn.request(method, target, body, headers, encode_chunked=chunked)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the answer may be there all the same
    return conn.getresponse()


def follow(method, url, path, chunked, headers):
    conn, origin, opened = None, None, 0
    if chunked:
        headers = headers | {"Transfer-Encoding": "chunked"}
    for hop in range(HOPS + 1):
        parts = urlsplit(url)
        if origin and origin != parts.netloc:
            headers = {k: v for k, v in headers.items()
                       if k.lower() != "authorization"}
        if not conn or origin != parts.netloc:
            conn = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
            opened += 1
        origin = parts.netloc
        answer = request(conn, method, url, path, chunked, headers)
        text = answer.read().decode()
        if answer.status not in (307, 308):
            return text, answer.status, hop, opened
        if answer.will_close:
            conn = None
        url = urljoin(url, answer.headers["Location"])
    raise SystemExit("too many redirects")


def main(method, url, path="-", *rest):
    chunked = "chunked" in rest
    headers = dict(h.split(":", 1) for h in rest if h != "chunked")
    text, status, redirects, opened = follow(
        method, url, None if path == "-" else path, chunked, headers)
    print(text, end="")
    print(f"status: {status}\nredirects: {redirects}\nconnections: {opened}")


main(*sys.argv[1:])
