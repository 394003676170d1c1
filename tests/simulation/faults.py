"""The named points at which something goes wrong, and which of them a seed chooses.

Every point is one row: what it happens to, and what happens there. A seed strikes at a few of them, each at one of the
times that a run passes it, and lays some noise over all messages. The default seeds together must hit every point.
"""

from collections import Counter
from enum import Enum
from random import Random

STRIKES_MAX = 4
SKIPS_MAX = 12
"""A point is struck the first time it is passed, or some time later."""


class Side(Enum):
    """What a point belongs to."""

    MEMBER = "a host's process dies, or a member comes back as another"
    LANE = "messages, starts, signs of life"
    CLOCK = "the clock's process dies"
    VAULT = "the store fails, or the clock dies while it writes"


class Point(Enum):
    """A point at which something can go wrong: its side, and what happens there."""

    # A grant.
    GRANT_UNREAD = Side.MEMBER, "a host dies before it reads a grant"
    GRANT_READ = Side.MEMBER, "… after it has decoded a grant"
    TURN_BEGUN = Side.MEMBER, "… when its member's turn begins, the mail not yet handled"
    MID_TICK = Side.MEMBER, "… in a local tick"
    TURN_LIVED = Side.MEMBER, "… when the turn is lived and the digest not yet taken"
    TURN_FAILED = Side.MEMBER, "… when its member has raised and the answer has not left"
    SEAT_ADVANCED = Side.MEMBER, "… when its seat has advanced and the answer has not left"
    ANSWER_LEFT = Side.MEMBER, "… just after the answer has left"
    DEATH_OVERTAKES_ANSWER = Side.MEMBER, "… just after the answer has left, and the word of it comes first"
    TAKING_CHECKPOINT = Side.MEMBER, "… while it takes a checkpoint"
    CHECKPOINT_IN_ANSWER = Side.MEMBER, "… with a checkpoint in the answer, which has not left"
    CHECKPOINT_LEFT = Side.MEMBER, "… just after an answer with a checkpoint has left"
    # A birth.
    BIRTH_UNREAD = Side.MEMBER, "a host dies before it reads what it is to make"
    MAKING = Side.MEMBER, "… while it makes a member for the first time"
    MADE = Side.MEMBER, "… when the member is made and the answer has not left"
    BIRTH_ANSWERED = Side.MEMBER, "… just after it has answered that the member stands"
    # A return.
    RETURN_UNREAD = Side.MEMBER, "a host dies before it reads whom it is to bring back"
    RESTORING = Side.MEMBER, "… while it restores a checkpoint"
    MID_REPLAY = Side.MEMBER, "… in the middle of the replay"
    RETURNED = Side.MEMBER, "… when the member stands again and the answer has not left"
    STANDS_AGAIN = Side.MEMBER, "… just after it has answered that the member stands again"
    REPLAY_DIFFERS = Side.MEMBER, "a member's replay comes to another history"
    RESTORE_DIFFERS = Side.MEMBER, "a member restored from its checkpoint is another"
    # Commands, restarts, removals.
    COMMAND_READ = Side.MEMBER, "a host dies after it has decoded a command round"
    IN_COMMAND = Side.MEMBER, "… while its member carries a command out"
    COMMAND_DONE = Side.MEMBER, "… when the command is carried out and the result has not left"
    RESULT_LEFT = Side.MEMBER, "… just after the result has left"
    REGISTRY_IN_TRAVEL = Side.MEMBER, "the registry's host dies while a player travels"
    REGISTRY_IN_EVACUATION = Side.MEMBER, "the registry's host dies while a realm that goes is emptied of players"
    ARRIVAL = Side.MEMBER, "a realm's host dies in the turn in which a player arrives"
    STAND_READ = Side.MEMBER, "a host dies after it has decoded that its member in error shall stand"
    STANDING_BEFORE = Side.MEMBER, "… when the member stands before the turn it failed in and the answer has not left"
    IDLE = Side.MEMBER, "… between ticks, while nobody waits for it"
    IDLE_IN_ERROR = Side.MEMBER, "… between ticks, while its member is in error"
    BEFORE_RESTART = Side.MEMBER, "… while its member is in error, which is restarted while it is being brought back"
    REMOVED_DIES = Side.MEMBER, "the host of a removed member dies, and the word of it comes afterwards"
    # More than one.
    TWO_AT_ONCE = Side.MEMBER, "two members' hosts die in one tick"
    IN_TWO_TICKS = Side.MEMBER, "one member's host dies in one tick, and the next one in the next"
    IDLE_THEN_IN_TICK = Side.MEMBER, "a member's host dies while nobody waits, and the next one in the next grant"
    TWICE_IN_ONE_TICK = Side.MEMBER, "a member's host dies, and the next one in the same grant"
    TWICE_IN_ONE_COMMAND = Side.MEMBER, "a member's host dies, and the next one in the same command round"
    TWICE_IN_ONE_STAND = Side.MEMBER, "a member's host dies, and the next one while it is to stand again after an error"
    # Hosts.
    CANNOT_START = Side.LANE, "a host cannot be started"
    SPARE_DIES = Side.LANE, "a spare dies before it is used"
    SPARE_DIES_UNSEEN = Side.LANE, "a spare is dead when it is used, and nobody knows yet"
    HANGS = Side.LANE, "a host does not answer in time, is given up, and answers later"
    HANGS_IN_RETURN = Side.LANE, "a host takes far too long to bring a member back, is given up, and answers later"
    DEATH_UNTOLD = Side.LANE, "a host dies and nobody tells"
    DEATH_TOLD_TWICE = Side.LANE, "the death of a host is told twice"
    BEAT_LOST = Side.LANE, "a sign of life is lost"
    GIVEN_UP_LIVES = Side.LANE, "a host that was given up lives on and speaks"
    GIVEN_UP_REJOINS = Side.LANE, "a host that was given up says that its line is there again"
    # Messages.
    GRANT_LOST = Side.LANE, "a grant is lost"
    GRANT_DOUBLED = Side.LANE, "a grant comes twice"
    GRANT_GARBLED = Side.LANE, "a grant comes cut off, or as nonsense"
    ANSWER_LOST = Side.LANE, "an answer is lost"
    ANSWER_DOUBLED = Side.LANE, "an answer comes twice"
    ANSWER_GARBLED = Side.LANE, "an answer comes cut off"
    CHECKPOINT_LOST = Side.LANE, "an answer with a checkpoint in it is lost"
    EMBODIMENT_LOST = Side.LANE, "the word to make a member is lost"
    EMBODIMENT_DOUBLED = Side.LANE, "the word to make a member comes twice"
    EMBODIMENT_GARBLED = Side.LANE, "the word to make a member comes cut off, or as nonsense"
    EMBODIED_LOST = Side.LANE, "the word that a member stands is lost"
    EMBODIED_DOUBLED = Side.LANE, "the word that a member stands comes twice"
    STAND_LOST = Side.LANE, "the word to stand again after an error is lost"
    STAND_DOUBLED = Side.LANE, "the word to stand again after an error comes twice"
    LINE_CUT = Side.LANE, "a host's line is cut and comes back"
    OLD_CLOCK_SPEAKS = Side.LANE, "a clock of an older epoch still grants"
    GRANT_OUT_OF_ORDER = Side.LANE, "a grant comes that leaves one out"
    # The clock's process, in a command round.
    COMMAND_UNHEARD = Side.CLOCK, "the clock dies before it carries a command out"
    COMMAND_APPLIED = Side.CLOCK, "… when a command is carried out and nothing is written yet"
    BETWEEN_COMMANDS = Side.CLOCK, "… between two commands of one round"
    IN_COMMAND_ROUND = Side.CLOCK, "… while a member carries a command out"
    ANSWERS_UNSENT = Side.CLOCK, "… when the round is written and no answer has left"
    SOME_ANSWERED = Side.CLOCK, "… when some of a round's answers have left, and others have not"
    # In a tick.
    IN_EXCHANGE = Side.CLOCK, "… in a tick, when some grants are answered"
    TICK_LIVED = Side.CLOCK, "… after a tick that nobody has heard of"
    DECISION_UNSEALED = Side.CLOCK, "… after a tick in which a member was lost, and that is not written yet"
    DECISION_SEALED = Side.CLOCK, "… when it is written that a member was lost, and nobody has heard of it"
    HOST_AND_CLOCK = Side.CLOCK, "a host dies, and the clock in the same grant"
    IN_A_RETURN = Side.CLOCK, "the clock dies while it brings a member back"
    CLOCK_IDLE = Side.CLOCK, "… while nobody asks it anything"
    # While it takes over.
    EPOCH_UNHEARD = Side.CLOCK, "a clock dies when it has its epoch and has read nothing yet"
    IN_RESTORE = Side.CLOCK, "… when some members of a keyframe stand again"
    IN_REPLAY = Side.CLOCK, "… while it lives its history again"
    RESUMES_TWICE = Side.CLOCK, "… when it has taken up its history, and so does its successor"
    LIVING_ON = Side.CLOCK, "… while it lives up to what was seen already"
    # More than one clock.
    OLD_CLOCK_WRITES = Side.CLOCK, "another clock takes over, and the old one goes on ticking and answering commands"
    OVERTAKEN_IN_TICK = Side.CLOCK, "another clock takes over in the middle of a tick, which the old one goes on with"
    OVERTAKEN_IN_ROUND = Side.CLOCK, "… when a command is carried out and not written"
    OVERTAKEN_ANSWERS = Side.CLOCK, "… when a round is written and no answer has left"
    OVERTAKEN_RESUMING = Side.CLOCK, "… while this one takes over itself"
    OLD_CLOCK_GRANTS = Side.CLOCK, "a clock that was replaced grants members of its successor"
    # Whoever asks.
    REPLY_LOST = Side.CLOCK, "an answer is lost on its way to whoever asked, who asks again under the same name"
    # The store.
    WRITE_NOT_BEGUN = Side.VAULT, "the clock dies before the transaction of a round begins"
    WRITE_UNCOMMITTED = Side.VAULT, "… when its rows are in the transaction and it is not committed"
    WRITE_COMMITTED = Side.VAULT, "… when it is committed and the clock does not know yet"
    OVERTAKEN_IN_WRITE = Side.VAULT, "another clock takes over before the transaction of a round begins"
    EPOCH_UNCOMMITTED = Side.VAULT, "a clock dies before its epoch is committed"
    EPOCH_UNFENCED = Side.VAULT, "… when its epoch is committed and the keyframes do not know it yet"
    EPOCH_RACE = Side.VAULT, "two clocks begin at once, and the second takes its epoch first"
    UNREACHABLE = Side.VAULT, "the vault is gone for a while when a round is to be written"
    UNREACHABLE_AT_START = Side.VAULT, "the vault is gone when a clock begins"
    UNCERTAIN_WRITTEN = Side.VAULT, "the vault is lost in the middle of a commit, and it is written"
    UNCERTAIN_UNWRITTEN = Side.VAULT, "the vault is lost in the middle of a commit, and nothing is written"
    # Keyframes.
    KEYFRAME_LATE = Side.VAULT, "a keyframe is written while the world has gone on for ticks"
    KEYFRAME_UNWRITTEN = Side.VAULT, "the clock dies when a boundary is taken for a keyframe, which is never written"
    KEYFRAME_UNCOMMITTED = Side.VAULT, "… while it writes a keyframe"
    KEYFRAME_WRITTEN = Side.VAULT, "… just after it has written a keyframe"
    KEYFRAME_FAILS = Side.VAULT, "a keyframe cannot be written"
    KEYFRAME_OF_OLD_CLOCK = Side.VAULT, "another clock takes over while a keyframe waits to be written"
    KEYFRAME_DAMAGED = Side.VAULT, "the newest keyframe is damaged, and the clock dies"
    KEYFRAMES_DAMAGED = Side.VAULT, "all keyframes are damaged, and the clock dies"

    @property
    def side(self) -> Side:
        """What it belongs to."""
        return self.value[0]

    @property
    def what(self) -> str:
        """What happens there."""
        return self.value[1]


HOST_POINTS = tuple(point for point in Point if point.side in (Side.MEMBER, Side.LANE))
"""Those of a run in which the clock lives (`runs.py`)."""
CLOCK_POINTS = tuple(point for point in Point if point.side in (Side.CLOCK, Side.VAULT))
"""Those of a run in which it does not (`successions.py`)."""
POINTS = (*HOST_POINTS, *CLOCK_POINTS)
OF_RETURNS = (
    *(Point.RETURN_UNREAD, Point.RESTORING, Point.MID_REPLAY, Point.RETURNED, Point.STANDS_AGAIN),
    *(Point.REPLAY_DIFFERS, Point.RESTORE_DIFFERS, Point.HANGS_IN_RETURN, Point.DEATH_TOLD_TWICE),
)
"""Passed only when a host has died before."""
DEATHS = (Point.MID_TICK, Point.SEAT_ADVANCED, Point.ANSWER_LEFT, Point.IN_COMMAND, Point.CHECKPOINT_LEFT, Point.IDLE)
"""That any run passes often."""
OF_SUCCESSIONS = (
    *(Point.IN_RESTORE, Point.IN_REPLAY, Point.RESUMES_TWICE, Point.LIVING_ON, Point.OLD_CLOCK_GRANTS),
    *(Point.EPOCH_UNHEARD, Point.EPOCH_UNCOMMITTED, Point.EPOCH_UNFENCED, Point.EPOCH_RACE),
    *(Point.OVERTAKEN_RESUMING, Point.UNREACHABLE_AT_START),
)
"""Passed only when a clock has died before."""
CLOCK_DEATHS = (Point.COMMAND_APPLIED, Point.IN_EXCHANGE, Point.ANSWERS_UNSENT, Point.CLOCK_IDLE, Point.TICK_LIVED)
"""That any run with a vault passes often."""
COMPANIONS = {
    Point.DECISION_UNSEALED: (Point.TWICE_IN_ONE_TICK,),
    Point.DECISION_SEALED: (Point.TWICE_IN_ONE_TICK,),
    Point.IN_A_RETURN: (Point.MID_TICK, Point.SEAT_ADVANCED),
}
"""What must happen for these to be passed."""
KEYFRAME_INTERVALS_S = (0.0, 0.0, 0.5, 1e9)
KEYFRAMES_LATE_SHARE = 0.3


class Plan:
    """What a seed lets go wrong.

    Args:
        seed: the seed. One point follows from it in turn, so that few seeds cover all; the rest is chance.

    Attributes:
        hit: how often each point was struck.
        delay_s: the longest that a message takes, most of the time.
        doubled: the part of messages that comes twice.
        lost: the part of messages that is lost, at most one for each question.
    """

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"faults {seed}")
        first = HOST_POINTS[seed % len(HOST_POINTS)]
        rare = first in OF_RETURNS
        self._due = {first: self.rng.randrange(SKIPS_MAX) if self.rng.random() < 0.5 and not rare else 0}
        more = self.rng.sample(HOST_POINTS, self.rng.randrange(STRIKES_MAX))
        for point in [*more, *(self.rng.sample(DEATHS, 3) if rare else ())]:
            self._due.setdefault(point, self.rng.randrange(SKIPS_MAX))
        self.hit: Counter[Point] = Counter()
        self.delay_s = self.rng.choice([0.001, 0.01, 0.3])
        self.doubled = self.rng.choice([0.0, 0.02, 0.1])
        self.lost = self.rng.choice([0.0, 0.0, 0.005, 0.02])

    def strikes(self, point: Point) -> bool:
        """Whether to strike now that a run passes this point."""
        skips = self._due.get(point)
        if skips is None:
            return False
        if skips:
            self._due[point] = skips - 1
            return False
        del self._due[point]
        self.hit[point] += 1
        return True

    def arms(self, point: Point) -> bool:
        """Like `strikes`, for a point that has been hit only when a second blow falls, which then is noted."""
        struck = self.strikes(point)
        self.hit[point] -= struck
        return struck

    def note(self, point: Point) -> None:
        """Noise has come to the same as this point."""
        self.hit[point] += 1

    def chance(self, share: float) -> bool:
        """Whether chance strikes."""
        return bool(share) and self.rng.random() < share


class ClockPlan(Plan):
    """What a seed lets go wrong with clocks and their vault; with hosts and messages too, but less.

    Attributes:
        keyframe_interval_s: how often keyframes are due.
        late: the part of keyframes that is written while the world goes on.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.rng = Random(f"clock faults {seed}")
        first = CLOCK_POINTS[seed % len(CLOCK_POINTS)]
        rare = first in OF_SUCCESSIONS
        self._due = {first: 0 if rare or self.rng.random() < 0.5 else self.rng.randrange(SKIPS_MAX)}
        for point in COMPANIONS.get(first, ()):
            self._due[point] = self.rng.randrange(SKIPS_MAX)
        if first in COMPANIONS:
            self._due[first] = 0
        more = self.rng.sample(CLOCK_POINTS, self.rng.randrange(STRIKES_MAX))
        for point in [*more, *(self.rng.sample(CLOCK_DEATHS, 3) if rare else ())]:
            self._due.setdefault(point, self.rng.randrange(SKIPS_MAX))
        for point in self.rng.sample(DEATHS, self.rng.choice([0, 0, 1, 2])):
            self._due.setdefault(point, self.rng.randrange(SKIPS_MAX))
        of_keyframes = first.name.startswith("KEYFRAME") or first is Point.IN_RESTORE
        self.keyframe_interval_s = 0.0 if of_keyframes else self.rng.choice(KEYFRAME_INTERVALS_S)
        self.late = self.rng.choice([0.0, KEYFRAMES_LATE_SHARE])
