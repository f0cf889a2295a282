"""Every metric of the street under its exact name, with its labels and no others."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tidegate.app.metrics import BEYOND, SERIES_MAX, PrometheusRecorder
from tidegate.model import ConfigError, Metric, MetricKind, Recorder

NAMES = [
    "tidegate_rpc_requests_total{chain,endpoint,method,result}",
    "tidegate_rpc_seconds",
    "tidegate_rpc_endpoint_state",
    "tidegate_head_lag_blocks",
    "tidegate_block_gap",
    "tidegate_reorg_depth",
    "tidegate_intents_total{desk,chain,stage,outcome,reason}",
    "tidegate_step_seconds{step}",
    "tidegate_open_transactions",
    "tidegate_nonce_gap",
    "tidegate_replacements_total",
    "tidegate_gas_spent_wei_total",
    "tidegate_signer_requests_total{result,check}",
    "tidegate_signer_frozen",
    "tidegate_capability_expires_s",
    "tidegate_limit_used_ratio{limit,scope}",
    "tidegate_breaker_level{breaker,scope}",
    "tidegate_breaker_heartbeat_age_s",
    "tidegate_stops{scope}",
    "tidegate_journal_seq",
    "tidegate_journal_commit_seconds",
    "tidegate_reconcile_difference",
]


def record(recorder: Recorder, metric: Metric, **labels: str) -> None:
    given = labels or dict.fromkeys(metric.labels, "x")
    match metric.kind:
        case MetricKind.COUNTER:
            recorder.count(metric, 2, **given)
        case MetricKind.GAUGE:
            recorder.set(metric, 2, **given)
        case MetricKind.HISTOGRAM:
            recorder.observe(metric, 2, **given)


@pytest.mark.parametrize("named", NAMES)
def test_every_metric_of_the_specification_is_exported_under_its_exact_name(named: str) -> None:
    name, _, listed = named.partition("{")
    metric = next(metric for metric in Metric if metric.metric_name == name)
    if listed:
        assert metric.labels == tuple(listed.rstrip("}").split(","))
    recorder = PrometheusRecorder()
    record(recorder, metric)
    text = recorder.exposition().decode()
    suffix = "_count" if metric.kind is MetricKind.HISTOGRAM else ""
    labels = "{" + ",".join(f'{label}="x"' for label in sorted(metric.labels)) + "}" if metric.labels else ""
    pattern = rf"^{name}{suffix}{re.escape(labels)} (1|2)\.0$"
    assert re.search(pattern, text, re.MULTILINE), text


def test_every_metric_can_be_recorded_and_read_back() -> None:
    recorder = PrometheusRecorder()
    for metric in Metric:
        record(recorder, metric)
        expected = 1 if metric.kind is MetricKind.HISTOGRAM else 2
        assert recorder.value(metric, **dict.fromkeys(metric.labels, "x")) == expected
    families = list(text_string_to_metric_families(recorder.exposition().decode()))
    ours = {family.name for family in families if not family.name.endswith("_created")}
    assert ours == {metric.metric_name.removesuffix("_total") for metric in Metric}


def test_two_recorders_do_not_share_a_registry() -> None:
    first, second = PrometheusRecorder(), PrometheusRecorder()
    first.set(Metric.JOURNAL_SEQ, 7)
    assert (first.value(Metric.JOURNAL_SEQ), second.value(Metric.JOURNAL_SEQ)) == (7, 0)


@pytest.mark.parametrize("labels", [{}, {"scope": "a", "other": "b"}, {"other": "b"}])
def test_unknown_and_missing_labels_are_refused(labels: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="other labels") as caught:
        PrometheusRecorder().set(Metric.STOPS, 1, **labels)
    assert caught.value.allowed == "scope"


def test_a_label_without_bounds_is_counted_together_and_stops_nobody() -> None:
    recorder = PrometheusRecorder()
    for number in range(SERIES_MAX + 3):
        recorder.count(Metric.REPLACEMENTS, chain=str(number))
    recorder.count(Metric.REPLACEMENTS, chain="0")
    assert recorder.value(Metric.REPLACEMENTS, chain="0") == 2
    assert recorder.value(Metric.REPLACEMENTS, chain=str(SERIES_MAX)) is None
    assert recorder.value(Metric.REPLACEMENTS, chain=BEYOND) == 3


def test_a_metric_is_recorded_as_what_it_is() -> None:
    recorder = PrometheusRecorder()
    with pytest.raises(ConfigError, match="is a gauge, not a counter"):
        recorder.count(Metric.STOPS, scope="global")
    with pytest.raises(ConfigError, match="only grows"):
        recorder.count(Metric.REPLACEMENTS, -1, chain="x")
    with pytest.raises(ConfigError, match="is a counter, not a gauge"):
        recorder.set(Metric.REPLACEMENTS, 1, chain="x")
    with pytest.raises(ConfigError, match="not a histogram"):
        recorder.observe(Metric.REPLACEMENTS, 1, chain="x")
