"""Where alerts go: one module for each kind of receiver, all over the same few lines.

What belongs here: the list of channels, and what a channel is (``base``). What doesn't: when something is sent.
"""

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.chat import SlackChannel, TeamsChannel
from orchestration.alerts.channels.email import EmailChannel
from orchestration.alerts.channels.webhook import WebhookChannel

CHANNELS: dict[str, type[Channel]] = {
    "webhook": WebhookChannel,
    "slack": SlackChannel,
    "teams": TeamsChannel,
    "email": EmailChannel,
}
"""Channels by the name that the configuration uses."""

__all__ = ["CHANNELS", "Channel", "ChannelError", "ChannelServices", "ChannelSettings", "Sending"]
