"""Supabase Lite behaves as Supabase where we rely on it. Most of this needs the cures of `supabase/lite.mjs`, so a Lite
that changes is noticed here."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import psycopg
import pytest
from postgrest.exceptions import APIError
from psycopg import sql
from storage3.exceptions import StorageApiError
from supabase_auth.errors import AuthApiError

from local import supabase
from local.ports import free_port
from local.secrets import Secrets
from supabase import Client, ClientOptions, create_client
from tests.conftest import SupabaseStack
from tests.integration import mails
from tests.integration.conftest import Somebody

NewPerson = Callable[[], Somebody]

FUNCTIONS = """
create function public.probe_json(argument jsonb) returns text language sql as $$ select jsonb_typeof(argument) $$;
create function public.probe_both(first json, second jsonb) returns jsonb language sql
    as $$ select jsonb_build_object('first', first -> 'a', 'second', second -> 1) $$;
create function public.probe_payment() returns void language plpgsql as $$
begin
    raise sqlstate 'PT402' using message = 'Too few credits', detail = '{"needed": 5}', hint = 'INSUFFICIENT_CREDITS';
end $$;
create function public.probe_user() returns uuid language sql as $$ select auth.uid() $$;
create table public.probe_notes (id int primary key, owner uuid not null, body text);
alter table public.probe_notes enable row level security;
create policy own on public.probe_notes for select to authenticated using (owner = (select auth.uid()));
grant select on public.probe_notes to authenticated;
grant select, insert on public.probe_notes to service_role;
grant execute on function public.probe_json, public.probe_both, public.probe_payment to service_role;
grant execute on function public.probe_user to authenticated;
"""


@pytest.fixture(scope="module")
def probed(
    secrets: Secrets, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[supabase.Lite]:
    """A Supabase of this file, whose database has a few functions and a table beyond ours."""
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FUNCTIONS)
    folder = tmp_path_factory.mktemp("probed")
    keys = supabase.Keys(secrets.publishable_key, secrets.secret_key, secrets.jwt_secret)
    server = supabase.Lite(folder, free_port(), url, keys, folder / "supabase.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()


def client_of(server: supabase.Lite, key: str, http: httpx.Client) -> Client:
    return create_client(server.url, key, ClientOptions(auto_refresh_token=False, httpx_client=http))


@pytest.fixture
def secret_client(probed: supabase.Lite, http: httpx.Client) -> Client:
    return client_of(probed, probed.keys.secret, http)


@pytest.fixture
def person_client(probed: supabase.Lite, http: httpx.Client) -> Client:
    """Somebody new who is signed in."""
    client = client_of(probed, probed.keys.publishable, http)
    client.auth.sign_up({"email": f"{uuid4().hex}@example.test", "password": uuid4().hex})
    return client


class TestFunctions:
    @pytest.mark.parametrize(
        ("argument", "kind"), [({"a": 1}, "object"), ([1, {"b": None}], "array"), ({"text": '{"a": 1}'}, "object")]
    )
    def test_a_json_argument_arrives_as_what_it_is(self, secret_client: Client, argument: object, kind: str) -> None:
        assert secret_client.rpc("probe_json", {"argument": argument}).execute().data == kind

    def test_json_and_jsonb_side_by_side(self, secret_client: Client) -> None:
        answer = secret_client.rpc("probe_both", {"first": {"a": {"b": "c"}}, "second": [1, {"d": None}]}).execute()
        assert answer.data == {"first": {"b": "c"}, "second": {"d": None}}

    def test_an_error_keeps_status_code_message_details_and_hint(
        self, secret_client: Client, probed: supabase.Lite, http: httpx.Client
    ) -> None:
        with pytest.raises(APIError) as caught:
            secret_client.rpc("probe_payment", {}).execute()
        error = caught.value
        assert (error.code, error.message) == ("PT402", "Too few credits")
        assert (error.details, error.hint) == ('{"needed": 5}', "INSUFFICIENT_CREDITS")
        answer = http.post(f"{probed.url}/rest/v1/rpc/probe_payment", headers={"apikey": probed.keys.secret}, json={})
        assert answer.status_code == 402

    def test_a_function_knows_who_calls(self, person_client: Client) -> None:
        user = person_client.auth.get_user()
        assert user is not None
        assert person_client.rpc("probe_user", {}).execute().data == user.user.id


class TestGrants:
    def test_serving_requests_grants_nothing(self, probed: supabase.Lite, person_client: Client) -> None:
        """Uncured, the first request would grant ALL on every table of every schema with row level security."""
        person_client.table("probe_notes").select("*").execute()
        with psycopg.connect(probed.database_url) as connection:
            granted = connection.execute(
                "select grantee, privilege_type from information_schema.role_table_grants"
                " where table_schema = 'public' and table_name = 'probe_notes' and grantee <> 'postgres'"
            ).fetchall()
        expected = {("authenticated", "SELECT"), ("service_role", "SELECT"), ("service_role", "INSERT")}
        assert set(granted) == expected

    def test_what_is_not_granted_is_refused(self, person_client: Client) -> None:
        with pytest.raises(APIError) as caught:
            person_client.table("probe_notes").insert({"id": 1, "owner": str(uuid4())}).execute()
        assert caught.value.code == "42501"

    def test_row_level_security_decides(self, person_client: Client, secret_client: Client) -> None:
        user = person_client.auth.get_user()
        assert user is not None
        mine = {"id": 100, "owner": user.user.id, "body": "mine"}
        secret_client.table("probe_notes").insert([mine, {"id": 101, "owner": str(uuid4())}]).execute()
        assert person_client.table("probe_notes").select("*").execute().data == [mine]
        seen = secret_client.table("probe_notes").select("id").in_("id", [100, 101]).execute().data
        assert len(seen) == 2


class TestNobody:
    """Without a key nothing is answered, and `anon` may do nothing."""

    @pytest.mark.parametrize("path", ["/rest/v1/profiles", "/rest/v1/", "/auth/v1/user", "/auth/v1/settings"])
    def test_no_key_no_answer(self, supabase_stack: SupabaseStack, http: httpx.Client, path: str) -> None:
        assert http.get(supabase_stack.url + path).status_code == 401

    def test_a_made_up_key_is_refused(self, supabase_stack: SupabaseStack, http: httpx.Client) -> None:
        headers = {"apikey": supabase_stack.secret_key[:-1] + "x"}
        assert http.get(f"{supabase_stack.url}/rest/v1/profiles", headers=headers).status_code == 401

    def test_no_key_sees_no_bucket_and_stores_nothing(self, supabase_stack: SupabaseStack, http: httpx.Client) -> None:
        assert http.get(f"{supabase_stack.url}/storage/v1/bucket").json() == []
        assert http.post(f"{supabase_stack.url}/storage/v1/object/media/a.txt", content=b"a").status_code in (400, 403)

    def test_anon_reads_no_table_and_calls_no_function(self, anonymous: Client, supabase_stack: SupabaseStack) -> None:
        with psycopg.connect(supabase_stack.database_url) as connection:
            tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
            functions = connection.execute(
                "select p.oid::regprocedure::text from pg_proc p"
                " where p.pronamespace = 'public'::regnamespace and has_function_privilege('anon', p.oid, 'execute')"
            ).fetchall()
        assert tables
        assert functions == []
        for (table,) in tables:
            with pytest.raises(APIError) as caught:
                anonymous.table(table).select("*").limit(1).execute()
            assert caught.value.code == "42501", table


class TestSigningIn:
    def test_times_are_parsed(self, new_person: NewPerson) -> None:
        person = new_person()
        found = person.client.auth.get_user()
        assert found is not None
        assert abs(datetime.now(UTC) - found.user.created_at) < timedelta(minutes=5)
        assert found.user.last_sign_in_at is not None

    def test_a_new_person_gets_a_profile(self, new_person: NewPerson) -> None:
        """The trigger on auth.users."""
        person = new_person()
        rows = person.client.table("profiles").select("email, full_name, role, is_approved").execute().data
        assert rows == [{"email": person.email, "full_name": "Some Body", "role": "user", "is_approved": False}]

    def test_a_refresh_token_works_once(self, new_person: NewPerson, anonymous: Client) -> None:
        person = new_person()
        session = person.client.auth.get_session()
        assert session is not None
        refreshed = anonymous.auth.refresh_session(session.refresh_token).session
        assert refreshed is not None
        assert refreshed.refresh_token != session.refresh_token
        assert refreshed.user.id == str(person.user_id)

    def test_a_wrong_password_is_refused(self, new_person: NewPerson, anonymous: Client) -> None:
        person = new_person()
        with pytest.raises(AuthApiError):
            anonymous.auth.sign_in_with_password({"email": person.email, "password": "wrong password"})


class TestMails:
    def test_a_forgotten_password_is_mailed_as_a_link_to_a_page_of_ours(
        self, new_person: NewPerson, anonymous: Client, supabase_stack: SupabaseStack
    ) -> None:
        """By the template in supabase/templates; the mail is on the page of the mails and in the log."""
        person = new_person()
        anonymous.auth.reset_password_for_email(person.email)
        link = mails.link_to(supabase_stack.url, person.email)
        assert (link.path, link.params["type"]) == ("/password", "recovery")
        log = supabase_stack.log.read_text(encoding="utf-8")
        assert str(link) in log[log.rindex(f"To: {person.email}") :]
        used = {"token_hash": link.params["token_hash"], "type": "recovery"}
        user = anonymous.auth.verify_otp(used).user
        assert user is not None
        assert user.id == str(person.user_id)
        anonymous.auth.update_user({"password": "quite another password"})
        with pytest.raises(AuthApiError) as same:
            anonymous.auth.update_user({"password": "quite another password"})
        with pytest.raises(AuthApiError) as again:
            anonymous.auth.verify_otp(used)
        assert (same.value.code, again.value.code) == ("same_password", "otp_expired")

    def test_a_token_of_type_email_is_taken(
        self, new_person: NewPerson, anonymous: Client, supabase_stack: SupabaseStack
    ) -> None:
        """Of a magic link here; of a confirmation in tests/integration/test_proved_addresses.py."""
        person = new_person()
        anonymous.auth.sign_in_with_otp({"email": person.email})
        used = {"token_hash": mails.link_to(supabase_stack.url, person.email).params["token"], "type": "email"}
        user = anonymous.auth.verify_otp(used).user
        assert user is not None
        assert user.id == str(person.user_id)
        with pytest.raises(AuthApiError) as again:
            anonymous.auth.verify_otp(used)
        assert again.value.code == "otp_expired"

    def test_what_stands_in_a_mail_stays_text_and_only_this_machine_reads_it(
        self, anonymous: Client, supabase_stack: SupabaseStack, http: httpx.Client
    ) -> None:
        email = f"{uuid4().hex}<b>@example.test"
        anonymous.auth.sign_in_with_otp({"email": email})
        page = mails.page(supabase_stack.url)
        assert email not in page
        assert email.replace("<b>", "&lt;b>") in page
        rebound = http.get(f"{supabase_stack.url}/_sim/mails", headers={"Host": "evil.test"})
        assert email.partition("<")[0] not in rebound.text
        assert "access-control-allow-origin" not in http.get(f"{supabase_stack.url}/_sim/mails").headers


class TestStorage:
    @pytest.fixture
    def bucket(self, service: Client) -> str:
        name = f"probe-{uuid4().hex[:8]}"
        service.storage.create_bucket(name, options={"public": False})
        return name

    def test_upload_download_list_remove(self, service: Client, bucket: str) -> None:
        files = service.storage.from_(bucket)
        files.upload("a/b.bin", bytes(range(256)), {"content-type": "application/octet-stream"})
        assert files.download("a/b.bin") == bytes(range(256))
        assert len(files.list("a")) == 1
        files.remove(["a/b.bin"])
        assert files.list("a") == []
        with pytest.raises(StorageApiError):
            files.download("a/b.bin")

    def test_a_file_of_json_comes_back_byte_for_byte(self, service: Client, bucket: str) -> None:
        """The cures rewrite answers, never files."""
        text = b'{"at":"2026-11-20 20:49:57.898+00","signedUrl":"/storage/v1/x"}'
        service.storage.from_(bucket).upload("a.json", text, {"content-type": "application/json"})
        assert service.storage.from_(bucket).download("a.json") == text

    def test_a_signed_address_needs_no_key(self, service: Client, bucket: str, http: httpx.Client) -> None:
        service.storage.from_(bucket).upload("a.txt", b"signed", {"content-type": "text/plain"})
        signed = service.storage.from_(bucket).create_signed_url("a.txt", 60)["signedURL"]
        answer = http.get(signed)
        assert (answer.status_code, answer.content) == (200, b"signed")
        assert answer.headers["content-type"].startswith("text/plain")
        assert http.get(signed[:-4] + "AAAA").is_error

    def test_many_signed_addresses_at_once(self, service: Client, bucket: str, http: httpx.Client) -> None:
        for name in ("a b.txt", "c/d.txt"):
            service.storage.from_(bucket).upload(name, name.encode(), {"content-type": "text/plain"})
        signed = service.storage.from_(bucket).create_signed_urls(["a b.txt", "c/d.txt"], 60)
        assert [http.get(one["signedURL"]).text for one in signed] == ["a b.txt", "c/d.txt"]
        assert [(one["path"], one["error"]) for one in signed] == [("a b.txt", None), ("c/d.txt", None)]

    def test_a_missing_file_does_not_spoil_the_others(self, service: Client, bucket: str) -> None:
        service.storage.from_(bucket).upload("a.txt", b"a", {"content-type": "text/plain"})
        there, missing = service.storage.from_(bucket).create_signed_urls(["a.txt", "b.txt"], 60)
        assert there["signedURL"]
        assert (missing["signedURL"], missing["path"]) == (None, "b.txt")
        assert missing["error"]

    @pytest.mark.parametrize(
        ("wanted", "status", "content", "where"),
        [
            ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
            ("bytes=7-", 206, b"789", "bytes 7-9/10"),
            ("bytes=-2", 206, b"89", "bytes 8-9/10"),
            ("bytes=4-99", 206, b"456789", "bytes 4-9/10"),
            ("bytes=10-", 416, b"", "bytes */10"),
            ("bytes=0-1,3-4", 200, b"0123456789", None),
        ],
    )
    def test_a_player_may_ask_for_a_range(
        self, service: Client, bucket: str, http: httpx.Client, wanted: str, status: int, content: bytes, where: str
    ) -> None:
        service.storage.from_(bucket).upload("a.mp4", b"0123456789", {"content-type": "video/mp4"})
        signed = service.storage.from_(bucket).create_signed_url("a.mp4", 60)["signedURL"]
        answer = http.get(signed, headers={"Range": wanted})
        assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, content, where)

    def test_a_range_of_another_version_is_not_mixed_in(self, service: Client, bucket: str, http: httpx.Client) -> None:
        service.storage.from_(bucket).upload("a.mp4", b"0123456789", {"content-type": "video/mp4"})
        signed = service.storage.from_(bucket).create_signed_url("a.mp4", 60)["signedURL"]
        etag = http.get(signed).headers["etag"]
        same = http.get(signed, headers={"Range": "bytes=0-3", "If-Range": etag})
        other = http.get(signed, headers={"Range": "bytes=0-3", "If-Range": '"another"'})
        assert (same.status_code, other.status_code) == (206, 200)

    def test_policies_decide_who_reads_a_file(
        self, service: Client, bucket: str, new_person: NewPerson, anonymous: Client, supabase_stack: SupabaseStack
    ) -> None:
        owner, other = new_person(), new_person()
        path = f"{owner.user_id}/a.txt"
        service.storage.from_(bucket).upload(path, b"private", {"content-type": "text/plain"})
        with pytest.raises(StorageApiError):  # no policy for this bucket yet
            owner.client.storage.from_(bucket).download(path)
        with psycopg.connect(supabase_stack.database_url) as connection:
            connection.execute(
                sql.SQL(
                    "create policy {} on storage.objects for select to authenticated using"
                    " (bucket_id = {} and (storage.foldername(name))[1] = (select auth.uid())::text)"
                ).format(sql.Identifier(bucket), bucket)
            )
        assert owner.client.storage.from_(bucket).download(path) == b"private"
        assert owner.client.storage.from_(bucket).create_signed_url(path, 60)["signedURL"]
        for stranger in (other.client, anonymous):
            assert stranger.storage.from_(bucket).list(str(owner.user_id)) == []
            with pytest.raises(StorageApiError):
                stranger.storage.from_(bucket).download(path)
            with pytest.raises(StorageApiError):
                stranger.storage.from_(bucket).create_signed_url(path, 60)

    def test_only_the_service_writes(self, service: Client, bucket: str, new_person: NewPerson) -> None:
        person = new_person()
        path = f"{person.user_id}/a.txt"
        with pytest.raises(StorageApiError):
            person.client.storage.from_(bucket).upload(path, b"mine", {"content-type": "text/plain"})
        service.storage.from_(bucket).upload(path, b"kept", {"content-type": "text/plain"})
        person.client.storage.from_(bucket).remove([path])
        assert service.storage.from_(bucket).download(path) == b"kept"
