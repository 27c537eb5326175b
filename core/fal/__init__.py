"""fal.ai over HTTP: the queue, webhooks, prices and storage. Each module names the part of the protocol it speaks."""

from core.fal.outputs import OutputFile
from core.fal.platform import AnalyticsLine, Balance, BillingEvent, FalPlatform, Price, UsageLine
from core.fal.queue import CancelAnswer, FalQueue, Result, Status, Submitted
from core.fal.reasons import plain_words
from core.fal.storage import upload
from core.fal.verdict import Verdict, verdict_of_poll, verdict_of_webhook
from core.fal.webhooks import VerifiedCall, WebhookVerifier, parse_call

__all__ = [
    "AnalyticsLine",
    "Balance",
    "BillingEvent",
    "CancelAnswer",
    "FalPlatform",
    "FalQueue",
    "OutputFile",
    "Price",
    "Result",
    "Status",
    "Submitted",
    "UsageLine",
    "Verdict",
    "VerifiedCall",
    "WebhookVerifier",
    "parse_call",
    "plain_words",
    "upload",
    "verdict_of_poll",
    "verdict_of_webhook",
]
