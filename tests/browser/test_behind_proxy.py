"""docs/deploy/nginx.conf in a real nginx, with TLS, in front of pages and companion as production runs them."""

import json
import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
import stripe
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, expect

from local.paths import ROOT
from local.ports import HOST, free_port
from tests.browser.conftest import IDLE, PASSWORD, Site, go, settle
from tests.conftest import Serve

CONFIGURATION = ROOT / "docs" / "deploy" / "nginx.conf"
SECONDS = 30.0  # against hanging, not a measure


def nginx() -> str:
    """The program; installed where that can be done."""
    path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
    if not shutil.which("nginx", path=path) and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "nginx-light"]):
            subprocess.run(["apt-get", *command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    found = shutil.which("nginx", path=path)
    if not found:
        pytest.skip("There is no nginx here (Debian: apt install nginx-light).")
    return found


def certificate(directory: Path) -> tuple[Path, Path]:
    """A key and a certificate for `localhost` that nobody but this test trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = directory / "chain.pem", directory / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def configured(directory: Path, http_port: int, tls_port: int, app: int, companion: int) -> Path:
    """Our file as an operator would fill it in, and the little around it that a distribution brings."""
    chain, key = certificate(directory)
    text = CONFIGURATION.read_text(encoding="utf-8")
    for old, new in {
        "studio.example;": "localhost;",
        "/etc/ssl/studio.example/fullchain.pem": str(chain),
        "/etc/ssl/studio.example/privkey.pem": str(key),
        "listen 80;": f"listen {HOST}:{http_port};",
        "listen 443 ssl;": f"listen {HOST}:{tls_port} ssl;",
        "127.0.0.1:8600": f"{HOST}:{companion}",
        "127.0.0.1:8501": f"{HOST}:{app}",
        "/var/log/nginx/atelier.log": str(directory / "access.log"),
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    text = re.sub(r".*listen \[::\].*\n", "", text)
    places = "".join(
        f"{kind}_temp_path {directory / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = directory / "nginx.conf"
    user = "user root;\n" if os.geteuid() == 0 else ""
    main.write_text(
        f"{user}daemon off;\npid {directory / 'nginx.pid'};\nerror_log {directory / 'error.log'} warn;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{text}}}\n",
        encoding="utf-8",
    )
    return main


@dataclass(frozen=True)
class Proxy:
    http: str
    https: str
    chain: Path
    log: Path


@pytest.fixture(scope="module")
def proxy(site: Site, serve: Serve, stack_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """Pages and companion with APP_ENV=production, as docs/deploy/*.service start them, behind nginx."""
    program, directory = nginx(), tmp_path_factory.mktemp("nginx")
    app, companion, http_port, tls_port = free_port(), free_port(), free_port(), free_port()
    environment = site.environment | {
        "APP_ENV": "production",
        "APP_PORT": str(app),
        "COMPANION_PORT": str(companion),
        "PUBLIC_URL": f"https://localhost:{tls_port}",
        "ATELIER_SIMULATED": "",
        "LOCAL_DIR": str(stack_directory / "production"),
    }
    for unit, health in (
        ("companion", f"http://{HOST}:{companion}/health"),
        ("pages", f"http://{HOST}:{app}/_stcore/health"),
    ):
        serve(f"production-{unit}", started_by(unit, environment), environment, health)
    main = configured(directory, http_port, tls_port, app, companion)
    checked = subprocess.run([program, "-t", "-c", main], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    process = subprocess.Popen([program, "-c", main], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = Proxy(
        f"http://localhost:{http_port}",
        f"https://localhost:{tls_port}",
        directory / "chain.pem",
        directory / "access.log",
    )
    try:
        with client(found) as calls:
            deadline = time.monotonic() + SECONDS
            while not reached(calls, found.https):
                assert process.poll() is None, "nginx has ended"
                assert time.monotonic() < deadline, "nginx does not answer"
                time.sleep(0.05)
        yield found
    finally:
        process.terminate()
        process.wait()


def started_by(unit: str, environment: dict[str, str]) -> list[str]:
    """What the systemd unit runs, after `python -m`."""
    text = (ROOT / "docs" / "deploy" / f"atelier-{unit}.service").read_text(encoding="utf-8")
    command = re.search(r"^ExecStart=/srv/atelier/\.venv/bin/(.+)$", text, re.MULTILINE)
    assert command
    return re.sub(r"\$\{(\w+)\}", lambda name: environment[name[1]], command[1]).split()


def client(proxy: Proxy, address: str | None = None) -> httpx.Client:
    trusted = ssl.create_default_context(cafile=str(proxy.chain))
    return httpx.Client(transport=httpx.HTTPTransport(verify=trusted, local_address=address), timeout=SECONDS)


def reached(calls: httpx.Client, url: str) -> bool:
    try:
        return calls.get(f"{url}/_stcore/health").is_success
    except httpx.TransportError:
        return False


def test_plain_http_is_sent_to_tls(proxy: Proxy) -> None:
    with client(proxy) as calls:
        answer = calls.get(f"{proxy.http}/jobs?job=x")
        assert answer.status_code == 301
        assert answer.headers["location"] == "https://localhost/jobs?job=x"
        answer = calls.get(f"{proxy.https}/")
        assert "max-age" in answer.headers["strict-transport-security"]
        for inner in ("metrics", "ready"):  # the companion's own are for this machine; the pages have no such path
            assert "atelier_" not in calls.get(f"{proxy.https}/{inner}").text


def test_a_person_works_as_without_it(proxy: Proxy, site: Site, browser: Browser) -> None:
    """Sign-up, sign-in, a page that is alive through its websocket, sign-out: with cookies that only TLS carries."""
    context = browser.new_context(
        base_url=proxy.https, ignore_https_errors=True, viewport={"width": 1280, "height": 900}
    )
    page, email = context.new_page(), f"{uuid4().hex[:12]}@example.test"
    with client(proxy) as calls:
        form = {"email": email, "password": PASSWORD, "full_name": "Ida Berg"}
        assert calls.post(f"{proxy.https}/session/signup", data=form).status_code == 303
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        connection.execute(
            "update public.profiles set is_approved = true, approved_at = now() where email = %s", (email,)
        )
    go(page, "/credits")
    page.get_by_role("textbox", name="Work email").fill(email)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{proxy.https}/credits")
    settle(page)
    expect(page.get_by_role("heading", name="Credits", level=1)).to_be_visible()
    cookie = next(cookie for cookie in context.cookies() if cookie["name"] == "__Host-atelier_session")
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    page.get_by_role("link", name="Generate").first.click()  # over the websocket, without loading the page anew
    expect(page.get_by_role("textbox", name="Prompt")).to_be_visible()
    page.reload()
    page.wait_for_selector(IDLE)
    expect(page.get_by_role("textbox", name="Prompt")).to_be_visible()
    context.close()


def test_webhooks_arrive_byte_for_byte(proxy: Proxy, site: Site) -> None:
    secret = site.environment["STRIPE_WEBHOOK_SECRET"].partition(",")[0]
    event = {
        "id": f"evt_{uuid4().hex}",
        "object": "event",
        "type": "payment_intent.created",
        "created": int(time.time()),
        "livemode": False,
        "data": {"object": {"id": "pi_1", "object": "payment_intent", "note": "é " * 200_000}},
    }
    payload = json.dumps(event, ensure_ascii=False, indent=1)
    header = stripe.WebhookSignature.generate_signature_header(payload, secret)
    with client(proxy) as calls:
        url = f"{proxy.https}/webhooks/stripe"
        signed = calls.post(
            url, content=payload.encode(), headers={"Stripe-Signature": header, "Content-Type": "application/json"}
        )
        assert signed.status_code == 200, signed.text
        unsigned = calls.post(url, content=b"{}", headers={"Content-Type": "application/json"})
        assert unsigned.status_code in (400, 401)
        fal = calls.post(
            f"{proxy.https}/webhooks/fal?job={uuid4()}&token=no",
            content=b"{}",
            headers={"Content-Type": "application/json"},
        )
        assert fal.status_code == 401
        huge = calls.post(url, content=b" " * 10_000_000, headers={"Content-Type": "application/json"})
        assert huge.status_code == 413


def test_what_is_secret_in_an_address_is_in_no_log(proxy: Proxy) -> None:
    """The token of a webhook or a mail, a code of single sign-on, what somebody looks for: they stand in the query."""
    secret = uuid4().hex
    with client(proxy) as calls:
        calls.post(f"{proxy.https}/webhooks/fal?job={uuid4()}&token={secret}", content=b"{}")
        calls.get(f"{proxy.https}/session/sso/callback?code={secret}&state={secret}", headers={"Referer": f"x{secret}"})
        calls.get(f"{proxy.https}/password?token_hash={secret}&type=recovery")
        calls.get(f"{proxy.http}/jobs?text={secret}")
        calls.get(f"{proxy.https}/last")
    deadline = time.monotonic() + SECONDS
    while '"GET /last' not in (told := proxy.log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    assert '"POST /webhooks/fal HTTP/1.1" 401' in told
    assert secret not in told + (proxy.log.parent / "error.log").read_text(encoding="utf-8")


def test_the_visitors_address_is_believed_from_the_proxy_only(proxy: Proxy, site: Site) -> None:
    email = f"{uuid4().hex[:12]}@example.test"
    with client(proxy, "127.0.0.2") as calls:
        form = {"email": email, "password": PASSWORD, "full_name": "Ida Berg"}
        assert calls.post(f"{proxy.https}/session/signup", data=form).status_code == 303
        lie = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
        signed_in = calls.post(f"{proxy.https}/session/login", data=form, headers=lie)
        assert "atelier_session" in signed_in.headers.get("set-cookie", ""), signed_in.headers
    with psycopg.connect(site.database_url) as connection:
        rows = connection.execute(
            "select s.address from private.app_sessions s join public.profiles p using (user_id) where p.email = %s",
            (email,),
        ).fetchall()
    assert rows == [("127.0.0.2",)]
