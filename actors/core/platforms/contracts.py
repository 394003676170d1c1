"""Contracts, of four kinds.

Of consciousness (a birth), of deployment (the society goes to work), binding ones (a goal, an agreement), and eternal ones,
which nobody can change any more.
"""

from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from actors.core.kernel.codec import encode
from actors.core.kernel.errors import CommandRefusedError
from actors.core.platforms.schemas import Id, Line, Part, Seal, Shelf, Whole, numbered

CONTRACTS_MAX = 64
PARTIES_MAX = 8
ETERNAL = "eternal"

ContractKind = Literal["consciousness", "deployment", "binding", "eternal"]


class Contract(Part, frozen=True):
    """A contract.

    Attributes:
        kind: see the module.
        parties: who is to sign.
        signed: who has, in the order in which they did.
        terms: for people.
        item: a validation that becomes valid when all have signed, or "".
        made_at: local tick.
        order: how many were made before.
        seal: of an eternal one, the SHA-256 of all the others; else "".
    """

    kind: ContractKind
    parties: Annotated[tuple[Id, ...], msgspec.Meta(min_length=1, max_length=PARTIES_MAX)]
    signed: Annotated[tuple[Id, ...], msgspec.Meta(max_length=PARTIES_MAX)]
    terms: Line
    item: Annotated[str, msgspec.Meta(max_length=128)]
    made_at: Whole
    order: Whole
    seal: Seal

    @property
    def in_force(self) -> bool:
        """Whether all parties have signed."""
        return len(self.signed) == len(self.parties)


def made(
    contracts: Shelf[Contract], kind: str, parties: tuple[str, ...], terms: str, item: str, now: int, order: int
) -> str:
    """Enters a contract; its id. An eternal one is signed by all at once; the oldest that is not eternal may go for it."""
    is_eternal = kind == ETERNAL
    seal = _seal(parties, terms, now, order) if is_eternal else ""
    contract = Contract(kind, parties, parties if is_eternal else (), terms, item, now, order, seal)  # type: ignore[arg-type]
    contract_id = numbered("contract", order)
    contracts.push(contract_id, contract, lambda one: one.order + (2**60 if one.kind == ETERNAL else 0))
    return contract_id


def signed(contracts: Shelf[Contract], contract_id: object, party: object) -> Contract:
    """Lets a party sign; the contract as it is then.

    Raises:
        CommandRefusedError: no such contract, an eternal one, not one of its parties, or one that has signed.
    """
    contract = contracts.parts.get(contract_id) if isinstance(contract_id, str) else None
    if contract is None or not isinstance(contract_id, str):
        raise CommandRefusedError(f"there is no contract {contract_id!r:.80}; ask Protocol for its contracts.")
    if contract.kind == ETERNAL:
        raise CommandRefusedError(f"{contract_id} is eternal: nobody changes it, not even by a signature.")
    if party not in contract.parties:
        raise CommandRefusedError(
            f"{party!r:.80} is no party of {contract_id}; its parties are {', '.join(contract.parties)}."
        )
    if party in contract.signed:
        raise CommandRefusedError(f"{party} has signed {contract_id} already.")
    return contracts.change(contract_id, signed=(*contract.signed, party))


def check_contract(contract_id: str, contract: Contract) -> None:
    """Whether a contract of a state from outside fits together.

    Raises:
        ValueError: it does not, or it is an eternal one that was changed.
    """
    if len(set(contract.parties)) != len(contract.parties) or len(set(contract.signed)) != len(contract.signed):
        raise ValueError(f"contracts.{contract_id} names a party twice")
    if not set(contract.signed) <= set(contract.parties):
        raise ValueError(f"contracts.{contract_id} is signed by somebody who is no party of it")
    sealed = _seal(contract.parties, contract.terms, contract.made_at, contract.order)
    if contract.seal != (sealed if contract.kind == ETERNAL else ""):
        raise ValueError(f"contracts.{contract_id} is not what was sealed: an eternal contract is immutable")
    if contract.kind == ETERNAL and not contract.in_force:
        raise ValueError(f"contracts.{contract_id} is eternal and must be signed by all its parties")


def _seal(parties: tuple[str, ...], terms: str, now: int, order: int) -> str:
    return sha256(encode([parties, terms, now, order])).hexdigest()
