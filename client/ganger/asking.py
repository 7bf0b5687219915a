"""This module asks the master for its reasons."""

from __future__ import annotations

from ganger.arrays import ArrayClient
from ganger_core.domain.explanation import Explanation


class ExplainingClient(ArrayClient):
    """What a `Client` can ask about the master's reasons."""

    def why(self, task_id: int) -> Explanation:
        """Why the task waits, runs where it runs, or ended as it did; of an array, why its next element waits.

        What a restarted master does not know any more, such as its last plan, is left out.
        """
        return self._calls.explain(task_id)
