import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from modeldyno.clock import SystemClock
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.watching.scraper import Scraper, offered_metrics, scrape


@contextmanager
def exposing(text: str, status: int = 200) -> Iterator[str]:
    """A server whose `/metrics` says `text`; `{n}` in it is the number of the scrape."""
    scrapes = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal scrapes
            scrapes += 1
            content = text.replace("{n}", str(scrapes)).encode()
            self.send_response(status if self.path == "/metrics" else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_metrics_are_found_where_they_usually_are() -> None:
    with exposing("up 1\n") as url:
        assert f"{url}/metrics" == offered_metrics(f"{url}/v2")
    assert offered_metrics(url) is None


@pytest.mark.parametrize("text", ("", "7", "<html>\n<body>no\n</html>\n"))
def test_what_is_not_in_the_text_format_is_not_taken_for_metrics(text: str) -> None:
    with exposing(text) as url:
        assert offered_metrics(url) is None


def test_a_server_without_metrics_is_an_error_where_the_user_named_them() -> None:
    with exposing("up 1\n", status=503) as url, pytest.raises(TargetError) as caught:
        scrape(f"{url}/metrics")
    assert "status 503" == caught.value.why
    with pytest.raises(UsageError, match="not an http"):
        scrape("ftp://x")


def test_all_numbers_are_kept_with_their_moments() -> None:
    with exposing('# TYPE a counter\na_total{x="1"} {n}\n') as url:
        scraper = Scraper(f"{url}/metrics", clock=SystemClock())
        scraper.sample()
        scraper.sample()
        samples = scraper.samples(0)
    assert 0 == scraper.failures
    assert [1.0, 2.0] == [one.value for one in samples]
    assert {("a_total", '{x="1"}', "counter")} == {(one.name, one.labels, one.kind) for one in samples}
    assert sorted(samples) == samples


def test_a_scrape_that_fails_is_counted() -> None:
    with exposing("up 1\n") as url:
        pass
    scraper = Scraper(f"{url}/metrics", clock=SystemClock())
    scraper.sample()
    assert 1 == scraper.failures
    assert [] == scraper.samples(0)
