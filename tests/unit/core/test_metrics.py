"""This module tests the counting of calls."""

from __future__ import annotations

import threading

from ganger_core.rpc.metrics import CallStats, RpcMetrics


def test_calls_are_counted_by_method_and_code_from_all_threads() -> None:
    metrics = RpcMetrics()

    def count() -> None:
        for _ in range(1000):
            metrics.observe("/a/B", "OK", 0.5)

    threads = [threading.Thread(target=count, name=f"counter-{i}") for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    metrics.observe("/a/B", "INTERNAL", 1.0)
    before = metrics.snapshot()
    metrics.observe("/a/B", "INTERNAL", 1.0)
    assert before == {("/a/B", "OK"): CallStats(4000, 2000.0), ("/a/B", "INTERNAL"): CallStats(1, 1.0)}
