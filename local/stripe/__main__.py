"""`python -m local.stripe --port 8630 --data .local/stripe`: serve the simulated Stripe until it is told to stop."""

import argparse
import os
from pathlib import Path

import uvicorn

from local.stripe.app import create_app

HOST = "127.0.0.1"


def main() -> None:
    companion = f"http://{HOST}:{os.environ.get('COMPANION_PORT') or 8600}"
    parser = argparse.ArgumentParser(prog="python -m local.stripe", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="where objects and events are kept")
    parser.add_argument(
        "--secret-key", default=os.environ.get("STRIPE_SECRET_KEY"), help="the API key that is accepted"
    )
    parser.add_argument(
        "--webhook-secret",
        default=os.environ.get("STRIPE_WEBHOOK_SECRET"),
        help="what events are signed with; several comma separated",
    )
    parser.add_argument("--webhook-url", default=f"{companion}/webhooks/stripe", help="where events are sent")
    parser.add_argument("--host", default=HOST)
    arguments = parser.parse_args()
    if not arguments.secret_key or not arguments.webhook_secret:
        parser.error("set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET, or give --secret-key and --webhook-secret")
    app = create_app(
        arguments.data,
        secret_key=arguments.secret_key,
        webhook_secret=arguments.webhook_secret,
        webhook_url=arguments.webhook_url,
    )
    uvicorn.run(app, host=arguments.host, port=arguments.port, log_level="warning", timeout_graceful_shutdown=2)


if __name__ == "__main__":
    main()
