"""A client of the protocol in PROTOCOL.md: client.py SOCKET prints a line for each step of main."""
import socket
import struct
import sys
import zlib

REQUEST, RESPONSE, ERROR, PIECE, CHUNK, CREDIT, CANCEL, GO_AWAY = range(1, 9)
MORE, STREAM, END = 1, 2, 4
PING, STATUS, SHUTDOWN = 1, 2, 3
PIECE_SIZE, CHUNK_SIZE, CHUNKS = 256 << 10, 64 << 10, 4


class RemoteError(Exception):
    def __init__(self, payload):
        self.code = struct.unpack("<I", payload[:4])[0]
        super().__init__(payload[4:].decode())


class Client:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(path)
        self.reader = self.sock.makefile("rb")
        self.sock.sendall(struct.pack("<4sHHIB3x", b"LIPC", 1, 1, 0, 2))
        self.generation = 0
        self.info = None

    def read(self, n):
        data = self.reader.read(n)
        if len(data) < n:
            raise EOFError("closed inside a frame" if data else "closed between frames")
        return data

    def acknowledged(self):
        head = self.read(16)
        magic, version, length, _, check = struct.unpack("<4sHHII", head)
        if magic != b"LIPA" or check != zlib.crc32(head[:12]) or version != 1:
            raise ValueError("no acknowledgement, or no common version")
        self.info = fields(self.read(length))

    def send(self, kind, slot, payload=b"", flags=0, op=0, extra=0):
        head = struct.pack("<IBBHIII", len(payload), kind, flags, op, slot, self.generation, extra)
        self.sock.sendall(head + struct.pack("<I", zlib.crc32(head)) + payload)

    def receive(self):
        """Returns the next frame: kind, flags, slot, generation, extra, payload."""
        if self.info is None:
            self.acknowledged()
        head = self.read(24)
        length, kind, flags, _, slot, generation, extra, check = struct.unpack("<IBBHIIII", head)
        if check != zlib.crc32(head[:20]):
            raise ValueError("damaged header")
        return kind, flags, slot, generation, extra, self.read(length)

    def request(self, slot, op, payload, budget=0, flags=0):
        self.generation += 1
        for at in range(0, max(len(payload), 1), PIECE_SIZE):
            more = MORE if at + PIECE_SIZE < len(payload) else 0
            self.send(PIECE if at else REQUEST, slot, payload[at:at + PIECE_SIZE],
                      flags | more, op, 0 if at else budget)
        return self.generation

    def answer(self, slot, generation):
        data = b""
        while True:
            kind, flags, s, g, _, payload = self.receive()
            if (s, g) == (slot, generation) and kind == ERROR:
                raise RemoteError(payload)
            if (s, g) == (slot, generation) and kind in (RESPONSE, PIECE):
                data += payload
                if not flags & MORE:
                    return data

    def call(self, op, payload, budget=0, slot=0):
        return self.answer(slot, self.request(slot, op, payload, budget))

    def control(self, *what):
        return self.call(0, bytes(what), slot=0xFFFFFFFE)

    def stream(self, op, data, slot=1):
        generation = self.request(slot, op, b"", flags=STREAM)
        credit, back = CHUNKS, []
        while True:
            while credit and data:
                self.send(CHUNK, slot, data[:CHUNK_SIZE], 0 if data[CHUNK_SIZE:] else END)
                data, credit = data[CHUNK_SIZE:], credit - 1
            kind, _, s, g, extra, payload = self.receive()
            if (s, g) != (slot, generation):
                continue
            if kind == CREDIT:
                credit += extra
            elif kind == CHUNK:
                back.append(payload)
                if payload:
                    self.send(CREDIT, slot, extra=1)
            elif kind == RESPONSE:
                return b"".join(back)
            elif kind == ERROR:
                raise RemoteError(payload)


def fields(data):
    found = {}
    while data:
        tag, length = struct.unpack("<BH", data[:3])
        found[tag], data = data[3:3 + length], data[3 + length:]
    return found


def failing(function):
    try:
        return function()
    except RemoteError as error:
        return "error %d" % error.code


def main(path):
    client = Client(path)
    print("ping", client.control(PING), "version", client.info[1].decode())
    print("status", int.from_bytes(fields(client.control(STATUS))[5], "little"))
    print("call", client.call(1, b"question").decode())
    large = bytes(range(256)) * 4096 * 3
    print("pieces", client.call(1, large) == large)
    data = bytes(range(251)) * (10 * (1 << 20) // 251 + 1)
    print("stream", client.stream(10, data[:10 << 20]) == data[:10 << 20])
    held = [client.request(slot, 20, b"") for slot in (2, 3)]
    print("busy", failing(lambda: client.call(1, b"x")))
    for slot, generation in zip((2, 3), held):
        client.generation = generation
        client.send(CANCEL, slot)
    late = "error 16"
    while late == "error 16":  # until the handlers have seen that they were given up
        late = failing(lambda: client.call(20, b"", budget=20, slot=4))
    print("timeout", late)
    print("unknown", failing(lambda: client.call(999, b"")))
    held = client.request(4, 20, b"")
    print("shutdown", client.control(SHUTDOWN, 8, 4, 0, *b"done"))
    print("afterwards", failing(lambda: client.call(1, b"x")))
    client.generation = held
    client.send(CANCEL, 4)
    while client.receive():
        pass


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except EOFError as end:
        print(end)
