import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from modeldyno.clock import SystemClock
from modeldyno.errors import TargetError, UsageError
from modeldyno.loadgen.access import Access
from modeldyno.loadgen.watching.scraper import Scraper, offered_metrics, scrape


@contextmanager
def exposing(text: str, status: int = 200, *, key: str = "", context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server whose `/metrics` says `text`; `{n}` in it is the number of the scrape, `{query}` what was asked.

    With a `key`, it answers 401 to who does not show it.
    """
    scrapes = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal scrapes
            scrapes += 1
            path, _, query = self.path.partition("?")
            content = text.replace("{n}", str(scrapes)).replace("{query}", query).encode()
            is_let_in = not key or self.headers.get("Authorization") == f"Bearer {key}"
            self.send_response((status if path == "/metrics" else 404) if is_let_in else 401)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        finally:
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


def test_the_query_of_a_page_is_asked_for() -> None:
    with exposing('up{asked="{query}"} 1\n') as url:
        assert ['{asked="format=prometheus"}'] == [
            one.labels for one in scrape(f"{url}/metrics?format=prometheus").samples
        ]


def test_a_url_without_a_page_means_its_metrics() -> None:
    with exposing("up 1\n") as url:
        assert 1 == len(scrape(url).samples)


@pytest.mark.parametrize("url", ("http://127.0.0.1:99999/metrics", "http://[::1", "http://127.0.0.1/a b", "metrics"))
def test_what_is_no_url_is_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError):
        scrape(url)


def test_keys_let_in_where_metrics_are_protected() -> None:
    access = Access(headers=(("Authorization", "Bearer secret"),))
    with exposing("up 1\n", key="secret") as url:
        assert offered_metrics(url) is None
        assert f"{url}/metrics" == offered_metrics(url, access)


def test_metrics_are_read_over_tls_from_who_is_trusted(tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with exposing("up 1\n", context=context) as url:
        assert 1 == len(scrape(f"{url}/metrics", Access(authorities=str(trusted))).samples)
        with pytest.raises(TargetError, match="cannot read metrics") as caught:
            scrape(f"{url}/metrics")
    assert caught.value.why.startswith("its certificate is not trusted: ")
