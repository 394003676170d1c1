"""A realm that hosts a Mesa model, unmodified, beside the others under the same clock.

One local tick is one `model.step()` as long as `model.running`, as in Mesa's own `run_model`; after that the realm stands
still and lives on: it is granted ticks, takes in events and answers questions. What it says to others and what it takes
in are two functions of the user's, named by path:

    def publish(model, now): yield "rumour", {"topic": "a crash", …}     # or (event type, data, target)
    def absorb(model, event): model.tax += event.data["by"]

`publish` is called after each step, with the local tick in which it was made; `absorb` for each event handled, in the
first local tick of a grant, before its step. Both keep what they remember on the model, never in a module: a realm
that raised or whose process died is rebuilt from birth by its grants, and what stands elsewhere is not.

Its recovery level is *captured*, where a third process that was told the model's state object by object lived on alike (see
`object_graphs.py`), else *replayed*. Both need a model that is deterministic, which `registration_check` finds out in two
processes; see `certificates.py`. The level of a model that failed that check and is hosted all the same is *none*.

The digest covers the fold of all collected rows, both generators, the number of steps and `running` (see `mesa_states.py`), and
what was changed from outside, but not the objects: they follow from what happened, and telling them takes longer than a
step.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec

from actors.adapters.certificates import CERTIFY_STEPS_DEFAULT, Certificate, certify
from actors.adapters.mesa_bridges import said_by
from actors.adapters.mesa_captures import CapturedModel
from actors.adapters.mesa_models import (
    SEED_BOUND,
    SEED_STREAM,
    imported_function,
    make_model,
    model_class,
    model_seed,
    seed_keyword,
)
from actors.adapters.mesa_states import RowFold, RowReader, generator_states
from actors.adapters.mesa_views import MesaView, latest_figures
from actors.adapters.object_graphs import WHAT, UncapturableError
from actors.core.kernel.codec import Plain, encode
from actors.core.kernel.digests import NO_DIGEST, fold
from actors.core.kernel.errors import CommandRefusedError, FactoryError, MemberError
from actors.core.kernel.events import Event
from actors.core.kernel.members import CAPTURED, NONE, REPLAYED, Birth, Contract, Turn, View
from actors.core.kernel.states import Records, State
from actors.core.players.rosters import ROSTER_EVENTS, Roster
from actors.core.realms.tick_engines import Realm, on

REFUSE = "refuse"
MARK = "mark"
NONDETERMINISTIC_WAYS = (REFUSE, MARK)
"""What happens to a model whose rows differ between two processes: it is refused, or hosted with recovery "none"."""

UNCHECKED = "Its determinism was not checked; a host does so when it registers the realm."


class MesaRealm(Realm):
    """A Mesa model as a realm.

    Args:
        birth: what every member is told.
        model: the model, "module:Class".
        arguments: of its constructor, without the seed.
        seed: of the model; without it, one derived from the multiverse's seed and the lineage (`model_seed`).
        publish: what it says to others, "module:function"; see the module.
        absorb: what it takes in, "module:function"; see the module.
        emits: event types that `publish` may give.
        handles: event types that `absorb` takes.
        subscribes: broadcast types it hears, all of them among `handles`.
        nondeterministic: "refuse" or "mark" a model that fails the check of determinism.
        certify_steps: how many steps the check runs.
        certificate: what the check found; `registration_check` puts it here.

    Raises:
        FactoryError: a path that leads nowhere, a parameter out of its range, Mesa is missing, or the model's
            constructor raises.
        MemberError: the model's first rows have no canonical form.
    """

    kind = "mesa"
    recovery = REPLAYED

    def __init__(
        self,
        birth: Birth,
        *,
        model: str,
        arguments: Mapping[str, Plain] | None = None,
        seed: int | None = None,
        publish: str = "",
        absorb: str = "",
        emits: Iterable[str] = (),
        handles: Iterable[str] = (),
        subscribes: Iterable[str] = (),
        nondeterministic: str = REFUSE,
        certify_steps: int = CERTIFY_STEPS_DEFAULT,
        certificate: Mapping[str, Plain] | None = None,
    ) -> None:
        super().__init__(birth)
        _check_way(nondeterministic)
        self._path = model
        self._arguments = dict(arguments or {})
        self.seed = model_seed(birth, seed)
        self._emits = _names(emits, "emits")
        self._subscribes = _names(subscribes, "subscribes")
        handled = _names(handles, "handles")
        self._publish = imported_function(publish, "publish")
        self._absorb = imported_function(absorb, "absorb")
        _check_bridges(self._emits, handled, self._subscribes, publish, absorb)
        for event_type in sorted(handled):
            self.engine.add_rule(f"absorb {event_type}", [event_type], self._take_in)
        self._certificate = _certificate(certificate)
        self.model = make_model(model, self._arguments, self.seed)
        self._whole = CapturedModel(self.model) if self._is_captured else None
        self._fold = RowFold(self.model)
        self._changes = NO_DIGEST
        self.roster = Roster()

    @on(*ROSTER_EVENTS)
    def follow(self, turn: Turn, event: Event) -> None:
        """Players may visit; the model knows nothing of them."""
        self.roster.apply(event)

    @classmethod
    def registration_check(cls, birth: Birth, params: Mapping[str, Plain]) -> Mapping[str, Plain]:
        """Checks once, when the realm is registered, that its model is deterministic.

        Args:
            birth: what the member will be told.
            params: the realm's parameters. A certificate among them is not trusted but made anew.

        Returns:
            The parameters to make the realm with: the same, and the certificate.

        Raises:
            FactoryError: the model cannot be run, or it is not deterministic and is to be refused.
        """
        way = params.get("nondeterministic", REFUSE)
        _check_way(way)
        path = params.get("model", "")
        certificate = certify(
            path,
            params.get("arguments") or {},
            model_seed(birth, params.get("seed")),
            params.get("certify_steps", CERTIFY_STEPS_DEFAULT),
            publish=params.get("publish", ""),
        )
        if not certificate.deterministic and way == REFUSE:
            raise FactoryError(
                f"{path!r} is not deterministic: {certificate.reason} A replay would give another history. Mend the "
                "model, or set nondeterministic = 'mark' to host it all the same with recovery 'none'."
            )
        return {**params, "certificate": msgspec.to_builtins(certificate)}

    @property
    def contract(self) -> Contract:
        """See `Member`. A model known not to be deterministic has recovery "none", and the notes say why."""
        certificate = self._certificate
        recovery, notes = self.recovery, UNCHECKED
        if certificate is not None:
            notes = f"Deterministic over {certificate.steps} steps ({certificate.rows} rows) in two processes."
            if not certificate.deterministic:
                recovery, notes = NONE, f"Not deterministic: {certificate.reason}"
            elif certificate.captured:
                recovery = CAPTURED
            else:
                notes = f"{notes} {certificate.refusal}"
        return msgspec.structs.replace(
            super().contract, emits=self._emits, subscribes=self._subscribes, recovery=recovery, notes=notes
        )

    def tick(self, turn: Turn) -> None:
        """One step of the model, unless it has stopped, and what it has to say about it."""
        model = self.model
        if not model.running:
            return
        model.step()
        self._fold.take()
        for event_type, data, target in said_by(self._publish, model, turn.now):
            if target is None:
                turn.broadcast(event_type, data)
            else:
                turn.send(target, event_type, data)

    def _take_in(self, _turn: Turn, event: Event) -> None:
        self._absorb(self.model, event)

    @property
    def _is_captured(self) -> bool:
        found = self._certificate
        return found is not None and found.deterministic and found.captured

    def digested(self) -> State:
        """See `Member`: what the digest covers."""
        fold = self._fold
        progress = {
            "steps": int(self.model.steps),
            "running": bool(self.model.running),
            "model_rows": len(fold.row_steps),
            "agent_rows": fold.agent_rows,
            "fold": fold.chain,
            "changes": self._changes,
        }
        return {
            "generators": Records(generator_states(self.model)),
            "progress": Records(progress),
            "roster": self.roster.capture(),
        }

    def capture(self) -> State:
        """See `Member`; every object of the model, where its level is captured."""
        if self._whole is None:
            return self.digested()
        try:
            objects = self._whole.objects()
        except UncapturableError as error:
            raise MemberError(f"{self.birth.member_id}: {error}.") from None
        told = {"lineage": self.birth.lineage, "hash": _hash(objects), "changes": self._changes, **self._fold.table()}
        return {"objects": Records(objects), "roster": self.roster.capture(), "told": Records(told)}

    def check_changes(self, changes: Mapping[str, Plain]) -> None:
        """Only values of attributes may be changed from outside; who is whose is the model's own affair.

        Raises:
            CommandRefusedError: a path or a value of another kind.
        """
        for path, value in changes.items():
            section, _, rest = path.partition(".")
            attribute = rest.rpartition(".")[2]
            if section != "objects" or rest.count(".") != 1 or attribute == WHAT:
                raise CommandRefusedError(f"{path!r}: a Mesa model is changed by objects.OBJECT.ATTRIBUTE.")
            if isinstance(value, list | tuple | dict):
                raise CommandRefusedError(
                    f"{path!r}: a number, a text, true, false or null is needed, not {value!r:.80}."
                )

    def restore(self, state: State) -> None:
        """See `Member`. Objects that are not those that were told were changed from outside; the digest says so.

        Raises:
            MemberError: its level is not captured, or the objects are not those of such a model.
        """
        objects, roster, told = (state.get(name) for name in ("objects", "roster", "told"))
        if self._whole is None or not all(isinstance(one, Records) for one in (objects, roster, told)):
            raise MemberError(
                f"{self.birth.member_id} hosts a Mesa model, which cannot be restored from this; rebuild it from birth by "
                "its grants (recovery 'replayed')."
            )
        graph, known = dict(objects.objects), told.objects  # type: ignore[union-attr]
        try:
            self._whole.become(graph)
        except Exception as error:  # of objects that somebody has changed, anything may be wrong
            raise MemberError(f"{self.birth.member_id} cannot become that: {type(error).__name__}: {error}.") from None
        self._fold.restore(known)
        self.roster.restore(roster)  # type: ignore[arg-type]
        self._changes = known["changes"]
        if (found := _hash(graph)) != known["hash"]:
            self._changes = fold(self._changes, found)
        if known["lineage"] != self.birth.lineage:
            self._draw_anew()

    def _draw_anew(self) -> None:
        """Lets it draw by its own lineage from here on: it is a copy that shall live another life."""
        seed = self.birth.streams().below(SEED_STREAM, int(self.model.steps), 1, SEED_BOUND)
        self.model.random.seed(seed)
        bits = self.model.rng.bit_generator
        bits.state = type(bits)(seed).state

    def view(self) -> View:
        """See `MesaView`."""
        return MesaView(self.model, self._fold, self._summary())

    def measures(self) -> Mapping[str, float]:
        """The number of agents and the latest model variables, the finite numbers among them."""
        return {**latest_figures(self.model), "players": len(self.roster.players)}

    def _summary(self) -> dict[str, Plain]:
        collector = RowReader(self.model).collector
        certificate = self._certificate
        return {
            "model": self._path,
            "arguments": self._arguments,
            "seed": self.seed,
            "run_alone": self._run_alone(),
            "steps": int(self.model.steps),
            "running": bool(self.model.running),
            "model_rows": len(self._fold.row_steps),
            "agent_rows": self._fold.agent_rows,
            "model_columns": list(collector.model_vars) if collector is not None else [],
            "agent_columns": list(collector.agent_reporters) if collector is not None else [],
            "figures": latest_figures(self.model),
            "fold": self._fold.chain.hex(),
            "certificate": msgspec.to_builtins(certificate) if certificate is not None else None,
        }

    def _run_alone(self) -> str:
        module, _, name = self._path.partition(":")
        seed = {seed_keyword(model_class(self._path)): self.seed}
        given = ", ".join(f"{key}={value!r}" for key, value in {**self._arguments, **seed}.items())
        return f"from {module} import {name}; model = {name}({given})"


def _hash(objects: Mapping[str, Plain]) -> bytes:
    return sha256(encode(objects)).digest()


def _names(names: Iterable[str], what: str) -> frozenset[str]:
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise FactoryError(f"{what} must be a list of event types, not {names!r}.")
    return frozenset(names)


def _check_way(way: Plain) -> None:
    if way not in NONDETERMINISTIC_WAYS:
        raise FactoryError(f"nondeterministic must be one of {list(NONDETERMINISTIC_WAYS)}, not {way!r}.")


def _certificate(found: Mapping[str, Plain] | None) -> Certificate | None:
    try:
        return None if found is None else msgspec.convert(found, Certificate)
    except msgspec.ValidationError as error:
        raise FactoryError(f"certificate {dict(found or {})!r} is not what the check gives: {error}.") from None


def _check_bridges(
    emits: frozenset[str], handles: frozenset[str], subscribes: frozenset[str], publish: str, absorb: str
) -> None:
    """Both functions and what is declared for them must fit, or events would be lost in silence."""
    if bool(emits) != bool(publish):
        raise FactoryError(f"publish {publish!r} and emits {sorted(emits)} belong together; give both or neither.")
    if bool(handles) != bool(absorb):
        raise FactoryError(f"absorb {absorb!r} and handles {sorted(handles)} belong together; give both or neither.")
    if unheard := sorted(subscribes - handles):
        raise FactoryError(f"subscribes to {unheard}, which `handles` does not name; add them there.")
