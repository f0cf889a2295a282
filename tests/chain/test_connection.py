import pytest
from tests.chain.misbehaving import http, server

from tidegate.chain import Connection
from tidegate.model import Ambiguous, ConfigError, Rejected, Unavailable


def echo(request):
    if isinstance(request, list):
        return http([{"id": item["id"], "result": item["params"]} for item in reversed(request)])
    return http({"id": request["id"], "result": request["params"]})


def test_requests_and_batches_come_back_in_order():
    with server(echo) as url, Connection(url) as connection:
        assert connection.request("eth_call", 1, "x") == [1, "x"]
        assert connection.batch([("a", [1]), ("b", [2]), ("c", [3])]) == [[1], [2], [3]]
        assert connection.batch([]) == []
        assert connection.request("eth_call", 2) == [2]


def test_a_read_is_asked_again_after_the_node_closed_an_idle_connection():
    seen = []

    def answer(request):
        seen.append(request["method"])
        return b"" if len(seen) == 2 else echo(request)

    with server(answer) as url, Connection(url) as connection:
        assert connection.request("eth_chainId", 1) == [1]
        assert connection.request("eth_chainId", 2) == [2]
    assert len(seen) == 3


def test_a_send_is_never_repeated_behind_the_callers_back():
    seen = []

    def answer(request):
        seen.append(request["method"])
        return b"" if request["method"] == "eth_sendRawTransaction" else echo(request)

    with server(answer) as url, Connection(url) as connection:
        connection.request("eth_chainId")
        with pytest.raises(Ambiguous):
            connection.request("eth_sendRawTransaction", "0x")
    assert seen == ["eth_chainId", "eth_sendRawTransaction"]


def test_an_unclear_answer_to_a_send_is_ambiguous_and_to_a_read_unavailable():
    error = {"code": -32603, "message": "Transaction confirmation timeout"}

    def answer(request):
        return http({"id": request["id"], "error": error})

    with server(answer) as url, Connection(url) as connection:
        with pytest.raises(Ambiguous):
            connection.request("eth_sendRawTransactionSync", "0x")
        with pytest.raises(Unavailable):
            connection.request("eth_chainId")


def test_a_batch_that_holds_a_send_is_never_repeated():
    seen = []

    def answer(request):
        seen.append(request)
        return echo(request) if len(seen) == 1 else b""

    with server(answer) as url, Connection(url) as connection:
        connection.request("eth_chainId")
        with pytest.raises(Ambiguous):
            connection.batch([("eth_chainId", []), ("eth_sendRawTransaction", ["0x"])])
    assert len(seen) == 2


@pytest.mark.parametrize(
    "answer", [None, http(b"<html>", "502 Bad Gateway"), http(b"<html>"), b"\x00\r\n\r\n"]
)
def test_a_read_without_an_answer_is_unavailable(answer):
    with server(lambda _: answer) as url, Connection(url, timeout_s=0.3) as connection:
        with pytest.raises(Unavailable) as caught:
            connection.request("eth_chainId")
        assert "SECRET" not in str(caught.value)


def test_an_error_of_the_node_is_raised_from_a_batch():
    def answer(request):
        return http(
            [{"id": item["id"], "error": {"code": -32601, "message": "Method not found"}} for item in request]
        )

    with server(answer) as url, Connection(url) as connection, pytest.raises(Rejected):
        connection.batch([("eth_foo", [])])


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1", "127.0.0.1:8545", "http://"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(ConfigError, match="not the URL of a node"):
        Connection(url)
