"""An HTTP client for one keep-alive connection that believes no answer."""
import socket
import time


class WrongAnswer(Exception):
    pass


def wait_for_listener(port, deadline, alive):
    """A connection to the port, as soon as there is somebody to take it."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 600)
        except OSError:
            if time.monotonic() > deadline or not alive():
                raise
            time.sleep(0.001)


class Connection:
    """fields: header fields that every request has, as "Name: value" lines."""

    def __init__(self, sock, fields=()):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.fields = "".join(field + "\r\n" for field in fields)
        self.sock = sock
        self.file = sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def _line(self):
        line = self.file.readline(65536)
        if not line.endswith(b"\n"):
            raise WrongAnswer("the server closed the connection")
        return line.rstrip(b"\r\n").decode("latin-1")

    def ask(self, path):
        """GET the path; (status, Location or None)."""
        self.sock.sendall(f"GET {path} HTTP/1.1\r\n"
                          "Host: www.example.com\r\n"
                          f"{self.fields}\r\n".encode("ascii"))
        status = int(self._line().split(" ")[1])
        location, length = None, 0
        while True:
            name, _, value = self._line().partition(":")
            if not name:
                break
            if name.lower() == "location":
                location = value.strip()
            elif name.lower() == "content-length":
                length = int(value)
        self.file.read(length)
        return status, location

    def check(self, request):
        """Ask, and compare with what the rules say."""
        path, status, location = request
        answer = self.ask(path)
        if answer != (status, location):
            raise WrongAnswer(f"{path}: {answer}, not {(status, location)}")
