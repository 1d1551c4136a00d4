"""Where alerts go: one module for each kind of receiver, all over the same few lines.

What belongs here: the list of channels, and what a channel is (``base``). What doesn't: when something is sent.
"""

from orchestration.alerts.channels.alertmanager import AlertmanagerChannel
from orchestration.alerts.channels.apprise_services import AppriseChannel
from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.email import EmailChannel
from orchestration.alerts.channels.pagerduty import PagerDutyChannel
from orchestration.alerts.channels.slack import SlackChannel
from orchestration.alerts.channels.teams import TeamsChannel
from orchestration.alerts.channels.webhook import WebhookChannel

CHANNELS: dict[str, type[Channel]] = {
    "slack": SlackChannel,
    "teams": TeamsChannel,
    "pagerduty": PagerDutyChannel,
    "email": EmailChannel,
    "webhook": WebhookChannel,
    "alertmanager": AlertmanagerChannel,
    "apprise": AppriseChannel,
}
"""Channels by the name that the configuration uses."""

__all__ = ["CHANNELS", "Channel", "ChannelError", "ChannelServices", "ChannelSettings", "Sending"]
