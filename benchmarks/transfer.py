"""What it takes to move a request over TCP between two processes of one machine, and nothing else.

Whatever server and client do, they do this too; so it bounds the share of two cores that is left for computing.
"""

import multiprocessing
import os
import socket
import time

NAME = "two processes and TCP, no server"
_ANSWER = b"answer"


def transfer_cpu_us(size: int, *, seconds: float) -> float:
    """CPU of both ends in µs for a body of so many bytes one way and a few bytes back, with buffers that are kept."""
    context = multiprocessing.get_context("fork")
    ours, theirs = socket.create_server(("127.0.0.1", 0)), context.SimpleQueue()
    sender = context.Process(target=_send, args=(ours.getsockname()[1], size, seconds, theirs), daemon=True)
    sender.start()
    connection, _ = ours.accept()
    with ours, connection:
        began_ns = time.process_time_ns()
        count = _receive(connection, size)
        used_ns = time.process_time_ns() - began_ns
    used_ns += theirs.get()
    sender.join()
    return float(used_ns / count / 1e3)


def with_transfer(alone: dict[str, float], transfer_us: float) -> dict[str, float]:
    """What two processes would reach if each row came over TCP: on the same cores, at so much more CPU a row."""
    cpu_us = alone["cpu_us"] + transfer_us
    return {**alone, "per_s": alone["per_s"] * alone["cpu_us"] / cpu_us, "cpu_us": cpu_us, "per_cpu_s": 1e6 / cpu_us}


def _send(port: int, size: int, seconds: float, used: "multiprocessing.SimpleQueue[int]") -> None:
    body = os.urandom(size)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        began_ns, end_ns = time.process_time_ns(), time.monotonic_ns() + int(seconds * 1e9)
        while time.monotonic_ns() < end_ns:
            connection.sendall(body)
            if not connection.recv(len(_ANSWER)):
                break
        used.put(time.process_time_ns() - began_ns)


def _receive(connection: socket.socket, size: int) -> int:
    """How many bodies came until the other end closed."""
    buffer = memoryview(bytearray(size))
    count = 0
    while True:
        filled = 0
        while filled < size:
            got = connection.recv_into(buffer[filled:])
            if not got:
                return count
            filled += got
        connection.sendall(_ANSWER)
        count += 1
