"""A closed loop of grpcio's clients: `grpcio_client.py ADDRESS MESSAGE_FILE USERS SECONDS aio|threads`; prints calls/s.

Messages go as the bytes they are and answers are not parsed: the least that such a client can do.
"""

import asyncio
import sys
import threading
import time
from pathlib import Path

import grpc

PATH = "/inference.GRPCInferenceService/ModelInfer"


async def run_aio(address: str, message: bytes, users: int, seconds: float) -> float:
    """All users on one channel and one event loop."""
    async with grpc.aio.insecure_channel(address) as channel:
        call = channel.unary_unary(PATH)
        await call(message)
        answers, start = 0, time.monotonic()

        async def user() -> None:
            nonlocal answers
            while time.monotonic() < start + seconds:
                await call(message)
                answers += 1

        await asyncio.gather(*(user() for _ in range(users)))
        return answers / (time.monotonic() - start)


def run_threads(address: str, message: bytes, users: int, seconds: float) -> float:
    """All users on one channel, each a thread."""
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(PATH)
        call(message)
        answers, start = [0] * users, time.monotonic()

        def user(number: int) -> None:
            while time.monotonic() < start + seconds:
                call(message)
                answers[number] += 1

        threads = [threading.Thread(target=user, args=(number,)) for number in range(users)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(answers) / (time.monotonic() - start)


if __name__ == "__main__":
    asked = (sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3]), float(sys.argv[4]))
    print(asyncio.run(run_aio(*asked)) if sys.argv[5] == "aio" else run_threads(*asked))
