# urllib-post.py posts with urllib.request, which has rules of its own for
# redirects.  Prints "status", or "error" and its name.
#
# Usage: python3 urllib-post.py URL FILE
# Run by t/82-clients.t.
import sys
import urllib.error
import urllib.request

url, path = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    with open(path, "rb") as body, opener.open(url, body.read(), 30) as answer:
        print(answer.read().decode(), end="")
        print(f"status: {answer.status}")
except urllib.error.HTTPError as error:
    print(f"error: HTTPError {error.code}")
