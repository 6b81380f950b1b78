"""Tables of a running study. All times are whole milliseconds since 1970, UTC; ids that people see are random text.

Several studies can share a database, so every table that is read by study carries `study`.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# raised with every change of the tables; `engine.open_storage` refuses files of another version
SCHEMA_VERSION = 1
METADATA = MetaData()
# SQLite numbers rows by itself only where the key is its own INTEGER type
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

meta = Table("meta", METADATA, Column("key", String(40), primary_key=True), Column("value", Text, nullable=False))

study = Table(
    "study",
    METADATA,
    Column("id", String(80), primary_key=True),
    Column("status", String(10), CheckConstraint("status IN ('draft', 'open', 'paused', 'closed')"), nullable=False),
    Column("settings", JSON, nullable=False),  # settings.Settings
    Column("facts", JSON, nullable=False),  # run, scale and config_hash of the pairs
    Column("source", String(40), nullable=False),  # of all its votes: human, simulated, vlm:NAME; never two of them
    Column("seed", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("arrived", Integer, nullable=False, default=0),  # people who consented; numbers the next one
    Column("declined", Integer, nullable=False, default=0),  # all that is kept of people who did not consent
    Column("unblinded", BigInteger),  # when the owner looked at scores of models before the end
)

image = Table(
    "image",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("study", ForeignKey("study.id"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("path", Text, nullable=False),  # below the study's folder of images; never part of a request
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
)

pair = Table(
    "pair",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("study", ForeignKey("study.id"), nullable=False),
    Column("name", Text, nullable=False),  # pair_id of the chain, or the name of a trap or practice pair
    Column("role", String(10), CheckConstraint("role IN ('trial', 'trap', 'practice')"), nullable=False),
    Column("gt_image", ForeignKey("image.id"), nullable=False),
    Column("sr_image", ForeignKey("image.id"), nullable=False),
    Column("image_id", Text, nullable=False),  # of the GT, for the gap between two pairs of one GT
    Column("model", String(80), nullable=False),
    Column("level", String(20), nullable=False),
    Column("gt_name", Text, nullable=False),  # the chain's names of both files, for exports
    Column("sr_name", Text, nullable=False),
    Column("trap_kind", String(40), nullable=False),
    Column("answer", Integer, nullable=False),  # right answer of a trap or practice pair; -1 for a trial
    Column("reason", Text, nullable=False),  # what practice says after the answer
    Column("enabled", Boolean, nullable=False, default=True),
    Column("target", Integer, nullable=False),  # valid votes wanted; 0 for traps and practice
    # valid votes and live holds of people who count; `keeping.verify` recounts it
    Column("load", Integer, CheckConstraint("load >= 0"), nullable=False, default=0),
    UniqueConstraint("study", "name"),
)
Index("pair_by_load", pair.c.study, pair.c.role, pair.c.load)

participant = Table(
    "participant",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("study", ForeignKey("study.id"), nullable=False),
    Column("number", Integer, nullable=False),  # order of arrival from 1; seeds all that is random for this person
    Column("source", String(40), nullable=False),  # human, simulated, vlm:NAME
    Column("consent_hash", String(64), nullable=False),
    Column("consented", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("sitting", BigInteger, nullable=False),  # start of the sitting in progress
    Column("finished", BigInteger),
    Column("outcome", String(20)),  # complete, nothing_left, time, screened, withdrawn; empty while under way
    Column("token_hash", String(64), unique=True),  # of the cookie
    Column("resume_hash", String(64), unique=True),  # of the four words
    Column("device", JSON),
    Column("questionnaire", JSON),
    Column("practice", JSON, nullable=False),  # {"attempt": 1, "answers": {"1": 0, ...}}
    Column("passed", Boolean, nullable=False, default=False),  # the practice
    Column("counted", Boolean, nullable=False, default=True),  # by the trap rule, up to now
    Column("comment", Text),
    Column("left", Boolean, nullable=False, default=False),  # said goodbye: nothing can be taken back any more
    UniqueConstraint("study", "number"),
)

# apart from everything else, so that exports cannot carry it by accident
recruit = Table(
    "recruit",
    METADATA,
    Column("study", ForeignKey("study.id"), primary_key=True),
    Column("pid", String(100), primary_key=True),
    Column("participant", ForeignKey("participant.id"), nullable=False),
    Column("study_id", String(100), nullable=False),
    Column("session_id", String(100), nullable=False),
)

invite = Table(
    "invite",
    METADATA,
    Column("code_hash", String(64), primary_key=True),
    Column("study", ForeignKey("study.id"), nullable=False),
    Column("label", Text, nullable=False),
    Column("source", String(40), nullable=False),  # who comes with it
    Column("one_use", Boolean, nullable=False),
    Column("used", BigInteger),
    Column("created", BigInteger, nullable=False),
    Column("revoked", BigInteger),
)

assignment = Table(
    "assignment",
    METADATA,
    Column("id", String(40), primary_key=True),
    Column("study", ForeignKey("study.id"), nullable=False),
    Column("participant", ForeignKey("participant.id"), nullable=False),
    Column("pair", ForeignKey("pair.id"), nullable=False),
    Column(
        "state",
        String(10),
        CheckConstraint("state IN ('held', 'voted', 'expired', 'released')"),
        nullable=False,
    ),
    Column("gt_side", String(5), CheckConstraint("gt_side IN ('left', 'right')"), nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("order_index", Integer, nullable=False),
    Column("is_trap", Boolean, nullable=False),
    Column("reason", String(40), nullable=False, default=""),  # of a release
    UniqueConstraint("participant", "pair"),
)
Index("assignment_of_person", assignment.c.participant, assignment.c.state)
Index("assignment_of_pair", assignment.c.pair, assignment.c.state)
Index("assignment_due", assignment.c.study, assignment.c.state, assignment.c.expires)

# append-only: an undo is a row without an answer, a new answer is a row that supersedes the last
vote_event = Table(
    "vote_event",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("study", ForeignKey("study.id"), nullable=False),
    Column("assignment", ForeignKey("assignment.id"), nullable=False),
    Column("answer", Integer, CheckConstraint("answer IN (0, 1)")),  # empty: taken back
    Column("key", String(40), nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("supersedes", ForeignKey("vote_event.id")),
    Column("rt_ms", BigInteger),
    Column("rt_active_ms", BigInteger),
    Column("late", Boolean, nullable=False),
    Column("display", JSON, nullable=False),
    Column("server_utc", BigInteger, nullable=False),
    UniqueConstraint("assignment", "revision"),
)

screening = Table(
    "screening",
    METADATA,
    Column("study", ForeignKey("study.id"), primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("participant", ForeignKey("participant.id"), primary_key=True),
    Column("rule", String(40), primary_key=True),
    Column("value", Text, nullable=False),
    Column("keep", Boolean, nullable=False),
)

admin = Table(
    "admin",
    METADATA,
    Column("name", String(80), primary_key=True),
    Column("role", String(10), CheckConstraint("role IN ('owner', 'analyst')"), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("totp", String(64)),
)

audit = Table(
    "audit",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("utc", BigInteger, nullable=False),
    Column("study", String(80), nullable=False),
    Column("who", String(80), nullable=False),
    Column("what", String(40), nullable=False),
    Column("detail", Text, nullable=False),
)

problem = Table(
    "problem",
    METADATA,
    Column("id", _NUMBER, primary_key=True),
    Column("utc", BigInteger, nullable=False),
    Column("study", ForeignKey("study.id"), nullable=False),
    Column("participant", String(40)),
    Column("kind", String(40), nullable=False),
    Column("message", Text, nullable=False),
)
