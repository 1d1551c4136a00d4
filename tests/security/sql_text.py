"""Where Python builds SQL, and what goes into it unbound: a walk over the syntax trees.

A text is taken for SQL by its words. What is put into it is harmless if it is quoted (``quoted``, ``identifier``), a
number or a day, a constant, what the contract and the catalogue of checks name, or SQL that other code here has built,
which is looked at where it is built. Everything else is an outside string until somebody has looked at it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

_SQL = re.compile(
    r"(?i)\b(select|insert into|delete from|update \S+ (as \S+ )?set"
    r"|create (or replace )?(temp )?(table|schema|view|macro)|drop (table|view|schema|macro)|attach|detach|copy \("
    r"|alter table|comment on|describe select|read_parquet|read_csv|(from|join) [a-z_]+[.({]|cast\(|coalesce\("
    r"|unnest|call [a-z_]+[.(]|where [a-z_({]+)"
)
_QUOTING = frozenset({"quoted", "identifier", "marked", "int", "len", "range", "isoformat"})
_HARMLESS_TYPES = frozenset(
    {"int", "bool", "date", "datetime", "Table", "Column", "ColumnKind", "Check", "Kind", "Severity", "date | None"}
)
_JOINED = frozenset({"join", "format", "removesuffix"})


def texts(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.JoinedStr]]:
    """Every f-string that reads like SQL, with the function (or module) that it stands in; error messages aside."""

    def walk(node: ast.AST, function: ast.AST) -> Iterator[tuple[ast.AST, ast.JoinedStr]]:
        if isinstance(node, ast.Raise):
            return
        within = node if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
        if isinstance(node, ast.JoinedStr) and _SQL.search(_constant_part(node)):
            yield within, node
        for child in ast.iter_child_nodes(node):
            yield from walk(child, within)

    yield from walk(tree, tree)


def _constant_part(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{" for part in node.values)


def unbound(path: Path) -> set[str]:
    """What a module puts into SQL that isn't harmless, as ``function: expression``."""
    found = set()
    for function, text in texts(ast.parse(path.read_text(encoding="utf-8"))):
        scope = _Scope(function)
        name = getattr(function, "name", "module")
        for part in text.values:
            if isinstance(part, ast.FormattedValue) and not scope.is_harmless(part.value):
                found.add(f"{name}: {ast.unparse(part.value)}")
    return found


_MADE_OF: dict[type, Callable[[Any], Iterable[ast.expr | None]]] = {
    ast.JoinedStr: lambda node: [part.value for part in node.values if isinstance(part, ast.FormattedValue)],
    ast.Attribute: lambda node: [node.value],
    ast.Subscript: lambda node: [node.value],
    ast.BinOp: lambda node: [node.left, node.right],
    ast.BoolOp: lambda node: node.values,
    ast.IfExp: lambda node: [node.body, node.orelse],
    ast.Tuple: lambda node: node.elts,
    ast.List: lambda node: node.elts,
    ast.Set: lambda node: node.elts,
    ast.Starred: lambda node: [node.value],
    ast.Dict: lambda node: [*node.keys, *node.values],
    ast.GeneratorExp: lambda node: [node.elt],
    ast.ListComp: lambda node: [node.elt],
    ast.SetComp: lambda node: [node.elt],
}
"""What an expression is made of: it is harmless if all that is."""


class _Scope:
    """What is known of the names in a function."""

    def __init__(self, function: ast.AST) -> None:
        self.types: dict[str, str] = {}
        self.values: dict[str, list[ast.expr]] = {}
        self._seen: set[str] = set()
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            arguments = [*function.args.args, *function.args.kwonlyargs]
            self.types = {one.arg: ast.unparse(one.annotation) if one.annotation else "" for one in arguments}
        for node in ast.walk(function):
            self._learn(node)

    def _learn(self, node: ast.AST) -> None:
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, (ast.AugAssign, ast.NamedExpr)) or (isinstance(node, ast.AnnAssign) and node.value):
            pairs = [(node.target, node.value)]  # type: ignore[list-item]
        elif isinstance(node, (ast.For, ast.comprehension)):
            pairs = [(node.target, node.iter)]
        for target, value in pairs:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    self.values.setdefault(name.id, []).append(value)

    def is_harmless(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Constant) or (isinstance(node, ast.Attribute) and _is_constant(node.attr)):
            return True
        if isinstance(node, ast.Name):
            return self._is_harmless_name(node.id)
        if isinstance(node, ast.Call):
            return self._is_harmless_call(node)
        made_of = _MADE_OF.get(type(node))
        return made_of is not None and all(self.is_harmless(part) for part in made_of(node) if part is not None)

    def _is_harmless_name(self, name: str) -> bool:
        if _is_constant(name):
            return True
        if name in self.types:
            return self.types[name] in _HARMLESS_TYPES and all(map(self.is_harmless, self.values.get(name, ())))
        if name in self._seen:  # a name that is made of itself adds nothing
            return True
        self._seen.add(name)
        try:
            return name in self.values and all(map(self.is_harmless, self.values[name]))
        finally:
            self._seen.discard(name)

    def _is_harmless_call(self, node: ast.Call) -> bool:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _QUOTING:
            return True
        given = [*node.args, *(keyword.value for keyword in node.keywords)]
        if isinstance(node.func, ast.Attribute) and name in _JOINED:
            return self.is_harmless(node.func.value) and all(map(self.is_harmless, given))
        # A function of ours that is given nothing from outside builds nothing of it.
        receiver = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        return bool(given) and all(map(self.is_harmless, [*receiver, *given]))


def _is_constant(name: str) -> bool:
    return name.strip("_").isupper()
