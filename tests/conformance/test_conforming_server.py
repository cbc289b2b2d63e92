from tests.conformance.fake_http import fake_server

from modeldyno.api.conforming import conform


def test_a_conforming_server_breaks_no_rule_and_keeps_each_with_one_model_at_least() -> None:
    with fake_server() as url:
        outcomes = [one for one in conform(url).outcomes if not one.rule.startswith("grpc.")]
    broken = [one for one in outcomes if one.result not in ("pass", "not_offered")]
    assert [] == [(one.rule, one.model, one.expected, one.reason, one.got) for one in broken]
    kept = {one.rule for one in outcomes if one.result == "pass"}
    assert {one.rule for one in outcomes} == kept


def test_the_same_holds_behind_tls() -> None:
    import ssl
    import tempfile

    import trustme

    from modeldyno.api.load.questions.ask import Ask
    from modeldyno.loadgen.access import Access

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/ca.pem"
        authority.cert_pem.write_to_path(path)
        with fake_server(context=context) as url:
            ask = Ask(model="single", access=Access(authorities=path))
            found = conform(url, ask=ask, rules=("health", "infer.json", "http"))
    assert url.startswith("https://")
    assert [] == [one for one in found.outcomes if one.result not in ("pass", "not_offered")]
