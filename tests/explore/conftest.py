"""One small warehouse for all tests that only read it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestration.explore.publication import Publication, Reader, serve_from
from orchestration.settings import WarehousePaths
from tests.explore import books


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> WarehousePaths:
    """The story, published."""
    return books.publish(tmp_path_factory.mktemp("told") / "warehouse", books.story())


@pytest.fixture
def publication(told: WarehousePaths) -> Iterator[Publication]:
    """The story, as pages of this process read it."""
    served = serve_from(told)
    yield served
    served.close()


@pytest.fixture
def reader(publication: Publication) -> Iterator[Reader]:
    """A look at the story."""
    with publication.reading() as look:
        yield look
