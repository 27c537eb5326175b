"""Any life of people, jobs and money, also at once and with crashes: after each step the books are what a few lines of
Python say (`tests/database/model`), and the audit is empty.

`make nightly` takes many thousand steps, other ones every time.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from itertools import permutations
from random import Random

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from local.postgres import Postgres
from tests.database.books import connect, opened
from tests.database.model.cast import PEOPLE, Cast, Deed
from tests.database.model.hands import CRASHED, Hands
from tests.database.model.money_deeds import DEEDS
from tests.database.model.truth import HISTORY, Truth, different, expected
from tests.database.model.world import MOST_OPEN, Person, World

CREDITS = 8  # that everybody begins with: few enough to run out

# What is done, and how often.
WEIGHTS = dict.fromkeys(DEEDS, 2)
WEIGHTS |= {"create": 6, "retry": 3, "begin": 6, "accept": 6, "webhook": 8, "poll": 8, "cancel": 4}
WEIGHTS |= {"cost": 4, "cost_again": 4}
WEIGHTS |= {"order": 3, "checkout": 8, "look_at_checkout": 3, "refund": 6, "dispute": 6, "cap": 5, "grant": 3}
WEIGHTS |= dict.fromkeys(("activity", "metering", "lock"), 1)
# What is done to the same thing at the same moment.
RACES = (
    ("create", "create"),
    ("create", "create", "cap"),
    ("create", "create", "balance"),
    ("create", "grant"),
    ("create_again", "create_again"),
    ("create", "webhook"),
    ("begin", "begin"),
    ("begin", "cancel"),
    ("unsent", "cancel"),
    ("accept", "webhook"),
    ("webhook", "webhook"),
    ("webhook", "poll", "close"),
    ("poll", "poll"),
    ("poll", "cancel"),
    ("not_confirmed", "webhook"),
    ("replay", "poll"),
    ("cost", "poll"),
    ("cost", "cost"),
    ("cost", "cost_again"),
    ("cost_again", "cost_again"),
    ("retry", "retry"),
    ("retry_many", "retry_many"),
    ("retry_many", "retry", "poll"),
    ("found", "webhook"),
    ("found", "accept", "not_confirmed"),
    ("order", "order"),
    ("checkout", "look_at_checkout"),
    ("checkout", "refund"),
    ("checkout", "checkout", "dispute"),
    ("refund", "refund"),
    ("refund", "dispute"),
    ("dispute", "dispute"),
    ("refund", "create"),
    ("dispute", "webhook"),
    ("grant", "grant"),
    ("waive", "waive"),
)
# What must come before a deed to which there is nothing yet.
BEFORE = dict.fromkeys(("refuse", "poll", "not_confirmed"), "begin")
BEFORE |= dict.fromkeys(("attach", "checkout", "look_at_checkout", "refund", "dispute"), "order")
BEFORE |= {"replay": "webhook", "order": "grant"}
Recipe = tuple[str, int, int]

STEPS: Counter[str] = Counter()
OUTCOMES: Counter[str] = Counter()

# The bounded set is told where it fails, and not made shorter: that would take minutes.
settings.register_profile(
    "bounded", max_examples=14, stateful_step_count=60, derandomize=True, database=None, phases=[Phase.generate]
)
settings.register_profile("nightly", max_examples=400, stateful_step_count=60, print_blob=True)


class Lives(RuleBasedStateMachine):
    """Nothing that is drawn depends on the books, whose state after a race is not known beforehand."""

    new_database: Callable[[], str]
    drop_database: Callable[[str], None]

    @initialize(blocks=st.booleans())
    def begin(self, blocks: bool) -> None:
        self.url = self.new_database()
        self.ending = ExitStack()
        self.ending.callback(self.drop_database, self.url.rpartition("/")[2])
        self.books = self.ending.enter_context(opened(self.url))
        self.books.owner.execute("update private.team_settings set max_open_jobs = %s", (MOST_OPEN,))
        self.cast = Cast(self.books, {name: self.books.person(CREDITS) for name in PEOPLE})
        self.truth = Truth(self.books, self.cast, self.ending.enter_context(connect(self.url)))
        self.hands = Hands(self.url, self.books.owner, self.books.threads)
        self.ending.callback(self.hands.close)
        self.world = World({name: Person() for name in PEOPLE})
        for person in self.world.people.values():
            person.account.available = CREDITS
        self.steps = 0
        self.story: list[str] = []
        # Something of every kind to begin with: a job that is new, one on its way, one at fal.ai; an order for each.
        for name, a, b in (("create", 0, 0), ("create", 6, 1), ("begin", 0, 0), ("create", 6, 0), ("begin", 0, 0)):
            self.do(self.deed((name, a, b)))
        for name, a, b in (("accept", 0, 0), ("order", 0, 0), ("order", 6, 2), ("attach", 0, 0)):
            self.do(self.deed((name, a, b)))
        if blocks:
            self.do(self.deed(("blocking", 0, 1)))
            self.do(self.deed(("balance", 0, 3)))
        self.check()

    def teardown(self) -> None:
        if hasattr(self, "ending"):
            self.ending.close()

    # Steps

    @rule(seed=st.integers(0, 2**32))
    def step(self, seed: int) -> None:
        """Anything, chosen by chance and not by Hypothesis, whose taste for repetition leads nowhere deep. It still
        takes steps away from a story that fails, until every one of them is needed."""
        self.chance = Random(f"{seed} {self.steps}")
        self.steps += 1
        ways = (self.alone, self.twice, self.at_once, self.die, self.rewrite)
        self.story.append("")
        try:
            self.chance.choices(ways, weights=(8, 3, 12, 4, 1))[0]()
            self.check()
        except AssertionError as error:
            # What ran at once does not come out the same again, so the story is told where it went wrong.
            raise AssertionError("\n".join([*self.story, str(error)])) from error

    def recipe(self, name: str | None = None, a: int | None = None) -> Recipe:
        """What to do, and two numbers that say to what and how."""
        chosen = self.chance.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
        return name or chosen, self.chance.randrange(96) if a is None else a, self.chance.randrange(420)

    def deed(self, recipe: Recipe) -> Deed:
        """What a recipe means now; while there is nothing to which it could be done, what must come before it."""
        name, a, b = recipe
        while (deed := DEEDS[name](self.cast, self.world, a, b)) is None:
            name = BEFORE.get(name, "create")
        return deed

    def do(self, deed: Deed) -> None:
        self.saw(deed, outcome := self.hands.do(deed))
        assert (deed.name, outcome) == (deed.name, deed.expect(self.world))

    def saw(self, deed: Deed, outcome: str, how: str = "") -> None:
        self.story.append(f"{deed.name}: {outcome}{how}")
        OUTCOMES[f"{deed.function}: {outcome}"] += 1

    def alone(self) -> None:
        STEPS["alone"] += 1
        self.do(self.deed(self.recipe()))

    def twice(self) -> None:
        """An answer was lost, so it is asked again."""
        STEPS["twice"] += 1
        deed = self.deed(self.recipe())
        self.do(deed)
        self.do(deed)

    def die(self) -> None:
        """A transaction ends in the middle while another one waits for what it holds: as if it had never been."""
        STEPS["crashed"] += 1
        deed, other = (self.deed(recipe) for recipe in self.related()[:2])
        outcome = self.hands.die(deed, other, by_rollback=self.chance.random() < 0.3)
        self.story.append(f"{deed.name}: never was")
        self.saw(other, outcome)
        assert outcome == other.expect(self.world)

    def rewrite(self) -> None:
        """I4: nobody can change the history, the owner of its tables included."""
        STEPS["rewriting"] += 1
        table = self.chance.choice(HISTORY)
        what = self.chance.choice(("update {} set created_at = now()", "delete from {}", "truncate {} cascade"))
        if self.books.value(f"select count(*) from {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                self.books.owner.execute(what.format(table).encode())

    def related(self) -> list[Recipe]:
        """Two or three deeds, mostly about the same thing."""
        if self.chance.random() < 0.3:
            return [self.recipe() for _ in range(self.chance.randint(2, 3))]
        # Numbers that six divides mean the same thing in every recipe.
        a = 6 * self.chance.randrange(4)
        return [self.recipe(name, a) for name in self.chance.choice(RACES)]

    def at_once(self) -> None:
        """Several at once come out as in some order one after the other, a crashed one done wholly or not at all."""
        deeds = [self.deed(recipe) for recipe in self.related()]
        victim = self.chance.randrange(len(deeds)) if self.chance.random() < 0.25 else None
        STEPS["at once" if victim is None else "at once with a crash"] += 1
        outcomes = self.hands.at_once(deeds, victim)
        pairs = list(zip(deeds, outcomes, strict=True))
        for deed, outcome in pairs:
            self.saw(deed, outcome, " (at once)")
        real = self.truth.picture()
        orders = [list(order) for order in permutations(pairs)]
        if CRASHED in outcomes:
            orders += [[pair for pair in order if pair[1] != CRASHED] for order in orders]
        failures = []
        for order in orders:
            world = deepcopy(self.world)
            foretold = [deed.expect(world) for deed, _ in order]
            wrong = [
                f"{deed.name}: {told}, not {fore}"
                for (deed, told), fore in zip(order, foretold, strict=True)
                if told not in (fore, CRASHED)
            ]
            wrong += different(real, expected(world))
            if not wrong:
                self.world = world
                return
            failures.append(f"after {[deed.name for deed, _ in order]}: {wrong}")
        raise AssertionError("\n".join(["no order of these deeds leads here", *failures]))

    def check(self) -> None:
        """I1 to I8, after each step."""
        assert self.books.audit() == []
        assert different(self.truth.picture(), expected(self.world)) == []
        self.truth.tell_times(self.world)
        self.truth.check_history()
        self.truth.check_sight(PEOPLE[self.steps % len(PEOPLE)])
        # fal.ai's lock opens by itself after a while; here it waits for somebody.
        self.books.owner.execute("update private.provider_state set probe_at = 'infinity' where locked_at is not null")


@pytest.fixture
def machine(postgres: Postgres, new_database: Callable[[], str]) -> type[Lives]:
    class OwnLives(Lives):
        pass

    OwnLives.new_database = staticmethod(new_database)
    OwnLives.drop_database = staticmethod(postgres.drop_database)
    return OwnLives


def test_any_life_of_people_jobs_and_money_leaves_the_books_in_balance(machine: type[Lives]) -> None:
    profile = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "bounded"))
    run_state_machine_as_test(
        machine,
        settings=settings(profile, deadline=None, suppress_health_check=list(HealthCheck)),
    )
    print(f"steps: {STEPS}")
    print("\n".join(f"{n:5} {o}" for o, n in sorted(OUTCOMES.items())))
    assert min(STEPS.values()) > 10
