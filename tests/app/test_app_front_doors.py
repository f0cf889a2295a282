"""The composition root is imported by nobody; its parts have front doors of their own."""

from importlib import import_module

import pytest

NAMES = {
    "tidegate.app.backtest": [
        "About",
        "DeskRecorder",
        "LATENCY_MAX_BLOCKS",
        "new_place",
        "record_market",
        "run_backtest",
    ],
    "tidegate.app.deploying": [
        "Actor",
        "Announcements",
        "Deployment",
        "DeploymentFiles",
        "Looked",
        "Order",
        "PAUSED",
        "Pair",
        "Reading",
        "TAMPERED",
        "Verdict",
        "Version",
        "by_key",
        "by_safe",
        "compare",
        "confirm",
        "creation_terms",
        "deploy",
        "deployer_address",
        "deployer_signer",
        "estimated",
        "executor_names",
        "is_of_desk",
        "judge_executor",
        "judge_order",
        "look_at_addresses",
        "predicted",
        "read_executor",
        "recorded",
        "switched",
        "write_book",
    ],
    "tidegate.app.running": [
        "Hooks",
        "Pools",
        "RunSettings",
        "Runner",
        "Safety",
        "Site",
        "Splits",
        "Until",
        "assembled",
        "fork_site",
        "limit_table",
        "live_site",
        "paper_site",
        "run_desk",
    ],
    "tidegate.app.demo": [
        "FAILED_SHARE_BPS",
        "LEVERAGE_CLOSE",
        "LEVERAGE_OPEN",
        "LiveView",
        "Options",
        "Progress",
        "Result",
        "run_demo",
        "shipped_strategies",
    ],
    "tidegate.app.market": ["Crowd", "Market", "Move", "PaperBlocks", "Prices"],
    "tidegate.app.report": ["render_report"],
}


@pytest.mark.parametrize("room", NAMES)
def test_public_names(room: str) -> None:
    module = import_module(room)
    assert sorted(module.__all__) == NAMES[room]
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("room", ["tidegate.app", "tidegate.desks"])
def test_what_only_holds_rooms_has_no_names_of_its_own(room: str) -> None:
    module = import_module(room)
    assert module.__doc__
    assert not hasattr(module, "__all__")
