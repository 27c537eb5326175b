"""`python -m local.fal --port 8700 --data .local/fal`: serve the simulated fal.ai until it is told to stop."""

import argparse
from pathlib import Path

import uvicorn

from local.fal.app import DEFAULT_ADMIN_KEY, DEFAULT_KEY, create_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.fal", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True, help="where requests, files and the signing key are kept")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--key", default=DEFAULT_KEY, help="the ordinary key that is accepted, id:secret")
    parser.add_argument("--admin-key", default=DEFAULT_ADMIN_KEY, help="the ADMIN key that is accepted, id:secret")
    arguments = parser.parse_args()
    app = create_app(arguments.data, key=arguments.key, admin_key=arguments.admin_key)
    uvicorn.run(
        app, host=arguments.host, port=arguments.port, log_level="warning", ws="none", timeout_graceful_shutdown=2
    )


if __name__ == "__main__":
    main()
