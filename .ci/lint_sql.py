"""sqlfluff with each file of macros compiled once a process, instead of twice for every model that it lints.

Takes sqlfluff's arguments and says what sqlfluff says. Its Jinja templater makes an environment of the same options for
every model and keeps nothing from one to the next, and the project's macros are longer than most models. A sixth of the
time goes into looking for cyclic garbage, which is looked for seldom.
"""

import gc
from types import CodeType
from typing import Any

from jinja2.sandbox import SandboxedEnvironment
from sqlfluff.cli.commands import cli

_compile: Any = SandboxedEnvironment.compile
_compiled: dict[str, CodeType] = {}


def _compile_once(environment: SandboxedEnvironment, source: Any, *arguments: Any, **options: Any) -> Any:
    if arguments or options:
        return _compile(environment, source, *arguments, **options)
    if source not in _compiled:
        _compiled[source] = _compile(environment, source)
    return _compiled[source]


gc.set_threshold(100_000, 20, 20)
SandboxedEnvironment.compile = _compile_once  # both in sqlfluff's worker processes too: they import this file again

if __name__ == "__main__":
    cli()
