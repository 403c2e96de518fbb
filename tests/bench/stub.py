"""Answers every HTTP/1.1 request with the same text, keeping connections; prints its port."""

import selectors
import socket

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\npricing(base)"


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    listener.setblocking(False)
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    print(f"port {listener.getsockname()[1]}", flush=True)
    pending = {}
    while True:
        for key, _ in ready.select():
            one = key.fileobj
            if one is listener:
                new, _ = listener.accept()
                new.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(new, selectors.EVENT_READ)
                pending[new] = b""
                continue
            try:
                more = one.recv(65536)
            except OSError:
                more = b""
            if not more:
                ready.unregister(one)
                del pending[one]
                one.close()
                continue
            *whole, pending[one] = (pending[one] + more).split(b"\r\n\r\n")
            if whole:
                one.sendall(ANSWER * len(whole))


if __name__ == "__main__":
    main()
