"""apprise: which kind of message, for whom, and why it wasn't taken."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestration.alerts.channels import Channel, ChannelError
from orchestration.alerts.incidents import Occasion
from tests.alerts.messages import WORST, channel, sending, told
from tests.connectors import web

TOKEN = "tokentoken0123456789"


def services(*urls: str, **settings: Any) -> Channel:
    return channel("apprise", **({"urls": list(urls)} if urls else {}), **settings)


def address(server: web.Web, rest: str = "") -> str:
    return f"json://{server.url.removeprefix('http://')}{rest}"


def test_kinds_of_messages_are_told_apart() -> None:
    with web.serving(lambda _: web.Answer(b"")) as server:
        made = services(address(server))
        made.send(sending())
        made.send(sending(told(severity="warning")))
        made.send(sending(occasion=Occasion.RESOLVED))
        made.send(sending(is_test=True))
        kinds = [request.json["type"] for request in server.requests]
    assert kinds == ["failure", "warning", "success", "info"]
    assert server.requests[0].json["title"] == sending().content.title


def test_nobody_is_called_and_little_is_split() -> None:
    with web.serving(lambda _: web.Answer(b"")) as server:
        services(address(server)).send(WORST)
        texts = [request.json["title"] + request.json["message"] for request in server.requests]
    assert len(texts) == 1
    assert not any(call in texts[0] for call in ("@everyone", "<!channel", "<@U1"))
    assert "everyone" in texts[0]


def test_a_long_text_comes_in_parts_unless_the_address_says_otherwise() -> None:
    with web.serving(lambda _: web.Answer(b"")) as server:
        long = sending(*[told(what="x" * 600)] * 9)
        # Discord's own limit is 2000 characters; JSON's is longer, and the same rule applies to both.
        made = services(address(server))
        (service,) = made._services()  # type: ignore[attr-defined]
        assert service.overflow_mode.value == "split"
        (cutting,) = services(address(server, "?overflow=truncate"))._services()  # type: ignore[attr-defined]
        assert cutting.overflow_mode.value == "truncate"
        made.send(long)
        assert len(server.requests) == 1


def test_the_reason_is_told_without_a_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with web.serving(lambda _: web.Answer(b"no", 403)) as server:
        monkeypatch.setenv("WHERE", address(server, f"/{TOKEN}").replace("json://", f"json://user:{TOKEN}x@"))
        made = services("${WHERE}")
        with (
            caplog.at_level(logging.DEBUG),
            made.services.outside.secrets.kept_out_of_logs(),
            pytest.raises(ChannelError, match=r"JSON: .*error=403") as refusal,
        ):
            made.send(sending())
    for text in (str(refusal.value), caplog.text, *capfd.readouterr(), made.check()):
        assert TOKEN not in text
    assert logging.getLogger("apprise").propagate


def test_all_services_are_told_and_one_that_refuses_is_named() -> None:
    with web.serving(lambda _: web.Answer(b"")) as sound, web.serving(lambda _: web.Answer(b"", 500)) as broken:
        with pytest.raises(ChannelError, match="JSON"):
            services(address(broken), address(sound)).send(sending())
        assert len(sound.requests) == 1


def test_a_file_of_apprise_s_own_is_read_by_tags(tmp_path: Path) -> None:
    with web.serving(lambda _: web.Answer(b"")) as night, web.serving(lambda _: web.Answer(b"")) as day:
        file = tmp_path / "apprise.yaml"
        lines = [f"  - {address(one)}:\n      - tag: {tag}\n" for one, tag in ((night, "night"), (day, "day"))]
        file.write_text("urls:\n" + "".join(lines), encoding="utf-8")
        services(file=file, tags=["night"]).send(sending())
        assert (len(night.requests), len(day.requests)) == (1, 0)
        services(file=file).send(sending())
        assert (len(night.requests), len(day.requests)) == (2, 1)
        with pytest.raises(ChannelError, match="no address bears these tags"):
            services(file=file, tags=["noon"]).check()
        with pytest.raises(ChannelError, match="NOMATCH"):
            services(file=file, tags=["noon"]).send(sending())
    with pytest.raises(ChannelError, match="can't read its file") as refusal:
        services(file=tmp_path / "none.yaml").check()
    assert refusal.value.is_final


def test_an_address_that_apprise_does_not_know_is_named_by_its_place() -> None:
    with pytest.raises(ChannelError, match="address 2 of urls") as refusal:
        services("json://127.0.0.1", "pigeon://loft/secret").check()
    assert refusal.value.is_final
    assert "loft" not in str(refusal.value)


@pytest.mark.parametrize(
    "settings", [{}, {"urls": ["json://h"], "file": "f"}, {"urls": ["json://h"], "tags": ["night"]}]
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"give|tags"):
        channel("apprise", **settings)
