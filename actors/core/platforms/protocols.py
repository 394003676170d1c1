"""Protocol, the platform of law: validates what Runtime asks by a table of rules, keeps contracts, scores compliance."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from actors.core.kernel.codec import Plain
from actors.core.kernel.errors import CallerError, CommandRefusedError
from actors.core.kernel.events import Event
from actors.core.kernel.instances import MIRROR, PROTOCOL, RUNTIME
from actors.core.kernel.members import Birth, Turn
from actors.core.kernel.modifications import parted
from actors.core.platforms import bridges, contracts, messages, rules
from actors.core.platforms.fixed_parts import Fixed
from actors.core.platforms.members import BRIDGE_EVENTS, NO_REFUSALS, Platform, Refusals
from actors.core.platforms.messages import ItemKind, ProtocolObservation, Validated, ValidationRequest, ValidationSeen
from actors.core.platforms.schemas import NOW, Id, Line, Part, Shelf, Whole
from actors.core.platforms.views import Questions
from actors.core.realms.tick_engines import command, on

VALIDATIONS_MAX = 64


class Validation(Part, frozen=True):
    """What was decided on an item.

    Attributes:
        kind: of the item.
        valid: whether it may be.
        rule: the rule that it broke, or "".
        at: local tick.
        asked_by: who asked.
        order: how many were decided before.
    """

    kind: ItemKind
    valid: bool
    rule: Line
    at: Whole
    asked_by: Id
    order: Whole


class Vitals(Part, frozen=True):
    """How Protocol stands.

    Attributes:
        now: local tick at the last end of a control tick.
        refused: mail that may not be.
        validated: items decided.
        denied: of those, the invalid ones.
        contracts: made.
        asked_now, valid_now: since the last control tick.
        reported: validations that Mirror has been told of.
    """

    now: Whole
    refused: Refusals
    validated: Whole
    denied: Whole
    contracts: Whole
    asked_now: Whole
    valid_now: Whole
    reported: Whole


class ProtocolPlatform(Platform):
    """A Protocol."""

    kind = "protocol"
    role = PROTOCOL
    emits = BRIDGE_EVENTS | {bridges.OBSERVATION, messages.VALIDATED}
    fixed: ClassVar[Fixed] = {"vitals": Vitals.__struct_fields__}
    questions: ClassVar[Questions] = {
        "rules": ("rules", ""),
        "validations": ("validations", ""),
        "validation": ("validations", "item_id"),
        "contracts": ("contracts", ""),
        "contract": ("contracts", "contract_id"),
        "compliance": ("compliance", ""),
        "vitals": ("vitals", ""),
    }
    answers: ClassVar[Mapping[str, str]] = {"compliance": "tell_compliance"}

    def __init__(self, birth: Birth) -> None:
        super().__init__(birth)
        self.rules: Shelf[rules.Rule] = Shelf("rules", rules.Rule, rules.RULES_MAX)
        self.rules.parts = dict(rules.RULES)
        self.validations: Shelf[Validation] = Shelf("validations", Validation, VALIDATIONS_MAX)
        self.contracts: Shelf[contracts.Contract] = Shelf("contracts", contracts.Contract, contracts.CONTRACTS_MAX)
        self.compliance: Shelf[rules.Compliance] = Shelf("compliance", rules.Compliance, 1, 1)
        self.compliance[NOW] = rules.Compliance(1.0, "excellent")
        self.vitals: Shelf[Vitals] = Shelf("vitals", Vitals, 1, 1)
        self.vitals[NOW] = Vitals(0, NO_REFUSALS, 0, 0, 0, 0, 0, 0)
        self.shelves: tuple[Shelf[Any], ...] = (
            self.rules,
            self.validations,
            self.contracts,
            self.compliance,
            self.vitals,
        )

    def close(self, turn: Turn) -> None:
        """See `Platform`. The score moves once per control tick in which something was asked."""
        vitals = self.vitals[NOW]
        self.compliance[NOW] = rules.after_control_tick(self.compliance[NOW], vitals.valid_now, vitals.asked_now)
        self.vitals.change(NOW, asked_now=0, valid_now=0, reported=vitals.validated)
        compliance = self.compliance[NOW]
        told = {
            item_id: ValidationSeen(found.kind, found.valid)
            for item_id, found in self.validations.items()
            if found.order >= vitals.reported
        }
        seen = ProtocolObservation(turn.now, compliance.score, compliance.level, told, vitals.denied)
        self.observe(turn, seen)

    # What is asked

    @on(messages.REQUEST_VALIDATION)
    def take_validation_request(self, turn: Turn, event: Event) -> None:
        """Decides on an item; Runtime is told what it asked for, and nobody else is."""
        asked = self.heard(event, ValidationRequest, None)
        if asked is None:
            return
        if event.source != RUNTIME and not self._may_be_asked(event, asked.item):
            return
        found = self._decide(asked, turn.now, event.origin)
        if event.source == RUNTIME:
            self.say(turn, RUNTIME, messages.VALIDATED, Validated(asked.item, asked.kind, found.valid, found.rule))

    def _may_be_asked(self, event: Event, item_id: str) -> bool:
        """Whether somebody who is not Runtime may ask about an item: not about one that Runtime asked about."""
        known = self.validations.parts.get(item_id)
        if known is not None and known.asked_by == RUNTIME:
            self.refuse(event, f"{item_id!r} is Runtime's; only Runtime asks about it again.")
            return False
        return True

    @on(messages.SIGNATURE)
    def take_signature(self, turn: Turn, event: Event) -> None:
        """A signature that comes as mail."""
        told = self.heard(event, messages.Signature, None)
        if told is None:
            return
        try:
            self._sign(told.contract, told.party)
        except CallerError as error:
            self.refuse(event, error.message)

    @on(messages.FOUNDED)
    def take_contract(self, turn: Turn, event: Event) -> None:
        """A contract that follows from what happened in Runtime; its parties have signed by taking part."""
        told = self.heard(event, messages.Founded, (RUNTIME,))
        if told is None:
            return
        contract_id = self._make(told.kind, told.parties, told.terms, "", turn.now)
        for party in told.parties if told.kind != contracts.ETERNAL else ():
            self._sign(contract_id, party)

    @on(messages.PATTERN)
    def hear_pattern(self, turn: Turn, event: Event) -> None:
        """Mirror's patterns are heard by everybody; law does not bend to them."""
        self.heard(event, messages.PatternSeen, (MIRROR,))

    @command
    def request_validation(self, turn: Turn, item_id: Plain, kind: Plain, facts: Plain) -> Plain:
        """Asks whether something may be; returns the validation. It does not change what Runtime asked about.

        Raises:
            CommandRefusedError: values that do not fit, or an item of Runtime's.
        """
        try:
            asked = msgspec.convert({"item": item_id, "kind": kind, "facts": facts}, ValidationRequest)
        except msgspec.ValidationError as error:
            raise CommandRefusedError(f"the request does not fit: {error}.") from None
        if not asked.item.isprintable():
            raise CommandRefusedError(f"item_id {item_id!r:.80} must be printable.")
        known = self.validations.parts.get(asked.item)
        if known is not None and known.asked_by == RUNTIME:
            raise CommandRefusedError(f"{item_id!r} is Runtime's; only Runtime asks about it again.")
        return msgspec.to_builtins(self._decide(asked, turn.now, "@command"))

    @command
    def propose_contract(self, turn: Turn, kind: Plain, parties: Plain, terms: Plain, item_id: Plain = "") -> Plain:
        """Enters a contract for its parties to sign; returns its id. When all have, its item, if it has one, is valid.

        Raises:
            CommandRefusedError: values that do not fit.
        """
        try:
            told = msgspec.convert({"kind": kind, "parties": parties, "terms": terms}, messages.Founded)
        except msgspec.ValidationError as error:
            raise CommandRefusedError(f"the contract does not fit: {error}.") from None
        if len(set(told.parties)) != len(told.parties):
            raise CommandRefusedError("the contract names a party twice; name each once.")
        if item_id != "" and (not isinstance(item_id, str) or item_id not in self.validations):
            raise CommandRefusedError(f"there is no validation {item_id!r:.80}; name one that was asked for.")
        return {"contract_id": self._make(told.kind, told.parties, told.terms, str(item_id), turn.now)}

    @command
    def sign(self, turn: Turn, contract_id: Plain, party: Plain) -> Plain:
        """Lets a party sign a contract; returns it.

        Raises:
            CommandRefusedError: no such contract, an eternal one, or a party that may not.
        """
        return msgspec.to_builtins(self._sign(contract_id, party))

    def _decide(self, asked: ValidationRequest, now: int, asked_by: str) -> Validation:
        vitals = self.vitals[NOW]
        rule = rules.broken_rule(self.rules.parts, asked.kind, asked.facts)
        found = Validation(asked.kind, not rule, rule, now, asked_by[:128], vitals.validated)
        self.validations.push(asked.item, found, lambda one: one.order)
        self.vitals.change(
            NOW,
            validated=vitals.validated + 1,
            denied=vitals.denied + bool(rule),
            asked_now=vitals.asked_now + 1,
            valid_now=vitals.valid_now + (not rule),
        )
        return found

    def _make(self, kind: str, parties: tuple[str, ...], terms: str, item: str, now: int) -> str:
        order = self.vitals[NOW].contracts
        self.vitals.change(NOW, contracts=order + 1)
        return contracts.made(self.contracts, kind, parties, terms, item, now, order)

    def _sign(self, contract_id: object, party: object) -> contracts.Contract:
        contract = contracts.signed(self.contracts, contract_id, party)
        if contract.in_force and contract.item in self.validations:
            self.validations.change(contract.item, valid=True, rule="")
        return contract

    # The bridge and the state

    def tell_compliance(self) -> Plain:
        """What the bridge is told of compliance."""
        return msgspec.to_builtins(self.compliance[NOW])

    def check_changes(self, changes: Mapping[str, Plain]) -> None:
        """See `Platform`. An eternal contract is fixed as a whole."""
        super().check_changes(changes)
        for path in sorted(changes):
            section, rest = parted(path)
            one = parted(rest)[0]
            named = self.contracts.parts if one == "*" else [one]
            for contract_id in named if section == "contracts" else ():
                if contract_id in self.contracts and self.contracts[contract_id].kind == contracts.ETERNAL:
                    raise CommandRefusedError(f"{path!r}: {contract_id} is eternal and immutable.")

    def check(self) -> None:
        """See `Platform`."""
        rules.check_rules(self.rules.parts)
        for contract_id, contract in self.contracts.items():
            contracts.check_contract(contract_id, contract)
        compliance = self.compliance.parts.get(NOW)
        if compliance is None or compliance.level != rules.level_of(compliance.score):
            raise ValueError(f"compliance has the one object {NOW!r}, whose level must be that of its score")

    def measures(self) -> Mapping[str, float]:
        """See `Member`."""
        vitals = self.vitals[NOW]
        return {
            "validations": vitals.validated,
            "denials": vitals.denied,
            "compliance": self.compliance[NOW].score,
            "contracts": vitals.contracts,
        }
