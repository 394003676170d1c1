"""Settings of a multiverse: what its history depends on, and its limits."""

import msgspec

from actors.core.kernel.errors import SettingsError

LOCAL_TICKS_PER_CONTROL_TICK_MAX = 1_000_000
"""A grant is answered as a whole; a longer one would hold every other member for too long."""
LOCAL_TICK_INTERVAL_MS_MAX = 86_400_000
"""One day."""
LOOKAHEAD_MAX = 1_000
"""Control ticks that are granted at once are also discarded, and waited for, at once."""
SEED_MAX = 2**63 - 1


BRANCH_CHARACTERS_MAX = 100
"""The vault keeps 128; what is named after a branch has a number more."""


def is_branch_name(name: object) -> bool:
    """Whether something may be given to a branch, or a snapshot, as its name: wherever it comes to stand, it is no path."""
    return was_branch_name(name) and str(name) not in (".", "..") and not {"/", "\\"}.intersection(str(name))


def was_branch_name(name: object) -> bool:
    """Whether something can be the name of a branch, also of an earlier build. What begins with `@` is the kernel's own."""
    return (
        isinstance(name, str)
        and 0 < len(name) <= BRANCH_CHARACTERS_MAX
        and name.isprintable()
        and name.strip() == name
        and not name.startswith("@")
    )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the clock is told when it starts.

    Attributes:
        seed: from which every draw follows, 0 … 2⁶³-1.
        branch: the name of this history.
        control_tick_interval_ticks: local ticks in one control tick.
        local_tick_interval_ms: simulated milliseconds in one local tick.
        lookahead_control_ticks: how many control ticks an event needs at least to arrive; the clock may then grant so many
            at once. Single pairs of members may have another delay.
        cascade_depth_max: how deep reaction rules may cascade within one local tick.
        digest_interval_control_ticks: digests are taken every so many control ticks.
        inbox_events_max: events that one member may have waiting; more go to the dead letters.
        dead_letters_max: dead letters kept whole; older ones are counted only, and what they carried is entered in the
            ledger as lost.
        instances_max: four-platform instances that may live at once.
        traces_max: steps of cascades kept for `cascade of event X`; 0 keeps none.
        window_control_ticks: at most so many control ticks are granted at once, where lookahead allows more.
        spare_hosts: hosts that stand ready, so that adding or bringing back a member does not wait for a process.
        member_timeout_s: a member that has not answered for so long is treated as dead.
        start_timeout_s: so is one that has not been made, or brought back, for so long. A process starts in half a second;
            on a machine that starts a hundred at once it takes a minute, and checking a foreign model may take two more.
        kept_bytes_max: of each member's inboxes since its last checkpoint; half of it makes the next one due.
        logbook_bytes_max: of the records of the newest control ticks, which reports and series are made of; 64 MiB are
            some 30,000 control ticks of 20 realms.
        keyframes_max: of each branch; from one, any later control tick is lived again. The further back, the fewer stay.
        snapshot_interval_control_ticks: a snapshot is taken every so many control ticks; 0 takes none.
        interval_snapshots_max: so many of them stay of each branch, the fewer the further back; beside those from which a
            branch was made, and those that were sealed.

    The last nine are not part of history: two runs that differ in them live the same life.
    """

    seed: int = 0
    branch: str = "main"
    control_tick_interval_ticks: int = 10
    local_tick_interval_ms: int = 100
    lookahead_control_ticks: int = 1
    cascade_depth_max: int = 5
    digest_interval_control_ticks: int = 1
    inbox_events_max: int = 1_000_000
    dead_letters_max: int = 10_000
    instances_max: int = 10
    traces_max: int = 100_000
    window_control_ticks: int = 100
    spare_hosts: int = 2
    member_timeout_s: float = 600.0
    start_timeout_s: float = 300.0
    kept_bytes_max: int = 64 << 20
    logbook_bytes_max: int = 64 << 20
    keyframes_max: int = 1_000
    snapshot_interval_control_ticks: int = 0
    interval_snapshots_max: int = 1_000

    def __post_init__(self) -> None:
        if not was_branch_name(self.branch):
            raise SettingsError(
                f"branch must be 1 to {BRANCH_CHARACTERS_MAX} printable characters, with no space at either end and not "
                f"beginning with '@', not {self.branch!r:.80}."
            )
        _whole("seed", self.seed, 0, SEED_MAX)
        _whole("control_tick_interval_ticks", self.control_tick_interval_ticks, 1, LOCAL_TICKS_PER_CONTROL_TICK_MAX)
        _whole("local_tick_interval_ms", self.local_tick_interval_ms, 1, LOCAL_TICK_INTERVAL_MS_MAX)
        _whole("lookahead_control_ticks", self.lookahead_control_ticks, 1, LOOKAHEAD_MAX)
        _whole("window_control_ticks", self.window_control_ticks, 1, LOOKAHEAD_MAX)
        _whole("cascade_depth_max", self.cascade_depth_max, 0, 1_000)
        _whole("digest_interval_control_ticks", self.digest_interval_control_ticks, 1, SEED_MAX)
        _whole("inbox_events_max", self.inbox_events_max, 1, 100_000_000)
        _whole("dead_letters_max", self.dead_letters_max, 0, 1_000_000)
        _whole("instances_max", self.instances_max, 0, 100_000)
        _whole("traces_max", self.traces_max, 0, 10_000_000)
        _whole("spare_hosts", self.spare_hosts, 0, 1_000)
        _whole("kept_bytes_max", self.kept_bytes_max, 1 << 10, 1 << 40)
        _whole("logbook_bytes_max", self.logbook_bytes_max, 1 << 10, 1 << 40)
        _whole("keyframes_max", self.keyframes_max, 3, 1_000_000)
        _whole("snapshot_interval_control_ticks", self.snapshot_interval_control_ticks, 0, SEED_MAX)
        _whole("interval_snapshots_max", self.interval_snapshots_max, 3, 1_000_000)
        _seconds("member_timeout_s", self.member_timeout_s)
        _seconds("start_timeout_s", self.start_timeout_s)

    def with_limits_of(self, other: "Settings") -> "Settings":
        """The same history under another's limits: what is no part of history is the other's."""
        return msgspec.structs.replace(self, **{name: getattr(other, name) for name in NOT_HISTORY})

    @property
    def control_tick_ms(self) -> int:
        """Simulated milliseconds in one control tick."""
        return self.control_tick_interval_ticks * self.local_tick_interval_ms


NOT_HISTORY = (
    "window_control_ticks",
    "spare_hosts",
    "member_timeout_s",
    "start_timeout_s",
    "kept_bytes_max",
    "logbook_bytes_max",
    "keyframes_max",
    "snapshot_interval_control_ticks",
    "interval_snapshots_max",
)
"""Settings in which two runs may differ and live the same life."""


def _seconds(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 1e9:
        raise SettingsError(f"{name} must be seconds from 0.1 upwards, not {value!r}.")


def _whole(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise SettingsError(f"{name} must be a whole number from {least} to {most}, not {value!r}.")
