"""The client of uploader.py over HTTP/2. Needs the library h2 (Debian:
python3-h2)."""
import select
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions

import uploader

STREAM = 1
# Without a window to send in for so long, nothing more will be taken.
STALL_SECONDS = 2


class Http2:
    """One upload over HTTP/2 with prior knowledge, on one stream."""

    def __init__(self, port, upload):
        self.upload = upload
        self.sock = uploader.connect(port)
        self.conn = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding="utf-8"))
        self.out = b""
        self.sent = 0
        self.before = self.wait = None
        self.status = "none"
        self.complete = False       # the answer has ended
        self.asked = False
        self.end = None
        self.started = self.moved = time.monotonic()

    def _headers(self):
        headers = [(":method", "PUT"), (":scheme", "http"),
                   (":authority", "www.example.com"), (":path", "/up/a")]
        if self.upload.framed:
            headers.append(("content-length", str(self.upload.size)))
        if self.upload.expect:
            headers.append(("expect", "100-continue"))
        return headers

    def _taken(self):
        return max(self.sent - len(self.out) - uploader.unsent(self.sock), 0)

    def _on_event(self, event):
        if isinstance(event, h2.events.InformationalResponseReceived):
            self.asked = True
        elif isinstance(event, h2.events.ResponseReceived):
            self.before = self._taken()
            self.wait = time.monotonic() - self.started
            self.status = dict(event.headers)[":status"]
        elif isinstance(event, h2.events.DataReceived):
            self.conn.acknowledge_received_data(
                event.flow_controlled_length, STREAM)
        elif isinstance(event, h2.events.StreamEnded):
            self.complete = True
        elif isinstance(event, h2.events.StreamReset):
            self.end = f"reset: {_name(event.error_code)}"
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.end = self.end or f"connection: {_name(event.error_code)}"

    def _exchange(self, seconds):
        """Write what is due, read what is there."""
        self.out += self.conn.data_to_send()
        readable, writable, _ = select.select(
            [self.sock], [self.sock] if self.out else [], [], seconds)
        try:
            if writable:
                self.out = self.out[self.sock.send(self.out):]
                self.moved = time.monotonic()
            if readable:
                data = self.sock.recv(65536)
                if not data:
                    self.end = self.end or "connection closed"
                for event in self.conn.receive_data(data) if data else ():
                    self._on_event(event)
        except OSError as error:
            self.end = self.end or f"connection: {error.strerror}"

    def _send_some(self):
        """Put a frame of the body on its way if the windows allow it."""
        room = min(self.conn.local_flow_control_window(STREAM),
                   self.conn.max_outbound_frame_size,
                   self.upload.size - self.sent,
                   uploader.allowance(self.upload, self.started, self.sent))
        if room <= 0 or self.out:
            return
        self.conn.send_data(STREAM, uploader.BLOCK[:room],
                            end_stream=self.sent + room == self.upload.size)
        self.sent += room
        self.moved = time.monotonic()

    def _why_stop(self):
        now = time.monotonic()
        if self.end:
            return self.end
        if self.sent >= self.upload.size and not self.out:
            return "all was sent"
        if now - self.moved > STALL_SECONDS and self.upload.rate is None:
            return "the server took no more"
        if now - self.started > self.upload.seconds:
            return "the client had enough"
        return None

    def _wait_for_permission(self):
        deadline = time.monotonic() + uploader.EXPECT_SECONDS
        while time.monotonic() < deadline and self.before is None \
                and not self.asked and not self.end:
            self._exchange(0.05)
        return self.before is None

    def _finish(self):
        deadline = time.monotonic() + uploader.PATIENCE
        while not self.complete and time.monotonic() < deadline \
                and not (self.end or "").startswith("connection"):
            self._exchange(0.05)

    def run(self):
        self.conn.initiate_connection()
        self.conn.send_headers(STREAM, self._headers())
        self._exchange(0.5)
        why = "the answer was there first"
        if not self.upload.expect or self._wait_for_permission():
            why = None
            while why is None:
                try:
                    self._send_some()
                except h2.exceptions.ProtocolError:
                    pass                # the stream has just been reset
                self._exchange(0.005)
                why = self._why_stop()
        taken = self._taken()
        self._finish()
        self.sock.close()
        answer = self.status if self.complete or self.status == "none" \
            else "cut off"
        before = taken if self.before is None else min(self.before, taken)
        return uploader.Result(before, taken - before, answer, self.asked,
                               why, self.wait)


def _name(code):
    return getattr(code, "name", str(code))
