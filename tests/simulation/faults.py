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
    # The points of clock and vault go here, each passed in `runs.py`, where the clock is, by `Plan.strikes`.

    @property
    def side(self) -> Side:
        """What it belongs to."""
        return self.value[0]

    @property
    def what(self) -> str:
        """What happens there."""
        return self.value[1]


POINTS = tuple(Point)
OF_RETURNS = (
    *(Point.RETURN_UNREAD, Point.RESTORING, Point.MID_REPLAY, Point.RETURNED, Point.STANDS_AGAIN),
    *(Point.REPLAY_DIFFERS, Point.RESTORE_DIFFERS, Point.HANGS_IN_RETURN, Point.DEATH_TOLD_TWICE),
)
"""Passed only when a host has died before."""
DEATHS = (Point.MID_TICK, Point.SEAT_ADVANCED, Point.ANSWER_LEFT, Point.IN_COMMAND, Point.CHECKPOINT_LEFT, Point.IDLE)
"""That any run passes often."""


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
        first = POINTS[seed % len(POINTS)]
        rare = first in OF_RETURNS
        self._due = {first: self.rng.randrange(SKIPS_MAX) if self.rng.random() < 0.5 and not rare else 0}
        more = self.rng.sample(POINTS, self.rng.randrange(STRIKES_MAX))
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
