"""The driver: one object over a multiverse, the same in a script, a notebook and a job."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from actors.chronicles import founding_in
from actors.clock_messages import FAST, Metrics, Pace, Status
from actors.core.kernel.errors import CommandRefusedError, EngineError, SettingsError
from orchestration.arguments import checked
from orchestration.engines import Ticket
from orchestration.openings import (
    check_engine,
    checked_folder,
    checked_home,
    checked_principal,
    checked_settings,
    opened_engine,
    paranoid_lane,
)
from orchestration.outer_layers import OuterLayers

if TYPE_CHECKING:
    from actors.paranoid_lanes import ParanoidLane
    from orchestration.visitors import Visitor

WATCH_INTERVAL_S = 0.1
"""How often a run under way is looked at for progress."""


class Multiverse(OuterLayers):
    """Many realms under one master clock.

    It is opened with or without history (below), or found again (`attach`); it runs for so many control ticks (`run`,
    `advance_to`, `execute_control_tick`) or by itself (`start`, `pause`), until it is closed (`close`, `end`, or `with`).

    What is asked of it (`Commanding`): realms (`register_game`, `remove_game`, `restart_game`, `subscribe`, `unsubscribe`,
    `set_delay`), events from outside (`queue_cross_game_event`), commands and changes (`command`, `modify`, `speak`,
    `players`), all of that once only where a program may be interrupted (`is_new`, `setting_up`), a death to look at (`kill`).

    What it tells (`Reading`): how it stands (`status`, `boundary`, `get_multiverse_state`, `members`), what a member says
    and is (`query`, `query_with_boundary`, `state_of`), what came about (`records`, `series`, `journal`, `dead_letters`,
    `cascade`, `audit`, `in_flight_to`, `recoveries`), whether it is the same (`digest`, `digest_chain`, `paranoia`), what it
    was founded with (`settings`, `about`, `durability`, `engine`, `lane`).

    What it remembers, with a vault (`Remembering`): boundaries that have been (`at`, `snapshot`, `snapshots`,
    `delete_snapshot`, `diff`), the way back (`revert`, `revert_realm`, `select`, `branches`, `history`), what if (`fork`,
    `forks`, `drop_fork`, `sweep`).

    Who may ask for what (`Permitting`): `grant_role`, `revoke_role`, `revoke_all_roles`, `check_permission`; and somebody
    else who asks (`visitor`).

    Instances (`Presiding`): four platforms each, behind a wall of their own (`create_instance`, `instances`, `instance`,
    `attach_game`, `modify_instance`, `revert_instance`, `fork_instance`, `destroy_instance`), and who stands still
    (`freeze`, `unfreeze`). Their platforms as one truth (`merge_all_active_platforms`).

    God mode (`GodMode`): one typed entry for all that a god may ask for (`god_mode_command`), possession (`possess`), and
    emergencies (`emergency_override`, `resume`).

    Outer layers (`OuterLayers`): into a package and back (`export_to_outer_layer`, `export_multiverse`,
    `import_from_outer_layer`, `send_back_down`).

    Args:
        seed: from which every draw follows.
        name: for people, and in its vault.
        control_tick_interval_ticks: local ticks in one control tick.
        local_tick_interval_ms: simulated milliseconds in one local tick.
        engine: "ray" (every member an actor) or "local" (everything in this process).
        lane: how grants travel on Ray: "zmq" (the default), or "ray" for plain actor calls.
        address: of a running Ray cluster; without it `RAY_ADDRESS`, else a cluster is started here.
        realm_paths: folders with users' own realm modules.
        realms_expected: how many realms will be registered soon; their hosts start ahead.
        vault: where its history is kept: a SQLite file, or a PostgreSQL URL. With history there already, it goes on where
            that ends. Without a vault it lives as long as this driver, though not only as long as its clock's process.
        detached: whether it outlives this driver; `attach` finds it again by its name.
        paranoid: whether every member is made again from its capture in another process and asked the same there, in
            every control tick; on the local engine. A run in which something differs stops and says what.
        principal: who commands through this driver, for the audit log; by default whoever runs it.
        clock_placement: Ray's placement options for the clock's own actor; with a vault on a PostgreSQL server only.
        settings: more of `Settings`, by name.

    Raises:
        SettingsError: a setting out of its range.
        EngineError: the engine could not be started.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        name: str = "",
        control_tick_interval_ticks: int = 10,
        local_tick_interval_ms: int = 100,
        engine: str = "ray",
        lane: str | None = None,
        address: str = "",
        realm_paths: Sequence[str | Path] = (),
        realms_expected: int = 0,
        vault: str | Path | None = None,
        detached: bool = False,
        paranoid: bool = False,
        principal: str | None = None,
        clock_placement: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        who = checked_principal(principal)
        asked = checked_settings(
            seed=seed,
            control_tick_interval_ticks=control_tick_interval_ticks,
            local_tick_interval_ms=local_tick_interval_ms,
            **settings,
        )
        paths = tuple(str(checked_folder(path)) for path in realm_paths)
        home = checked_home(name, vault, detached=detached)
        check_engine(engine, lane, address, clock_placement, detached=detached)
        if home is not None and (founding := founding_in(home[1], home[0])) is not None:
            asked = founding.settings.with_limits_of(asked)
            paths = tuple(dict.fromkeys((*paths, *founding.realm_paths)))
        self._doubling: ParanoidLane | None = paranoid_lane(engine, paths) if paranoid else None
        try:
            opened = opened_engine(
                asked,
                engine,
                lane,
                address,
                paths,
                realms_expected,
                home,
                self._doubling,
                detached=detached,
                placement=clock_placement,
            )
        except BaseException:
            if self._doubling is not None:
                self._doubling.close()
            raise
        super().__init__(opened, name, home, paths, who)

    @classmethod
    def attach(cls, name: str, address: str = "", principal: str | None = None) -> Self:
        """The driver of a multiverse that another program started to outlive it; closing it does not end that.

        Args:
            name: of the multiverse.
            address: of the Ray cluster; without it `RAY_ADDRESS`, else the one on this machine.
            principal: who commands through this driver, for the audit log; by default whoever runs it.

        Raises:
            EngineError: no cluster can be reached, or the multiverse does not come to stand.
            UnknownMultiverseError: the cluster has none of that name.
        """
        from orchestration.ray_engines import (
            RayEngine,  # Ray takes half a second to import; the local engine needs none
        )

        checked_principal(principal)
        engine = RayEngine.found(checked(str, name, "name"), address)
        mv = cls.__new__(cls)
        OuterLayers.__init__(mv, engine, name, None, (), checked_principal(principal))
        mv._doubling = None
        return mv

    def visitor(self, principal: str, origin: str) -> "Visitor":
        """Somebody who comes from elsewhere: what he asks for, he needs a role for, and the audit log tells of him.

        Args:
            principal: who asks.
            origin: where he comes from: "local", or "http".
        """
        from orchestration.visitors import Visitor  # those who drive need none

        return Visitor(self, principal, origin)

    def end(self) -> None:
        """Ends the multiverse for everybody, also one that would outlive this driver; its vault stays."""
        if not self._closed:
            self._closed = True
            self._engine.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the multiverse, unless it is to outlive this driver; its actors go with it. A second time is no change."""
        if not self._closed:
            self._closed = True
            self._engine.close()

    # ------------------------------------------------------------------------------------------------------------- time

    def execute_control_tick(self) -> dict[str, Any]:
        """One control tick.

        Returns:
            control_tick_id, games_synced, events_propagated (deliveries), elapsed_ms.
        """
        control_tick, begun = self.boundary().control_tick + 1, time.perf_counter()
        ran = self.advance_to(control_tick)
        if not ran:  # the clock has died, and its successor has lived it while it took its place
            elapsed_ms = (time.perf_counter() - begun) * 1e3
            ran = [
                Metrics(one.control_tick_id, one.games_synced, one.events_propagated, elapsed_ms)
                for one in self.records()
                if one.control_tick_id == control_tick
            ]
        if not ran:
            raise CommandRefusedError("somebody else has moved the clock on meanwhile; ask again.")
        metrics = ran[-1]
        return {name: getattr(metrics, name) for name in metrics.__struct_fields__}

    def run(
        self, control_ticks: int, *, realtime: bool = False, progress: Callable[[Status], None] | None = None
    ) -> list[Metrics]:
        """Runs so many control ticks, as fast as it can unless in real time, and returns their metrics.

        Without `progress`, a bar is shown on a terminal and in a notebook.

        Raises:
            SettingsError: not a whole number from 0 upwards.
        """
        from orchestration.progress import bar  # a library that only a run needs

        if isinstance(control_ticks, bool) or not isinstance(control_ticks, int) or control_ticks < 0:
            raise SettingsError(f"control_ticks must be a whole number from 0 upwards, not {control_ticks!r}.")
        begun = self.boundary().control_tick
        if progress is not None:
            return self.advance_to(begun + control_ticks, realtime=realtime, watch=progress)
        with bar(begun, begun + control_ticks) as show:
            return self.advance_to(begun + control_ticks, realtime=realtime, watch=show)

    def advance_to(
        self, control_tick: int, *, realtime: bool = False, watch: Callable[[Status], None] | None = None
    ) -> list[Metrics]:
        """Runs until the clock stands at a control tick; a clock that stands there already does nothing.

        An interrupt from the keyboard lets the tick under way end and is raised then.

        Raises:
            CommandRefusedError: the clock runs by itself.
        """
        if isinstance(control_tick, bool) or not isinstance(control_tick, int):
            raise SettingsError(f"control_tick must be a whole number, not {control_tick!r}.")
        self._may("run")
        ticket = self._begin("advance_to", control_tick, Pace(realtime=realtime) if realtime else FAST)
        try:
            if watch is not None:
                while not ticket.wait(WATCH_INTERVAL_S):
                    watch(self.status())
                watch(self.status())
            return ticket.result()  # type: ignore[no-any-return]
        except KeyboardInterrupt:
            self._end_run(ticket)
            raise

    def _end_run(self, ticket: Ticket) -> None:
        """Lets a run end at its next boundary; a second interrupt does not wait for that."""
        try:
            while not ticket.wait(WATCH_INTERVAL_S):  # a run that was not yet under way has not heard it
                self._engine.call("stop")
        except KeyboardInterrupt:
            waiting = "; ".join(self.status().waiting) or "the control tick under way has not ended"
            raise EngineError(f"interrupted twice, and gave up: {waiting}.") from None

    def start(self, pace: str = "realtime") -> None:
        """Lets the clock run by itself, without a bound; commands are carried out at its boundaries.

        Args:
            pace: "realtime", or "fast" for as fast as it can.

        Raises:
            CommandRefusedError: it runs already.
            SettingsError: another pace.
        """
        if pace not in ("realtime", "fast"):
            raise SettingsError(f"pace must be 'realtime' or 'fast', not {pace!r}.")
        self._may("start")
        self._call("begin", Pace(realtime=pace == "realtime"))

    def pause(self) -> dict[str, Any]:
        """Stops a running clock at a boundary and says which."""
        self._may("pause")
        boundary = self._call("pause")
        return msgspec.structs.asdict(boundary)

    # ------------------------------------------------------------------------------------------------------- for people

    def paranoia(self) -> dict[str, Any] | None:
        """What a paranoid run has compared; None if this is none.

        Returns:
            checks (answers compared), from_birth (members with a double from their birth on, for they cannot be
            captured), unchecked (members that are not compared, with the reason).
        """
        return None if self._doubling is None else self._doubling.report()

    def _repr_html_(self) -> str:
        if self._closed:
            return f"<pre>{self.name or 'a multiverse'}, closed</pre>"
        from orchestration.summaries import in_html, state_table  # people only need it in notebooks

        status = self.status()
        where = f"control tick {status.boundary.control_tick:,} on {status.boundary.branch}"
        return in_html(state_table(f"{self.name or 'multiverse'}, {where}", status.state["games"]))

    def __repr__(self) -> str:
        where = "closed" if self._closed else f"control tick {self.status().boundary.control_tick}"
        return f"<Multiverse seed={self.settings.seed} engine={self._engine.name} {where}>"
