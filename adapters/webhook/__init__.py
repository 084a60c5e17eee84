"""Signed webhooks both ways, for an agency whose own developers can write a small endpoint."""

from adapters.webhook.adapter import WebhookAdapter

__all__ = ["WebhookAdapter"]
