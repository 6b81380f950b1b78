"""The HTTP interface of people who take part: JSON in, JSON out, one method of `Platform` behind each."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request, Response

from hlf.study.running import practice_round
from hlf.study.running.answers import Answer
from hlf.study.running.people import Person, Recruit, Refused
from hlf.study.server import bodies
from hlf.study.server.callers import Callers, guard
from hlf.study.server.limits import address

if TYPE_CHECKING:
    from hlf.study.running.platform import Progress, Trial

ENDED = {"complete": "finished", "nothing_left": "finished", "time": "finished", "screened": "screened"}
# the study is not open to people in these words of the database
SHUT = {"draft": "closed", "paused": "paused", "closed": "closed"}
# what every endpoint may answer instead of what was asked for
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": bodies.Told, "description": description}
    for status, description in {
        400: "The body is no JSON.", 401: "Nobody is known by this cookie.", 403: "The token is not the cookie's.",
        404: "There is no such thing, or it is somebody else's.", 409: "It does not fit what was done before.",
        413: "The body is too large.", 422: "A value is not allowed.", 429: "Too many requests; see Retry-After.",
        503: "The study is paused, or its database cannot be reached.",
    }.items()
}  # fmt: skip
PNG: dict[str, Any] = {"response_class": Response, "responses": {200: {"content": {"image/png": {}}}}}


def phase_of(person: Person | None, status: str, invited: bool) -> str:
    """Screen that somebody should see."""
    if person is not None and person.outcome is not None:
        return ENDED[person.outcome]
    if status in SHUT:
        return SHUT[status]
    if person is None:
        return "welcome" if invited else "no_invite"
    return "trials" if person.passed else "practice"


def participant_api(callers: Callers) -> APIRouter:
    """Endpoints below /api and /image."""
    router = APIRouter(responses=ERRORS)
    post: dict[str, Any] = {"dependencies": [Depends(guard)]}
    _add_state(router, callers)
    _add_joining(router, callers, post)
    _add_practice(router, callers, post)
    _add_trials(router, callers, post)
    _add_end(router, callers, post)
    return router


def _add_state(router: APIRouter, callers: Callers) -> None:
    platform = callers.platform

    @router.get("/api/state")
    def state(request: Request) -> dict[str, Any]:
        """What the page needs first: which screen is next, the study in words, the text of consent."""
        person = callers.find(request)
        callers.limit(*("other", person.id) if person else ("join with invite", address(request)))
        status, source = platform.state()
        visit = callers.cookies.visit(request)
        invited = bool(visit.get("invite")) and platform.invited(visit["invite"])
        progress = platform.progress(person) if person is not None else None
        return {
            "phase": phase_of(person, status, invited),
            "csrf": callers.cookies.request_csrf(request),
            "study": _about(callers, person, source),
            "completion": _completion(callers) if person is not None and person.left else None,
            "consent": {"paragraphs": callers.consent.split("\n\n"), "hash": callers.consent_hash},
            **_counts(progress),
        }


def _add_joining(router: APIRouter, callers: Callers, post: dict[str, Any]) -> None:
    platform = callers.platform

    @router.post("/api/consent", **post)
    def consent(body: bodies.Consent, request: Request, response: Response) -> dict[str, Any]:
        """Join as a participant; the cookie comes with the reply, and four words to come back by."""
        visit = callers.cookies.visit(request)
        invite = visit.get("invite")
        callers.limit("join with invite" if invite else "join", address(request))
        if not invite or body.consent_hash != callers.consent_hash:
            sentence = "the text has changed; read it again" if invite else "open the link that you were given first"
            raise Refused(409 if invite else 403, sentence)
        ids = visit.get("recruit")
        recruited = Recruit(*ids) if ids else None
        _, token, code = platform.consent(callers.consent_hash, invite, recruited, body.device.model_dump())
        callers.cookies.set_person(response, token)
        person = platform.person(token)
        phase = phase_of(person, platform.state()[0], True)
        return {"phase": phase, "resume_code": code, "csrf": callers.cookies.csrf(token)}

    @router.post("/api/decline", **post)
    def decline(body: bodies.Nothing, request: Request) -> dict[str, Any]:
        """Count somebody who does not want to take part; nothing of them is kept."""
        callers.limit("join", address(request))
        if callers.cookies.visit(request).get("invite"):
            platform.decline()
        return {}

    @router.post("/api/resume", **post)
    def resume(body: bodies.Resume, request: Request, response: Response) -> dict[str, Any]:
        """Come back by the four words, on this browser."""
        callers.limit("join", address(request))
        token = platform.resume(body.code)
        callers.cookies.set_person(response, token)
        return {
            "phase": phase_of(platform.person(token), platform.state()[0], True),
            "csrf": callers.cookies.csrf(token),
        }


def _add_practice(router: APIRouter, callers: Callers, post: dict[str, Any]) -> None:
    platform = callers.platform

    @router.post("/api/questionnaire", **post)
    def questionnaire(body: bodies.Questionnaire, request: Request) -> dict[str, Any]:
        """Keep what a participant tells of themselves."""
        platform.questionnaire(callers.need(request).id, body.model_dump())
        return {}

    @router.get("/api/practice")
    def practice(request: Request) -> dict[str, Any]:
        """The practice pairs, and those of them answered right."""
        person = callers.need(request)
        numbers = range(1, len(platform.practice_pairs()) + 1)
        items = [{"number": n, **{side: f"/image/practice/{n}/{side}" for side in "ab"}} for n in numbers]
        return {"attempt": person.practice["attempt"], "items": items, "done": practice_round.done(person)}

    @router.post("/api/practice", **post)
    def practise(body: bodies.Practice, request: Request) -> dict[str, Any]:
        """Answer one practice pair; the reply says whether that was right."""
        return vars(platform.practise(callers.need(request).id, body.number, body.answer))

    @router.get("/image/practice/{number}/{side}", **PNG)
    def practice_image(number: int, side: bodies.Side, request: Request) -> Response:
        """An image of the practice."""
        person = callers.need(request, "image")
        return _png(platform.practice_file(person, number, side))


def _add_trials(router: APIRouter, callers: Callers, post: dict[str, Any]) -> None:
    platform = callers.platform

    @router.post("/api/next", **post)
    def next_trials(body: bodies.Nothing, request: Request) -> dict[str, Any]:
        """The pairs held for the participant, as many as the page may load ahead."""
        trials, progress = platform.next(callers.need(request).id)
        phase = ENDED[progress.outcome] if progress.outcome else "trials"
        return {"phase": phase, "trials": [_trial(one) for one in trials], **_counts(progress)}

    @router.post("/api/vote", **post)
    def vote(body: bodies.Vote, request: Request) -> dict[str, Any]:
        """Record one answer; the same key gives the same reply again."""
        person = callers.need(request, "vote")
        times = round(body.rt_ms), round(body.rt_active_ms)
        late, progress = platform.vote(person.id, Answer(body.assignment, body.answer, body.key, *times, body.shown()))
        return {"saved": True, "late": late, **_counts(progress)}

    @router.post("/api/undo", **post)
    def undo(body: bodies.Undo, request: Request) -> dict[str, Any]:
        """Take the last answer back; its pair is shown again."""
        one, progress = platform.undo(callers.need(request, "vote").id, body.key)
        return {"trial": _trial(one), **_counts(progress)}

    @router.post("/api/release", **post)
    def release(body: bodies.Release, request: Request) -> dict[str, Any]:
        """Give a pair back that cannot be shown."""
        platform.release(callers.need(request).id, body.assignment, body.reason)
        return {}

    @router.post("/api/heartbeat", **post)
    def heartbeat(body: bodies.Nothing, request: Request) -> dict[str, Any]:
        """Keep the held pairs a little longer; the reply says whether the study still is open."""
        person = callers.need(request)
        platform.heartbeat(person.id)
        return {"phase": phase_of(person, platform.state()[0], True)}

    @router.get("/image/{assignment}/{side}", **PNG)
    def image(assignment: str, side: bodies.Side, request: Request) -> Response:
        """An image of a held pair, by its side only."""
        person = callers.need(request, "image")
        return _png(platform.image_file(person.id, assignment, side))


def _add_end(router: APIRouter, callers: Callers, post: dict[str, Any]) -> None:
    platform = callers.platform

    @router.post("/api/finish", **post)
    def finish(body: bodies.Finish, request: Request) -> dict[str, Any]:
        """Say goodbye, with a comment if there is one; no answer can be taken back after it."""
        progress = platform.finish(callers.need(request).id, body.comment)
        return {"answers": progress.answered, "completion": _completion(callers)}

    @router.post("/api/withdraw", **post)
    def withdraw(body: bodies.Withdraw, request: Request, response: Response) -> dict[str, Any]:
        """Erase the participant's votes and all they told."""
        platform.withdraw(callers.need(request).id)
        callers.cookies.clear(response)
        return {}

    @router.post("/api/problem", **post)
    def problem(body: bodies.Problem, request: Request) -> dict[str, Any]:
        """Note what went wrong in a browser, for the owner."""
        person = callers.find(request)
        callers.limit(*("other", person.id) if person else ("problem", address(request)))
        platform.problem(person.id if person else None, body.kind, body.message)
        return {}


def _about(callers: Callers, person: Person | None, source: str) -> dict[str, Any]:
    """What the page needs to know of the study."""
    settings = callers.platform.settings
    names = (
        "title", "question", "hint", "minutes", "pay", "contact", "retention", "min_css_px", "letter_keys", "undo",
        "flicker", "break_trials", "break_minutes",
    )  # fmt: skip
    about = {name: getattr(settings, name) for name in names}
    mirror = settings.mirror_keys and person is not None and person.number % 2 == 0
    pairs = callers.platform.trials_of(person)
    return {**about, "pairs": pairs, "mirror": mirror, "simulated": source != "human"}


def _completion(callers: Callers) -> dict[str, str | None]:
    """What a recruiting site wants to see at the end."""
    settings = callers.platform.settings
    return {"code": settings.completion_code or None, "url": settings.completion_url or None}


def _counts(progress: "Progress | None") -> dict[str, Any]:
    if progress is None:
        return {"progress": {"answered": 0, "total": 0}, "undo": False}
    return {"progress": {"answered": progress.answered, "total": progress.total}, "undo": progress.undo}


def _trial(one: "Trial") -> dict[str, Any]:
    """A trial without anything that tells what it is."""
    sides = {side: f"/image/{one.assignment}/{side}" for side in "ab"}
    return {"assignment": one.assignment, "number": one.number, **sides}


def _png(path: Any) -> Response:
    """An image file without a validator: equal ones would show that two images are the same."""
    if path is None:
        raise Refused(404, "there is no such image")
    # the practice's images have the same addresses for everybody, so a browser's copy belongs to one cookie
    headers = {"cache-control": "private, max-age=86400, immutable", "vary": "cookie"}
    return Response(path.read_bytes(), media_type="image/png", headers=headers)
