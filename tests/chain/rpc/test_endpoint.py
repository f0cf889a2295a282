"""What is said about an endpoint, and that its URL never shows."""

import pickle

import pytest

from tidegate.chain.rpc import Endpoint, Fresh, Quorum, Tier
from tidegate.model import ConfigError

URL = "https://node.example/v3/SECRET"


def test_an_endpoint_shows_its_name_and_tier_but_never_its_host():
    endpoint = Endpoint("alpha", URL, ws="wss://node.example/SECRET", tier=Tier.BACKUP)
    for shown in (repr(endpoint), str(endpoint), f"{endpoint}", f"{[endpoint]}"):
        assert "alpha#backup (host hidden)" in shown
        assert "example" not in shown
        assert "SECRET" not in shown
    assert pickle.loads(pickle.dumps(endpoint)) == endpoint


def test_an_optional_url_that_is_empty_does_not_win():
    for empty in ("", "   ", None):
        assert Endpoint("alpha", URL, ws=empty).ws is None
    assert Endpoint("alpha", URL, ws="wss://node.example").ws == "wss://node.example"


@pytest.mark.parametrize("url", ["", " ", "node.example", "ftp://node.example", "http://", "http://[x"])
def test_a_url_that_is_none_is_refused_and_not_shown(url):
    with pytest.raises(ConfigError) as caught:
        Endpoint("alpha", url)
    assert "alpha" in str(caught.value)
    assert "example" not in str(caught.value)


@pytest.mark.parametrize("url", ["wss://node.example/SECRET"])
def test_the_schemes_of_http_and_websocket_are_not_exchanged(url):
    with pytest.raises(ConfigError):
        Endpoint("alpha", url)
    with pytest.raises(ConfigError) as caught:
        Endpoint("alpha", URL, ws=URL)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "figures", [{"weight": 0}, {"batch_max": 0}, {"timeout_s": 0}, {"rate_per_s": 0}, {"logs_span_max": -1}]
)
def test_figures_must_be_positive(figures):
    with pytest.raises(ConfigError, match="must be above 0, was"):
        Endpoint("alpha", URL, **figures)


def test_defaults_are_those_of_the_specification():
    endpoint = Endpoint("alpha", URL)
    assert (endpoint.batch_max, endpoint.logs_span_max) == (50, 2_000)
    assert (endpoint.timeout_s, endpoint.send_timeout_s) == (2.0, 5.0)
    assert endpoint.operator == "alpha", "nobody shares an operator who did not say so"


def test_policies_refuse_what_means_nothing():
    with pytest.raises(ConfigError):
        Quorum(1)
    with pytest.raises(ConfigError):
        Fresh(-1)
