"""The example configuration is valid, names every kind and every key, and every key is explained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from orchestration import cli
from orchestration.connectors.configuration import Source, load_sources
from orchestration.connectors.examples import EXAMPLES, example
from orchestration.connectors.kinds import KINDS
from orchestration.errors import ConfigurationError
from tests.support.configurations import models_in


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, ...]:
    path = tmp_path_factory.mktemp("example") / "sources.yaml"
    path.write_text(example(), encoding="utf-8")
    return load_sources(path)


def test_the_example_is_a_valid_file_with_every_kind(sources: tuple[Source, ...]) -> None:
    assert {source.kind.name for source in sources} == {kind.name for kind in KINDS}
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == {kind.name for kind in KINDS}


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for part in models_in(field.annotation):
            yield from _keys(part)


@pytest.mark.parametrize("name", [kind.name for kind in KINDS])
def test_every_key_of_a_kind_stands_in_its_example(name: str) -> None:
    (kind,) = [kind for kind in KINDS if kind.name == name]
    text = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    missing = sorted({key for key in _keys(kind.load().configuration_class) if f"{key}:" not in text})
    assert missing == []


def test_the_command_prints_it_or_some_kinds_of_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli._invoke(["sources", "example"]) == 0
    assert capsys.readouterr().out == example()
    assert cli._invoke(["sources", "example", "--kind", "evm,bitcoin"]) == 0
    path = tmp_path / "sources.yaml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert [source.kind.name for source in load_sources(path)] == ["evm", "bitcoin"]
    with pytest.raises(ConfigurationError, match="did you mean bitcoin"):
        example(["bitcoins"])
