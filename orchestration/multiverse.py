"""The driver: one object over a multiverse, the same in a script, a notebook and a job."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import msgspec

from actors.chronicles import founding_in
from actors.clock_messages import CLOCK, FAST, SET_UP, About, Metrics, Pace, Status
from actors.core.kernel.addresses import RealmCoordinate
from actors.core.kernel.codec import Plain
from actors.core.kernel.commands import (
    Boundary,
    ClockCommand,
    DropFork,
    ForkGames,
    JournalEntry,
    MemberCommand,
    MemberSpec,
    QueueEvent,
    RegisterGame,
    RemoveGame,
    Reply,
    RestartGame,
    SetDelay,
    Subscribe,
    Unsubscribe,
)
from actors.core.kernel.errors import CommandRefusedError, EngineError, SettingsError
from actors.core.kernel.events import CrossGameEvent, Event, Trace, checked_carries, realm_id_of
from actors.core.kernel.modifications import MODIFY
from actors.core.kernel.settings import Settings
from actors.core.kernel.states import Difference, State, decode_state
from actors.core.kernel.ticking import TickRecord
from actors.vaults.records import Branch, Snapshot, unknown_snapshot
from orchestration.arguments import checked, checked_map, checked_texts, encoded
from orchestration.engines import Engine, Ticket
from orchestration.forks import Fork, forked_from, modifications_of
from orchestration.openings import (
    check_engine,
    checked_folder,
    checked_home,
    checked_placement,
    checked_principal,
    checked_settings,
    opened_engine,
    paranoid_lane,
)
from orchestration.pasts import Past, differing
from orchestration.players import Players
from orchestration.progress import branch_bar

if TYPE_CHECKING:
    from actors.paranoid_lanes import ParanoidLane
    from orchestration.time_trees import HistoryTree

CLOSED = "this multiverse is closed; make a new one."
WATCH_INTERVAL_S = 0.1
"""How often a run under way is looked at for progress."""


class Multiverse:
    """Many realms under one master clock.

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
        self.name = name
        self._closed = False
        self._principal = checked_principal(principal)
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
        self._home, self._realm_paths = home, paths
        self._doubling: ParanoidLane | None = paranoid_lane(engine, paths) if paranoid else None
        try:
            self._set_up(
                opened_engine(
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
            )
        except BaseException:
            if self._doubling is not None:
                self._doubling.close()
            raise

    def _set_up(self, engine: Engine) -> None:
        self._engine = engine
        self._command_id: Callable[[ClockCommand], str] = lambda command: uuid4().hex
        self._recoveries: list[dict[str, Any]] = []
        self.players = Players(self.command, self.query)

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
        mv._principal = checked_principal(principal)
        mv.name, mv._closed, mv._doubling = name, False, None
        mv._home, mv._realm_paths = None, ()
        mv._set_up(engine)
        return mv

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

    # ------------------------------------------------------------------------------------------------------ realms

    def register_game(
        self,
        realm_id: str,
        factory: str,
        coordinate: RealmCoordinate | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        period: int = 1,
        subscriptions: Sequence[str] | None = None,
        placement: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Adds a realm; it begins to run with the next control tick.

        Args:
            realm_id: its id.
            factory: `module:name`, called as `factory(birth, **params)` where the realm will live.
            coordinate: its STAT7 address; by default a main instance in cluster_0.
            params: plain data.
            period: it is advanced every so many control ticks, by as many times the local ticks.
            subscriptions: broadcast types it hears; None means those of its contract.
            placement: Ray's placement options for its actor.

        Returns:
            Its id, kind, recovery level and notes.

        Raises:
            DuplicateMemberError: the id is taken.
            FactoryError: there is no such factory, or it raises.
            CommandRefusedError: ids that differ, a period below 1, a type it does not handle.
        """
        place = RealmCoordinate(realm_id) if coordinate is None else checked(RealmCoordinate, coordinate, "coordinate")
        checked(str, factory, "factory")
        where = checked_placement(placement, "placement")
        spec = MemberSpec(factory, encoded(params, "params"), encoded(where, "placement"))
        chosen = None if subscriptions is None else checked_texts(subscriptions, "subscriptions")
        return self._submit(  # type: ignore[no-any-return]
            RegisterGame(realm_id, place.key, place.realm_type, spec, period, chosen)
        )

    def remove_game(self, realm_id: str, players_to: str = "") -> dict[str, Any]:
        """Takes a realm away.

        Raises:
            UnknownMemberError: no such realm.
            CommandRefusedError: players are there and `players_to` names no realm for them.
        """
        return self._submit(RemoveGame(realm_id, players_to))  # type: ignore[no-any-return]

    def restart_game(self, realm_id: str) -> dict[str, Any]:
        """Lets a realm in error go on from the boundary before the tick that failed."""
        return self._submit(RestartGame(realm_id))  # type: ignore[no-any-return]

    def subscribe(self, realm_id: str, event_type: str) -> None:
        """Subscribes a realm to a broadcast type; twice is once."""
        self._submit(Subscribe(realm_id, event_type))

    def unsubscribe(self, realm_id: str, event_type: str) -> None:
        """Ends a subscription."""
        self._submit(Unsubscribe(realm_id, event_type))

    def set_delay(self, source: str, target: str, control_ticks: int) -> None:
        """Sets how many control ticks an event from one member to another needs at least; 0 takes that back.

        With `lookahead_control_ticks` for the whole multiverse, that is what lets the clock grant several at once.

        Raises:
            UnknownMemberError: one of them is not registered.
            CommandRefusedError: not a whole number from 0 to 1,000.
        """
        self._submit(SetDelay(source, target, control_ticks))

    # ------------------------------------------------------------------------------------------- events, commands

    def queue_cross_game_event(self, event: CrossGameEvent) -> dict[str, Any]:
        """Sends an event from outside; it arrives at the start of the next control tick or of its `deliver_at`.

        Raises:
            UnknownMemberError: its target is not registered.
            EventRefusedError: an undeclared type, a moment that has passed, an id used before, data that is not plain.
        """
        payload = checked(CrossGameEvent, event, "event").sealed()
        return self._submit(  # type: ignore[no-any-return]
            QueueEvent(
                event.event_id,
                realm_id_of(event.source_realm),
                None if event.target_realm is None else realm_id_of(event.target_realm),
                event.event_type,
                payload,
                event.deliver_at,
                event.cause,
                event.claimed_path(),
                checked_carries(event.carries),
            )
        )

    def command(self, member_id: str, verb: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """A command for one member, at the next boundary; returns its value.

        Raises:
            SoulfraError: what refused it.
        """
        checked(str, member_id, "member id")
        checked(str, verb, "verb")
        return self._submit(MemberCommand(member_id, verb, encoded(arguments, "arguments")))

    def modify(self, member_id: str, changes: Mapping[str, Any]) -> int:
        """Changes a member's state from outside, at the next boundary; all of it or nothing.

        What that creates or destroys of conserved quantities is entered in the ledger.

        Args:
            member_id: the member; its state must be one that can be captured.
            changes: dotted path (`npcs.3.mood`, `npcs.*.thrift`) to value; see `actors.core.kernel.modifications`.

        Returns:
            How many values were set.

        Raises:
            CommandRefusedError: a path that leads nowhere, or a value that does not fit; nothing has changed.
        """
        return self.command(member_id, MODIFY, changes)["changed"]  # type: ignore[no-any-return]

    def _submit(self, command: ClockCommand) -> Any:
        reply: Reply = self._call("submit", command, self._command_id(command), self._principal)
        return reply.value()

    @property
    def is_new(self) -> bool:
        """Whether nobody has set it up: it was founded just now, or whoever was about to set it up did not come to an end."""
        boundary = self.boundary()
        untouched = (boundary.control_tick, boundary.position) == (0, 0)
        return self.about.order == SET_UP or (not self.about.order and untouched)

    @contextmanager
    def setting_up(self) -> Iterator[None]:
        """For setting a new multiverse up; who is interrupted in it may begin it again, and nothing is done twice."""
        self._call("set_up")
        with self._repeatable(SET_UP):
            yield

    @contextmanager
    def _repeatable(self, occasion: str) -> Iterator[None]:
        """Commands given within are carried out once, however often the same block is run again on this history.

        One thread only; the same commands in the same order.

        Args:
            occasion: names the block.
        """
        numbers, before = count(1), self._command_id

        def repeated(command: ClockCommand) -> str:
            content = sha256(msgspec.msgpack.encode(command)).hexdigest()
            return f"{occasion} {next(numbers)} {content[:16]}"

        self._command_id = repeated
        try:
            yield
        finally:
            self._command_id = before

    def speak(self, player_id: str, npc: int, question: str = "", dialogue: Any = None) -> dict[str, Any]:
        """Lets an NPC of the player's realm speak to him.

        Args:
            player_id: the player.
            npc: the NPC's number in the realm.
            question: what the player says.
            dialogue: a generator with `line(context, npc, question)`; by default the template grammar. Its answer goes
                into the command, so a replay asks nobody.

        Raises:
            UnknownPlayerError: no such player.
            CommandRefusedError: no such NPC there.
        """
        context = self.players.get_warbler_context(player_id)
        realm_id = context["active_realm"]
        arguments: dict[str, Any] = {"player_id": player_id, "npc": npc, "context": context, "question": question}
        if dialogue is not None:
            arguments["line"] = dialogue.line(context, self.query(realm_id, "npc", {"id": npc}), question)
        return self.command(realm_id, "speak", arguments)  # type: ignore[no-any-return]

    # --------------------------------------------------------------------------------------------------------- time

    def execute_control_tick(self) -> dict[str, Any]:
        """One control tick.

        Returns:
            control_tick_id, games_synced, events_propagated (deliveries), elapsed_ms.
        """
        ran = self.advance_to(self.boundary().control_tick + 1)
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
        self._call("begin", Pace(realtime=pace == "realtime"))

    def pause(self) -> dict[str, Any]:
        """Stops a running clock at a boundary and says which."""
        boundary = self._call("pause")
        return {name: getattr(boundary, name) for name in boundary.__struct_fields__}

    # -------------------------------------------------------------------------------------------------------- reads

    def status(self) -> Status:
        """How the clock stands; never waits for the tick under way."""
        return self._call("status")  # type: ignore[no-any-return]

    def boundary(self) -> Boundary:
        """The last boundary; if its clock is taking its place again, that of the successor when it stands."""
        return self._call("boundary")  # type: ignore[no-any-return]

    def get_multiverse_state(self) -> dict[str, Any]:
        """Control tick id, games, pending events, dead letters, mean sync time and event latency."""
        return self.status().state

    def query(self, member_id: str, verb: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """Asks a member's view of its last boundary; never waits for the clock."""
        return self.query_with_boundary(member_id, verb, arguments)[0]

    def query_with_boundary(
        self, member_id: str, verb: str, arguments: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Plain]]:
        """Like `query`, with the boundary that the answer is of."""
        answer = self._call("query", member_id, verb, checked_map(arguments, "arguments"))
        return answer["value"], answer["boundary"]

    def digest(self) -> str:
        """The digest of the present boundary, hexadecimal."""
        return self._call("digest")  # type: ignore[no-any-return]

    def digest_chain(self) -> str:
        """The digests of all control ticks so far, folded; hexadecimal."""
        return self.status().chain

    def records(self) -> list[TickRecord]:
        """Records of the newest control ticks, with the digests of every member."""
        return self._call("records")  # type: ignore[no-any-return]

    def state_of(self, member_id: str) -> State:
        """A member's whole state at the present boundary."""
        return decode_state(self._call("capture", member_id))

    # ------------------------------------------------------------------------------------------------------ history

    def at(self, control_tick: int | None = None, *, branch: str = "", snapshot: str = "", realm: str = "") -> Past:
        """A boundary that has been, lived again in this process to look at: the multiverse itself is not disturbed.

        Args:
            control_tick: the boundary after this one, before its commands.
            branch: of which history; "" for the one it lives on.
            snapshot: instead of both, the boundary at which this was taken.
            realm: only the smallest closed domain around this realm is lived again: its fork, or all that is in no fork.

        Raises:
            UnknownMemberError: there was no such realm then.
            CommandRefusedError: it has not been yet, or this driver has not named the vault itself; see `Past` then.
            UnknownBranchError: there is no such branch.
            UnknownSnapshotError: there is no such snapshot.
            EngineError: history cannot be lived again.
        """
        if self._home is None:
            raise CommandRefusedError("the past is read from a vault that the driver names; see orchestration.pasts.")
        name, vault = self._home
        if snapshot:
            if control_tick is not None or branch:
                raise CommandRefusedError(
                    "a snapshot is a boundary already; leave the control tick and the branch out."
                )
            taken = self._snapshot_of(snapshot)
            control_tick, branch, position = taken.control_tick, taken.branch, taken.position
        else:
            present, position = self.boundary(), None
            if isinstance(control_tick, int) and control_tick > present.control_tick and branch in ("", present.branch):
                raise CommandRefusedError(
                    f"control tick {control_tick} has not been yet: the clock stands at {present.control_tick}."
                )
        where = {"branch": branch, "position": position, "realm": checked(str, realm, "realm")}
        return Past(vault, name, control_tick, self._realm_paths, **where)  # type: ignore[arg-type]

    def snapshot(self, name: str = "", reason: str = "") -> Snapshot:
        """Gives the present boundary a name; the world does not stop for more than that.

        Args:
            name: unique; "" lets one be given.
            reason: for people.

        Raises:
            CommandRefusedError: the name is taken or cannot be one, or there is no vault.
        """
        return self._call("take_snapshot", name, reason, uuid4().hex, self._principal)  # type: ignore[no-any-return]

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot of every branch, in the order in which they were taken."""
        return self._call("snapshots")  # type: ignore[no-any-return]

    def delete_snapshot(self, name: str) -> None:
        """Forgets a snapshot. History is not touched.

        Raises:
            UnknownSnapshotError: there is none of that name.
            CommandRefusedError: branches were made from it.
        """
        self._call("delete_snapshot", checked(str, name, "snapshot"), self._principal)

    def _snapshot_of(self, name: str) -> Snapshot:
        known = {one.snapshot: one for one in self.snapshots()}
        if checked(str, name, "snapshot") not in known:
            raise unknown_snapshot(self.name, name, list(known))
        return known[name]

    def diff(self, one: str, other: str) -> dict[str, list[Difference]]:
        """What differs between two snapshots: by member, then by section, object and attribute.

        A member that only one of them has is told as one difference of section "".

        Raises:
            UnknownSnapshotError: there is no such snapshot.
            EngineError: history cannot be lived again.
        """
        with self.at(snapshot=one) as left, self.at(snapshot=other) as right:
            return differing(left, right)

    def revert(
        self,
        control_tick: int | None = None,
        *,
        branch: str = "",
        snapshot: str = "",
        name: str = "",
        reason: str = "",
    ) -> Branch:
        """Lets everything go back to a boundary and on from there, on a new branch; whatever is now stays on its own.

        Args:
            control_tick: the boundary after this one, before its commands.
            branch: of which history; "" for the one it lives on.
            snapshot: instead of both, the boundary at which this was taken.
            name: of the new branch; "" lets one be given.
            reason: for people.

        Returns:
            The new branch: its name, and where it left which other one.

        Raises:
            CommandRefusedError: it has not been yet, the name is taken or cannot be one, or there is no vault.
            UnknownBranchError: there is no such branch.
            UnknownSnapshotError: there is no such snapshot.
            EngineError: history cannot be lived again; nothing has changed.
        """
        if (control_tick is None) != bool(snapshot) or (snapshot and branch):
            raise CommandRefusedError("a revert needs a control tick, or else a snapshot.")
        for text, what in ((branch, "branch"), (snapshot, "snapshot"), (name, "name"), (reason, "reason")):
            checked(str, text, what)
        tick = 0 if control_tick is None else control_tick
        return self._call("revert", tick, branch, snapshot, name, reason, uuid4().hex, self._principal)  # type: ignore[no-any-return]

    def revert_realm(self, realm_id: str, control_tick: int | None = None, *, snapshot: str = "") -> dict[str, Any]:
        """Lets one realm's own time go back, on the same branch; control time goes on, and so does everybody else.

        Args:
            realm_id: the realm.
            control_tick: it becomes what it was after this control tick of the present history, before its commands.
            snapshot: or what it was there; the snapshot must be of the present history.

        Returns:
            realm_id, local_tick, dropped (ids of events that were under way from it, or to it alone, and went to the dead
            letters), entangled (ids of events that it has exchanged with others since then: they remember, it does not).

        Raises:
            UnknownMemberError: there is no such realm, or was none then.
            CommandRefusedError: it was another realm of that id, its state cannot be captured or is too large, or there
                is no vault.
            EngineError: history cannot be lived again; nothing has changed.
        """
        if (control_tick is None) != bool(snapshot):
            raise CommandRefusedError("a revert needs a control tick, or else a snapshot.")
        checked(str, realm_id, "realm id")
        tick = 0 if control_tick is None else control_tick
        then = checked(str, snapshot, "snapshot")
        reply: Reply = self._call("revert_realm", realm_id, tick, then, uuid4().hex, self._principal)
        return reply.value()  # type: ignore[no-any-return]

    def fork(
        self,
        realm_ids: Sequence[str],
        *,
        count: int | None = None,
        modifications: Sequence[Mapping[str, Any]] = (),
        divergent: bool = False,
        control_tick: int | None = None,
        branch: str = "",
        snapshot: str = "",
    ) -> list[Fork]:
        """Copies realms into closed domains that live on beside them, all of them or none.

        A copy is known by `realm~number`; within its fork it is what its origin is, so an unmodified twin lives the same
        life. Nothing is delivered between a fork and anybody else; players stay behind.

        Args:
            realm_ids: whom; of one fork, if they are copies themselves.
            count: how many copies of all of them; as many as there are modifications if not given, or one.
            modifications: for each copy: dotted path, beginning with the realm's id, to value; see `modify`.
            divergent: whether copies draw by lineages of their own; twins draw as their origins do.
            control_tick: they become what the realms were after this control tick, before its commands.
            branch: of which history; "" for the one it lives on.
            snapshot: or what they were there. Without any of these, what they are now.

        Raises:
            UnknownMemberError: there is no such realm, or was none then.
            CommandRefusedError: one cannot be captured or is in error, a modification does not fit, or all of it is too
                large for a command.
            EngineError: history cannot be lived again. Nothing has changed in either case.
        """
        ids = checked_texts(realm_ids, "realm ids")
        changes = modifications_of(ids, modifications)
        if (control_tick is not None and snapshot) or (branch and control_tick is None):
            raise CommandRefusedError("a fork begins now, or at a control tick (of a branch), or else at a snapshot.")
        wanted = ForkGames(ids, max(1, len(changes)) if count is None else count, divergent, changes)
        if control_tick is None and not snapshot:
            return forked_from(self._submit(wanted))
        for text, what in ((branch, "branch"), (snapshot, "snapshot")):
            checked(str, text, what)
        where = (control_tick or 0, branch, snapshot)
        reply: Reply = self._call("fork_past", wanted, *where, uuid4().hex, self._principal)
        return forked_from(reply.value())

    def forks(self) -> list[Fork]:
        """Every fork that lives."""
        found: dict[int, dict[str, str]] = {}
        for game in self.status().state["games"]:
            if game["fork"]:
                found.setdefault(game["fork"], {})[game["role"]] = game["realm_id"]
        return [Fork(number, realms) for number, realms in sorted(found.items())]

    def drop_fork(self, fork: Fork | int) -> list[str]:
        """Ends a fork; the ids of its realms, which are gone.

        Raises:
            CommandRefusedError: there is no such fork.
        """
        number = fork.number if isinstance(fork, Fork) else checked(int, fork, "fork")
        return self._submit(DropFork(number))["removed"]  # type: ignore[no-any-return]

    def select(self, branch: str) -> Boundary:
        """Goes on where a branch ends; whatever is now stays on its own.

        Raises:
            UnknownBranchError: there is no such branch.
            EngineError: history cannot be lived again; nothing has changed.
        """
        return self._call("select", checked(str, branch, "branch"), self._principal)  # type: ignore[no-any-return]

    def history(self) -> "HistoryTree":
        """The tree of histories with the snapshots on it, to be looked at.

        Raises:
            CommandRefusedError: this driver has not named the vault itself; see `soulfra history show`.
        """
        from orchestration.time_trees import HistoryTree, tree_of

        if self._home is None:
            raise CommandRefusedError("the tree is read from a vault that the driver names; see soulfra history show.")
        self.snapshots()  # those that came round are written down
        return HistoryTree(tree_of(self._home[1], self._home[0]))

    def branches(self) -> list[Branch]:
        """Every branch: the first one, then those that left another one, in the order in which they did."""
        return self._call("branches")  # type: ignore[no-any-return]

    def sweep(
        self,
        table: Sequence[Mapping[str, Any]],
        control_ticks: int,
        *,
        snapshot: str = "",
        control_tick: int | None = None,
        branch: str = "",
        measures: Sequence[str] = (),
        every: int = 0,
    ) -> list[dict[str, Any]]:
        """What would come of it if: from one boundary a branch for each modification of a table, into one tidy table.

        The multiverse itself is not disturbed: the branches live headless, on Ray as tasks. See
        `orchestration.sweeps.sweep`.

        Args:
            table: for each branch its modifications: dotted path, beginning with the member's id, to value.
            control_ticks: how long each lives.
            snapshot: where they begin.
            control_tick: or else: the boundary after this control tick, before its commands.
            branch: of which history; "" for the one it lives on.
            measures: `member.measure` each; none means all that there are.
            every: collect them every so many control ticks, not only at the end.

        Raises:
            CommandRefusedError: a path that leads nowhere, a value that does not fit, or this driver has not named the
                vault itself; nothing was run.
            SoulfraError: the boundary cannot be had.
        """
        from orchestration.sweeps import sweep  # it stands on everything else

        if self._home is None:
            raise CommandRefusedError("a sweep reads the vault that the driver names; see orchestration.sweeps.")
        name, vault = self._home
        self.boundary()  # whoever is taking its place has taken it
        with branch_bar(len(table)) as show:
            return sweep(
                vault,
                name,
                table,
                control_ticks,
                snapshot=snapshot,
                control_tick=control_tick,
                branch=branch,
                measures=measures,
                every=every,
                engine=self.engine,
                realm_paths=self._realm_paths,
                progress=show,
            )

    # -------------------------------------------------------------------------------------------- who and what there is

    def members(self) -> list[dict[str, Any]]:
        """Every member: id, kind, state, local tick, recovery level, process id, node."""
        return self._call("members")  # type: ignore[no-any-return]

    def kill(self, member_id: str) -> None:
        """Kills a member's process at this boundary, or that of "@clock", to see it come back.

        Raises:
            UnknownMemberError: no such member.
            EngineError: on the local engine, where no member has a process of its own.
        """
        if checked(str, member_id, "member id") == CLOCK:
            self.recoveries()  # the clock's successor will not know of those before
            self._engine.crash()
        else:
            self._call("kill", member_id)

    def recoveries(self) -> list[dict[str, Any]]:
        """Members that were brought back after their process died: which, in which control tick, why, how long it took.

        When the clock itself was brought back ("@clock"), those before it are known as far as they were asked for.
        """
        self._recoveries += [one for one in self._call("recoveries") if one not in self._recoveries]
        return list(self._recoveries)

    def paranoia(self) -> dict[str, Any] | None:
        """What a paranoid run has compared; None if this is none.

        Returns:
            checks (answers compared), from_birth (members with a double from their birth on, for they cannot be
            captured), unchecked (members that are not compared, with the reason).
        """
        return None if self._doubling is None else self._doubling.report()

    def journal(self) -> list[JournalEntry]:
        """Every outside input so far, in order."""
        return self._call("journal")  # type: ignore[no-any-return]

    def dead_letters(self) -> list[dict[str, Any]]:
        """Mail that could not be delivered, with the reasons."""
        return self._call("dead_letters")  # type: ignore[no-any-return]

    def cascade(self, event_id: str, fork: int = 0) -> list[Trace]:
        """Who caused what, where and when, around an event; empty if it is unknown or long ago.

        Args:
            event_id: the event.
            fork: the number of the fork in which it happened; 0 is outside of all.
        """
        return self._call("cascade", checked(str, event_id, "event id"), checked(int, fork, "fork"))  # type: ignore[no-any-return]

    def audit(self) -> dict[str, Any]:
        """Deliveries by type since the beginning, and for each conserved quantity (what is, what should be)."""
        return self._call("audit")  # type: ignore[no-any-return]

    def in_flight_to(self, member_id: str) -> list[Event]:
        """Events under way to a member, in the order in which it will hear them."""
        return self._call("in_flight_to", member_id)  # type: ignore[no-any-return]

    def series(self) -> tuple[list[tuple[int, str, int, dict[str, float]]], int]:
        """Rows (control tick, realm id, local tick, measures), and how many older ones are no longer kept."""
        return self._call("series")  # type: ignore[no-any-return]

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self._engine.name

    @property
    def settings(self) -> Settings:
        """What it was founded with; with history in its vault, that is not what it was opened with."""
        return self._engine.about.settings

    @property
    def about(self) -> About:
        """What does not change while its clock lives: vault, lane, process, node, whether it resumed."""
        return self._engine.about

    @property
    def durability(self) -> str:
        """In plain words, what its history survives."""
        return self._engine.about.durability

    @property
    def lane(self) -> str:
        """The lane's name; "" on the local engine."""
        return self._engine.lane

    def _repr_html_(self) -> str:
        if self._closed:
            return f"<pre>{self.name or 'a multiverse'}, closed</pre>"
        from orchestration.summaries import in_html, state_table  # people only need it in notebooks

        status = self.status()
        where = f"control tick {status.boundary.control_tick:,} on {status.boundary.branch}"
        return in_html(state_table(f"{self.name or 'multiverse'}, {where}", status.state["games"]))

    def _call(self, method: str, *arguments: Any) -> Any:
        if self._closed:
            raise CommandRefusedError(CLOSED)
        return self._engine.call(method, *arguments)

    def _begin(self, method: str, *arguments: Any) -> Ticket:
        if self._closed:
            raise CommandRefusedError(CLOSED)
        return self._engine.begin(method, *arguments)

    def __repr__(self) -> str:
        where = "closed" if self._closed else f"control tick {self.status().boundary.control_tick}"
        return f"<Multiverse seed={self.settings.seed} engine={self._engine.name} {where}>"
