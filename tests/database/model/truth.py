"""What the database says, in the shape of the world; and what must hold whatever was done."""

from dataclasses import dataclass, field
from typing import Any

from tests.database.books import Books, Connection, Row, become
from tests.database.model.cast import Cast
from tests.database.model.world import World

HISTORY = ("credit_entries", "generation_logs", "budget_snapshots", "admin_actions")
OWNED = (
    "credit_accounts",
    "credit_entries",
    "generation_jobs",
    "generation_logs",
    "job_outputs",
    "spend_daily",
    "credit_purchases",
    "payment_refunds",
    "payment_disputes",
)

Picture = dict[str, dict[str, Any]]


def expected(world: World) -> Picture:
    """The world as one picture, to be compared with that of the database."""
    return {
        "accounts": {
            name: (p.account.available, p.account.held, p.account.frozen, p.account.owed)
            for name, p in world.people.items()
        },
        "jobs": {
            key: {
                "person": job.person,
                "retried as": job.retried_as,
                "state": (job.status, job.is_late, job.is_begun, job.is_known, job.is_unwanted),
                "credits": (job.credits, job.credits if job.status == "completed" else 0),
                "usd": (job.estimate, job.spent, job.cost),
                "entries": _entries(job.credits, job.status, job.is_open),
            }
            for key, job in world.jobs.items()
        },
        "purchases": {
            key: (p.person, p.status, p.is_attached, p.has_intent, p.granted, p.taken, p.frozen, p.is_disputed)
            for key, p in world.payments.purchases.items()
        },
        "back": {
            name: (back.cents, back.standing, back.is_applied)
            for purchase in world.payments.purchases.values()
            for name, back in (purchase.refunds | purchase.disputes).items()
        },
        "spent": {name: sum(job.spent for job in world.jobs_of(name)) for name in world.people},
        "limits": {name: (p.cap, p.is_active, p.is_unmetered) for name, p in world.people.items()},
        "team": {"balance": world.balance, "blocks": world.blocks_at_zero, "locked": world.is_locked},
        "calls": dict(world.calls),
        "once": dict.fromkeys([*world.payments.events, *world.keys], True),
    }


def different(real: Picture, wanted: Picture) -> list[str]:
    """Where two pictures differ, in words."""
    return [
        f"{theme} {name}: {real[theme].get(name)}, not {wanted[theme].get(name)}"
        for theme in real
        for name in sorted(real[theme].keys() | wanted[theme].keys(), key=str)
        if real[theme].get(name) != wanted[theme].get(name)
    ]


def _entries(credits: int, status: str, is_open: bool) -> list[str]:
    """I2: every hold ends in exactly one capture or release, and an open job keeps it (I5)."""
    if not credits:
        return []
    return ["hold"] + ([] if is_open else ["capture" if status == "completed" else "release"])


@dataclass
class Truth:
    books: Books
    cast: Cast
    viewer: Connection  # becomes this person and that
    seen: dict[str, tuple[int, str]] = field(default_factory=dict)  # history so far: its last id, its fingerprint

    def picture(self) -> Picture:
        cast, rows = self.cast, self.books.all
        cast.look_up_retries()
        people = {user: name for name, user in cast.people.items()}
        jobs = {job: key for key, job in cast.jobs.items()}
        orders = {order.id: key for key, order in cast.orders.items()}
        profiles = {row["user_id"]: row for row in rows("select * from profiles") if row["user_id"] in people}
        spent = rows("select user_id, spent_usd from spend_daily")
        return {
            "accounts": {
                people[a["user_id"]]: (a["available"], a["held"], a["frozen"], a["owed"])
                for a in rows("select * from credit_accounts")
                if a["user_id"] in people
            },
            "jobs": {
                jobs[j["id"]]: {
                    "person": people[j["user_id"]],
                    "retried as": j["retried_as"] and jobs[j["retried_as"]],
                    "state": (
                        j["status"],
                        j["is_late"],
                        j["submit_attempted_at"] is not None,
                        j["fal_request_id"] is not None,
                        j["cancel_requested_at"] is not None,
                    ),
                    "credits": (j["credits_held"], j["credits_charged"]),
                    "usd": (j["estimated_usd"], j["spent_usd"], j["cost_source"]),
                    "entries": j["entries"],
                }
                for j in rows(
                    "select *, array(select kind from credit_entries e where e.job_id = j.id order by id) as entries"
                    " from generation_jobs j"
                )
            },
            "purchases": {
                orders[p["id"]]: (
                    people[p["user_id"]],
                    p["status"],
                    p["stripe_session_id"] is not None,
                    p["payment_intent_id"] is not None,
                    p["granted_credits"],
                    p["taken_credits"],
                    p["frozen_credits"],
                    p["is_disputed"],
                )
                for p in rows("select * from credit_purchases")
            },
            "back": {
                row["name"]: (row["amount_cents"], row["standing"], row["is_applied"])
                for row in rows(
                    "select refund_id as name, amount_cents, status as standing, is_applied from payment_refunds"
                    " union all select dispute_id, amount_cents, standing, is_applied from payment_disputes"
                )
            },
            "spent": {
                name: sum(row["spent_usd"] for row in spent if row["user_id"] == user) for user, name in people.items()
            },
            "limits": {
                name: tuple(profiles[user][column] for column in ("monthly_cap_usd", "is_active", "is_unmetered"))
                for user, name in people.items()
            },
            "team": self.books.one(
                "select block_at_zero as blocks,"
                " (select amount_usd from budget_snapshots where scope = 'team' order by id desc limit 1) as balance,"
                " (select locked_at is not null from private.provider_state where provider = 'fal') as locked"
                " from private.team_settings"
            ),
            "calls": {
                (jobs[row["job_id"]], row["event_type"]): (row["status"], row["attempts"])
                for row in rows("select * from webhook_events where provider = 'fal'")
            },
            "once": {
                row["key"]: True
                for row in rows(
                    "select substr(event_key, 8) as key from webhook_events where provider = 'stripe'"
                    " union all select substr(idempotency_key, strpos(idempotency_key, ':') + 1) from credit_entries"
                    " where idempotency_key ~ '^(grant|waiver):'"
                )
            },
        }

    def tell_times(self, world: World) -> None:
        """Which moment came first is for the database to say: of the deeds that ran at once, nobody else knows."""
        counts = self.books.all(
            "select j.id, j.billed_at is null or coalesce(j.billed_at >= (select created_at from budget_snapshots"
            " where scope = 'team' order by id desc limit 1), true) as counts from generation_jobs j"
        )
        jobs = {job: key for key, job in self.cast.jobs.items()}
        for row in counts:
            world.jobs[jobs[row["id"]]].counts = row["counts"]
        orders = {order.id: key for key, order in self.cast.orders.items()}
        for place, row in enumerate(self.books.all("select id from credit_purchases order by created_at, id")):
            world.payments.purchases[orders[row["id"]]].order = place

    # Whatever was done

    def check_history(self) -> None:
        """I4: what was in the history is in it still, to the last letter."""
        for table in HISTORY:
            last, fingerprint = self.seen.get(table, (0, ""))
            if fingerprint:
                assert self._fingerprint(table, last) == fingerprint, f"{table} was rewritten"
            last = self.books.value(f"select coalesce(max(id), 0) from {table}")
            self.seen[table] = last, self._fingerprint(table, last)

    def _fingerprint(self, table: str, last: int) -> str:
        query = f"select coalesce(md5(string_agg(t::text, '|' order by id)), '-') from {table} t where id <= %s"
        return str(self.books.value(query, last))

    def check_sight(self, name: str) -> None:
        """I8: a person sees every row of theirs and none of anybody else's; nobody signed in sees nothing."""
        user = self.cast.people[name]
        theirs = " union all ".join(
            f"select '{table}' as name, count(*) filter (where user_id = %(me)s) as own,"
            f" count(*) filter (where user_id is distinct from %(me)s) as foreign_rows from {table}"
            for table in OWNED
        )
        there: list[Row] = self.books.owner.execute(theirs.encode(), {"me": user}).fetchall()
        with self.viewer.transaction(force_rollback=True):
            become(self.viewer, user)
            seen = self.viewer.execute(theirs.encode(), {"me": user}).fetchall()
        assert seen == [row | {"foreign_rows": 0} for row in there]
