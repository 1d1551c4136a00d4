"""The process that evaluates suites: Great Expectations loads here while the run that will ask reads its delivery.

What belongs here: answering questions that come through a connection. What doesn't: asking them
(``orchestration.pipeline.judge``) and any rule. Started as ``python -m expectations.server DESCRIPTOR``.

Each question gets two answers: outcomes, once the build file is closed again; then, when the pages have been written
beside the run's further work, that. When the asking process ends, however it ends, the connection does, and this
process with it at once, so that nothing goes on holding the build file.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from expectations.rules import ENTRY, Failure, PagesWritten, Question
from orchestration.keyed_hashes import error_text, traceback_text
from orchestration.settings import keep_files_private

if TYPE_CHECKING:
    from expectations.engine import Evaluation


def _listen(connection: Connection, questions: SimpleQueue[Question]) -> None:
    try:
        while True:
            questions.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)


def _evaluate(question: Question) -> Evaluation:
    from expectations.engine import evaluate
    from expectations.entry import entry_suites
    from expectations.leaving import leaving_suites

    severities = question.severities
    suites = entry_suites(severities) if question.gate == ENTRY else leaving_suites(severities, question.marts)
    return evaluate(question.build_file, suites, stage=question.gate, run_file=question.run_file)


def _attempt(action: Callable[[], Any]) -> Any:
    """What the action returns, or how it failed."""
    try:
        return action()
    except Exception as error:  # noqa: BLE001 (whoever asked decides what follows from it)
        return Failure(error_text(error), traceback_text(error))


def _answer(connection: Connection, question: Question) -> None:
    evaluation = _attempt(lambda: _evaluate(question))
    if isinstance(evaluation, Failure):
        connection.send(evaluation)
        return
    connection.send(evaluation.all_outcomes)
    written = _attempt(lambda: evaluation.write_data_docs(question.data_docs))
    connection.send(written if isinstance(written, Failure) else PagesWritten())


def serve(connection: Connection) -> None:
    """Answer questions until whoever asks is gone."""
    keep_files_private()
    questions: SimpleQueue[Question] = SimpleQueue()
    Thread(target=_listen, args=(connection, questions), daemon=True).start()
    import expectations.entry
    import expectations.leaving  # noqa: F401 (loading them is what takes seconds)

    while True:
        _answer(connection, questions.get())


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt ends the run, and the run's end this process
    serve(Connection(int(sys.argv[1])))
