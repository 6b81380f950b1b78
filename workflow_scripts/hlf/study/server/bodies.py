"""What browsers may send, as models that the server checks every request with."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

# a text without NUL, which PostgreSQL cannot keep
Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")]
Pixels = Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
Millis = Annotated[float, Field(ge=0, le=7 * 86_400_000, allow_inf_nan=False)]
# not Literal[0, 1], which takes true and 1.0 for 1
YesNo = Annotated[int, Field(ge=0, le=1)]
Side = Literal["a", "b"]


def _on_purpose(value: bool) -> bool:
    if not value:
        raise ValueError("only true says it on purpose")
    return value


Yes = Annotated[bool, AfterValidator(_on_purpose), Field(json_schema_extra={"const": True})]


class Body(BaseModel):
    """Exactly the named values, each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """Answer to a request that is refused: why, in one sentence."""

    detail: str


class Nothing(Body):
    """An empty object."""


class Device(Body):
    """What the images are looked at on, in CSS pixels."""

    viewport_w: Pixels
    viewport_h: Pixels
    dpr: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    screen_w: Pixels
    screen_h: Pixels
    touch: bool
    css_w: Pixels


class Consent(Body):
    """Agreement to a text, named by its hash."""

    consent_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    device: Device


class Resume(Body):
    """The four words."""

    code: Line


class Questionnaire(Body):
    """Each may be left out."""

    age_band: Line | None = None
    vision: Line | None = None
    colour_vision: Line | None = None
    expertise: Line | None = None


class Practice(Body):
    """An answer to a practice pair."""

    number: Annotated[int, Field(ge=1, le=100)]
    answer: YesNo


class Display(Body):
    """How the images stood on the screen."""

    css_w: Pixels
    css_h: Pixels
    dpr: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)]
    viewport_w: Pixels
    viewport_h: Pixels
    layout: Literal["row", "stack"]


class Zoom(Body):
    """How often and how far it was zoomed."""

    count: Annotated[int, Field(ge=0, le=100_000)]
    max: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class Vote(Body):
    """An answer; `key` makes its repetition harmless."""

    assignment: Name
    answer: YesNo
    key: Name
    rt_ms: Millis
    rt_active_ms: Millis
    display: Display
    zoom: Zoom

    def shown(self) -> dict[str, Any]:
        """Display and zoom in one, as it is kept."""
        return {**self.display.model_dump(), "zoom_count": self.zoom.count, "zoom_max": self.zoom.max}


class Undo(Body):
    """Taking back the last answer; `key` makes its repetition harmless."""

    key: Name


class Release(Body):
    """A pair that could not be shown."""

    assignment: Name
    reason: Literal["load_error"]


class Finish(Body):
    """The end, with a comment or none."""

    comment: Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")] | None = None


class Withdraw(Body):
    """Erasing everything, said on purpose."""

    confirm: Yes


class Problem(Body):
    """What went wrong in the browser."""

    kind: Name
    message: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
