"""wrk as the client of a server: next to nothing a request, and it reads of an answer only where it ends.

Where two servers answer differently, a client that reads what they say is slower with one of them; with a closed loop
fewer requests then stand together, batches get smaller, and the server seems to cost more than it does.
"""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from environments import system_program
from request_forms import Form
from running import ClientError, running_client
from standing_servers import Standing

_DONE = re.compile(r"(\d+) requests in ([\d.]+)(ms|s|m)")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0}


def write_script(file: Path, headers: Mapping[str, str], body: Path) -> None:
    """What wrk sends: a POST of this body."""
    lines = ['wrk.method = "POST"', *(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())]
    lines += [f'local file = io.open("{body}", "rb")', 'wrk.body = file:read("*a")', ""]
    file.write_text("\n".join(lines))


def loaded_by_wrk(
    standing: Standing, form: Form, *, users: int, seconds: int, core: int, bearer: str = ""
) -> dict[str, float]:
    """One closed loop against a server.

    Args:
        standing: the server.
        form: of the request.
        users: of the loop.
        seconds: of it; wrk knows whole ones only.
        core: of the client.
        bearer: the key, where one is asked for.

    Returns:
        Answers, answers per second, CPU of all of the server's processes in µs a request, and that in cores.

    Raises:
        ClientError: wrk failed, or an answer was none of 200.
        NotInstallableError: wrk is not to be had.
    """
    url = f"http://127.0.0.1:{standing.place.port}{form.path}"
    headers = {**form.headers, **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
    with tempfile.TemporaryDirectory() as directory:
        script, body = Path(directory) / "post.lua", Path(directory) / "body"
        body.write_bytes(form.body)
        write_script(script, headers, body)
        first_cpu_s = standing.process.cpu_s()
        words = [system_program("wrk"), "-t1", f"-c{users}", f"-d{seconds}s", "-s", str(script), url]
        with running_client("wrk", words, core=core) as client:
            client.wait_done(seconds + 60)
            cpu_s = standing.process.cpu_s() - first_cpu_s
            said = client.last_words()
    done = _DONE.search(said)
    if done is None or "Non-2xx" in said or "Socket errors" in said:
        raise ClientError(f"wrk: {said}")
    answers, took_s = int(done[1]), float(done[2]) * _SECONDS[done[3]]
    return {
        "answers": answers,
        "per_s": answers / took_s,
        "cpu_us": cpu_s / answers * 1e6,
        "per_cpu_s": answers / cpu_s,
        "cores": cpu_s / took_s,
    }
