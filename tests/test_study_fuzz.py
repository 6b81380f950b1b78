"""The study's interface under generated requests: right and wrong by its own description, raw bytes, and any order."""

import json
from collections import Counter
from itertools import count

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from schemathesis import GenerationMode, checks
from sqlalchemy import update

from hlf.study.running.answers import Answer
from hlf.study.running.keeping import verify
from hlf.study.running.storage.tables import participant
from hlf.study.running.studies import set_status
from study_guest import BODIES, DEVICE, Site, paths
from study_people import Clock
from study_server import make_study

SMALL = {"trials": 12, "traps": 8, "people_quota": 8, "trap_rate": 4, "gt_gap": 1, "votes_per_pair": 1000}
PHASES = ("nobody", "before consent", "practice", "trials", "finished")
EXAMPLES = 6  # requests of each endpoint, phase and kind
CONFORMS = [
    checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]  # fmt: skip


def plainly(examples, **more):
    """Settings without chance and without a memory of earlier runs."""
    checked = list(HealthCheck)
    return settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=checked, **more
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    found = Site(make_study(tmp_path_factory.mktemp("fuzz"), **SMALL))
    found.code = found.invite()
    found.hash = found.guest("welcome").state()["consent"]["hash"]
    yield found
    assert found.storage.read(lambda c: verify(c, found.study.id)) == []


class Person:
    """Somebody new in a phase, made in the database: headers, and values that are really theirs."""

    def __init__(self, site, phase):
        platform, cookies, jar = site.platform, site.app.state.cookies, {}
        self.real = {"consent_hash": site.hash}
        if phase != "nobody":
            jar[cookies.visit_name] = cookies.new_visit({"invite": site.code, "recruit": None})
        if phase in PHASES[2:]:
            who, jar[cookies.person_name], self.real["code"] = platform.consent(site.hash, site.code, None, DEVICE)
            self._bring(site, who, phase)
        token = cookies.csrf(jar.get(cookies.person_name), jar.get(cookies.visit_name))
        self.headers = {"x-csrf-token": token, "cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}

    def _bring(self, site, who, phase):
        def put(**values):
            site.storage.write(lambda c: c.execute(update(participant).where(participant.c.id == who).values(values)))

        if phase == "practice":
            return
        put(passed=True)
        first, second = site.platform.next(who)[0][:2]
        site.platform.vote(who, Answer(first.assignment, 1, f"key-{who}", 900, 800, {}))
        self.real["assignment"] = second.assignment
        if phase == "finished":
            put(outcome="time", finished=site.platform.now())

    def fill(self, case):
        """Put what is theirs in the place of invented ids and codes."""
        for values in (case.path_parameters, case.body):
            if isinstance(values, dict):
                values.update({name: value for name, value in self.real.items() if name in values})


def storm(site, mode, judge, real):
    """Send generated requests to every endpoint in every phase; counts statuses by endpoint."""
    schema = schemathesis.openapi.from_dict(site.app.openapi())
    schema.app = site.app
    operations = [found.ok() for found in schema.get_all_operations()]
    described = [
        path for method in ("GET", "POST") for path in paths(site.app, method) if path[:5] in ("/api/", "/imag")
    ]
    assert len(operations) == len(described) >= 16
    if mode is GenerationMode.NEGATIVE:  # without input nothing can be wrong
        operations = [one for one in operations if one.body or one.path_parameters]
    counts = {one.label: Counter() for one in operations}
    for operation in operations:
        for phase in PHASES:
            breeze(site, operation, phase, mode, judge, real, counts[operation.label])
    return counts


def breeze(site, operation, phase, mode, judge, real, count):
    """Generated requests to one endpoint from people in one phase."""

    @plainly(EXAMPLES)
    @given(operation.as_strategy(generation_mode=mode), st.sampled_from(real))
    def send(case, theirs):
        person = Person(site, phase)
        if theirs:
            person.fill(case)
        answer = case.call(headers=person.headers)
        count[answer.status_code] += 1
        case.validate_response(answer, checks=judge, headers=person.headers)

    send()


def test_right_requests_are_answered_as_described(site):
    counts = storm(site, GenerationMode.POSITIVE, CONFORMS, real=[True, True, False])
    for label, found in counts.items():
        assert found[200] > 0, f"{label} never succeeded: {found}"
        assert not set(found) & {400, 413, 429}, f"{label}: {found}"
    assert sum(found[401] for found in counts.values()) > 50 and counts["POST /api/vote"][404] > 0


def test_wrong_requests_are_refused_as_described(site):
    before = {name: rows for name, rows in site.dump().items() if name in ("vote_event", "problem", "recruit")}
    counts = storm(site, GenerationMode.NEGATIVE, [*CONFORMS, checks.negative_data_rejection], real=[False])
    posts = {label: found for label, found in counts.items() if label.startswith("POST")}
    for label, found in posts.items():
        assert found[200] == 0 and found[422] + found[400] > 0.8 * found.total(), f"{label}: {found}"
    after = site.dump()
    assert after["problem"] == before["problem"] and after["recruit"] == before["recruit"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(["answer", "key", "code"]), inner)
    ),
    max_leaves=8,
)


def test_bytes_and_json_of_any_kind_do_no_harm(site):
    people = {phase: Person(site, phase) for phase in PHASES}
    sent = Counter()

    @plainly(250)
    @given(
        st.sampled_from([path for path in BODIES if path.startswith("/api/")]), st.sampled_from(PHASES),
        st.binary(max_size=300) | JSON, st.sampled_from(["application/json", "text/plain", "application/x+json", ""]),
    )  # fmt: skip
    def send(path, phase, content, kind):
        headers = {**people[phase].headers, "content-type": kind}
        answer = client.post(path, headers=headers, content=content if isinstance(content, bytes) else as_json(content))
        sent[answer.status_code] += 1
        assert answer.status_code < 500 and isinstance(answer.json(), dict)

    client = site.guest().client
    send()
    assert sent[422] + sent[400] > 150


def as_json(value):
    """JSON text, with NaN too, which its grammar lacks."""
    return json.dumps(value).encode()


class Visit(RuleBasedStateMachine):
    """A person who presses everything in any order, while time goes by and the owner opens and pauses."""

    site = None

    def __init__(self):
        super().__init__()
        self.clock = self.site.platform.clock
        self.me, self.trials, self.count = self.site.guest("consent"), [], 0
        self.key = f"{id(self)}-{self.site.number()}"

    def ask(self, path, body):
        found = self.me.send(path, body)
        assert found.status_code in (200, 401, 403, 404, 409, 503), (path, found.text)
        if found.status_code == 503:
            assert self.site.platform.state()[0] == "paused"
        return found.json() if found.status_code == 200 else None

    @initialize(ready=st.booleans())
    def arrive(self, ready):
        if ready:
            self.pass_the_practice()
            self.next()

    @rule(number=st.integers(1, 7), answer=st.integers(0, 1))
    def practise(self, number, answer):
        self.ask("/api/practice", {"number": number, "answer": answer})

    @rule()
    def pass_the_practice(self):
        for number, row in enumerate(self.site.platform.practice_pairs(), 1):
            self.ask("/api/practice", {"number": number, "answer": row.answer})

    @rule()
    def next(self):
        found = self.ask("/api/next", {})
        self.trials = (found["trials"] if found else []) + self.trials[:3]

    @precondition(lambda self: self.trials)
    @rule(which=st.integers(0, 5), answer=st.integers(0, 1), again=st.booleans())
    def vote(self, which, answer, again):
        self.count += not again
        body = {**BODIES["/api/vote"], "assignment": self.trials[which % len(self.trials)]["assignment"]}
        self.ask("/api/vote", {**body, "answer": answer, "key": f"{self.key}-{self.count}"})

    @rule(again=st.booleans())
    def undo(self, again):
        self.count += not again
        self.ask("/api/undo", {"key": f"{self.key}-{self.count}"})

    @precondition(lambda self: self.trials)
    @rule(which=st.integers(0, 5))
    def release(self, which):
        one = self.trials[which % len(self.trials)]["assignment"]
        self.ask("/api/release", {"assignment": one, "reason": "load_error"})

    @precondition(lambda self: self.trials)
    @rule(which=st.integers(0, 5))
    def look(self, which):
        assert self.me.get(self.trials[which % len(self.trials)]["a"]).status_code in (200, 401, 404)

    @rule(minutes=st.sampled_from([0, 1, 6, 45]), awake=st.booleans())
    def wait(self, minutes, awake):
        self.clock.pass_(minutes * 60_000)
        if awake:
            self.ask("/api/heartbeat", {})

    @rule()
    def come_back(self):
        found = self.ask("/api/resume", {"code": self.me.code})
        self.me.csrf = found["csrf"] if found else self.me.state()["csrf"]

    @rule(comment=st.none() | st.just("fine"))
    def finish(self, comment):
        self.ask("/api/finish", {"comment": comment})

    @rule(sure=st.integers(0, 9))
    def withdraw(self, sure):
        if sure == 9:
            self.ask("/api/withdraw", {"confirm": True})

    @rule(status=st.sampled_from(["open", "open", "paused"]))
    def change_status(self, status):
        set_status(self.site.storage, self.site.study.id, status, "test")

    @invariant()
    def adds_up(self):
        assert self.me.state()["phase"] in (
            "practice",
            "trials",
            "finished",
            "screened",
            "paused",
            "welcome",
            "no_invite",
        )
        assert self.site.storage.read(lambda c: verify(c, self.site.study.id)) == []

    def teardown(self):
        set_status(self.site.storage, self.site.study.id, "open", "test")


def test_any_order_of_requests_adds_up(tmp_path):
    site = Site(make_study(tmp_path, **{**SMALL, "votes_per_pair": 3, "undo": 2}))
    site.platform.clock, site.number = Clock(), count().__next__
    machine = type("VisitOfOneSite", (Visit,), {"site": site})
    run_state_machine_as_test(machine, settings=plainly(16, stateful_step_count=30))
