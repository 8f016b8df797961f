"""Clients that send a body, over HTTP/1.1 and HTTP/2, and see what becomes of
it. They go on sending after the answer has begun, as many programs do that
read only when they have sent everything.

Bodies are one buffer sent again and again, so their size costs nothing.
"""
import collections
import fcntl
import select
import socket
import struct
import termios
import time

BLOCK = b"x" * 65536

# How long nothing at all may happen.
PATIENCE = 5

# A client that expects "100 Continue" waits so long for it; as curl does.
EXPECT_SECONDS = 1

# The case: rate is in bytes a second, or None; seconds is when the client
# gives up sending.
Upload = collections.namedtuple("Upload",
                                "size framed expect rate seconds")

# What became of it. before: bytes of the body that were off the client's
# hands when the answer began to arrive. after: bytes after that. answer: what
# the client could read of it. asked: 100 Continue was sent. end: how sending
# ended. wait: seconds to the answer.
Result = collections.namedtuple("Result",
                                "before after answer asked end wait")


def connect(port):
    """A connection with a small buffer, so that what is sent is taken by the
    server and not by this machine."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    return sock


def unsent(sock):
    """Bytes that were written and that the other side has not taken yet."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ,
                                          b"\0\0\0\0"))[0]


def allowance(upload, started, sent):
    """Bytes that may be sent now, by the rate of the client."""
    if upload.rate is None:
        return len(BLOCK)
    due = int((time.monotonic() - started) * upload.rate) - sent
    return min(due, len(BLOCK)) if due >= 1024 else 0


class Http1:
    """One upload over HTTP/1.1."""

    def __init__(self, port, upload):
        self.upload = upload
        self.sock = connect(port)
        self.received = b""
        self.sent = 0               # bytes of the body that were written
        self.pending = b""          # of a block and its frame
        self.before = self.wait = None
        self.asked = False
        self.end = "all was sent"
        self.started = time.monotonic()

    def _head(self):
        lines = ["PUT /up/a HTTP/1.1", "Host: www.example.com"]
        if self.upload.framed:
            lines.append(f"Content-Length: {self.upload.size}")
        else:
            lines.append("Transfer-Encoding: chunked")
        if self.upload.expect:
            lines.append("Expect: 100-continue")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")

    def _read(self):
        """Take what is there; False at the end of the connection."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.received += data
        if data and self.before is None \
                and not self.received.startswith(b"HTTP/1.1 100"):
            self._note_answer()
        return bool(data)

    def _note_answer(self):
        self.before = max(self.sent - unsent(self.sock), 0)
        self.wait = time.monotonic() - self.started

    def _is_readable(self, seconds):
        return bool(select.select([self.sock], [], [], seconds)[0])

    def _wait_for_permission(self):
        """False when the answer is there instead."""
        if self._is_readable(EXPECT_SECONDS):
            self._read()
        head, end, rest = self.received.partition(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 100") and end:
            self.asked = True
            self.received = rest
            if rest:                # the answer comes along
                self._note_answer()
            return True
        return not self.received

    def _next_block(self):
        left = self.upload.size - self.sent
        count = min(left, allowance(self.upload, self.started, self.sent))
        if self.upload.framed or count == 0:
            return BLOCK[:count], count
        block = b"%x\r\n%s\r\n" % (count, BLOCK[:count])
        return block + (b"0\r\n\r\n" if count == left else b""), count

    def _send_some(self):
        """False when sending has come to its end."""
        if not self.pending:
            if self.sent >= self.upload.size:
                return False
            self.pending, count = self._next_block()
            self.sent += count
        if not self.pending:
            time.sleep(0.005)
            return True
        try:
            if select.select([], [self.sock], [], PATIENCE)[1]:
                done = self.sock.send(self.pending)
                self.pending = self.pending[done:]
                return True
            self.end = "the server took no more"
        except OSError as error:
            self.end = f"write error: {error.strerror}"
        return False

    def _send_all(self):
        deadline = self.started + self.upload.seconds
        while self._send_some():
            if self.before is None and self._is_readable(0):
                self._read()
            if time.monotonic() > deadline:
                self.end = "the client had enough"
                return

    def _is_complete(self):
        head, end, body = self.received.partition(b"\r\n\r\n")
        if not end:
            return False
        for line in head.lower().split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name == b"content-length":
                return len(body) >= int(value)
            if name == b"transfer-encoding":
                return body.endswith(b"0\r\n\r\n")
        return True

    def _answer(self):
        while not self._is_complete() and self._is_readable(PATIENCE):
            if not self._read():
                break
        line = self.received.partition(b"\r\n")[0].split(b" ")
        if len(line) < 2:
            return "none"
        status = line[1].decode("ascii")
        has_location = b"\nlocation:" in self.received.lower()
        if not has_location and status == "307":
            return "cut off"
        return status

    def run(self):
        self.sock.setblocking(True)
        self.sock.sendall(self._head())
        self.sock.setblocking(False)
        if self.upload.expect and not self._wait_for_permission():
            self.end = "the answer was there first"
        else:
            self._send_all()
        taken = max(self.sent - len(self.pending) - unsent(self.sock), 0)
        answer = self._answer()
        self.sock.close()
        before = taken if self.before is None else min(self.before, taken)
        return Result(before, taken - before, answer, self.asked, self.end,
                      self.wait)
