"""A closed loop of an aiohttp `ClientSession`: `aiohttp_client.py URL BODY_FILE USERS SECONDS`; prints the answers."""

import asyncio
import sys
import time
from pathlib import Path

import aiohttp
import uvloop


async def run(url: str, body: bytes, users: int, seconds: float) -> int:
    """Every user sends when it has its answer."""
    deadline = time.monotonic() + seconds
    answers = 0
    headers = {"Content-Type": "application/octet-stream"}

    async def user(session: aiohttp.ClientSession) -> None:
        nonlocal answers
        while time.monotonic() < deadline:
            async with session.post(url, data=body, headers=headers) as response:
                await response.read()
            answers += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=users)) as session:
        await asyncio.gather(*(user(session) for _ in range(users)))
    return answers


if __name__ == "__main__":
    print(uvloop.run(run(sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3]), float(sys.argv[4]))))
