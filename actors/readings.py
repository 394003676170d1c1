"""What readers see of a boundary: plain data, made of the rules' tables while everything stands still."""

from collections.abc import Mapping
from typing import Any

from actors.core.kernel.codec import Plain
from actors.core.kernel.lanes import Whereabouts
from actors.core.kernel.sequencing import Sequencer


def described(sequencer: Sequencer, elapsed_total_ms: float) -> dict[str, Any]:
    """What the multiverse is at a boundary; see `Status`.

    Args:
        sequencer: standing there.
        elapsed_total_ms: how long all control ticks so far have taken.
    """
    totals, settings = sequencer.totals, sequencer.settings
    synced = sequencer.control_tick
    delivered = totals.events_propagated
    return {
        "boundary": sequencer.boundary,
        "control_tick_id": sequencer.control_tick,
        "games": [
            {
                "realm_id": realm_id,
                "state": seated.state,
                "stat7_key": seated.registration.stat7_key if seated.registration is not None else "",
                "kind": seated.contract.kind,
                "recovery": seated.contract.recovery,
                "notes": seated.contract.notes,
                "local_tick": seated.local_tick,
                "period": seated.period,
                "role": seated.role,
                "fork": seated.domain,
                "measures": seated.measures,
                "digest": seated.digest.hex(),
                "error": "" if seated.error is None else seated.error.message,
                "traceback": "" if seated.error is None else seated.error.traceback,
            }
            for realm_id, seated in sequencer.games.items()
        ],
        "instances": sequencer.instances_shown(),
        "pending_events": sum(post.pending() for post in sequencer.posts.values()),
        "events_propagated": delivered,
        "dead_letters": sum(post.dead_letters_count for post in sequencer.posts.values()),
        "cascades_cut": totals.cascades_cut,
        "mean_sync_ms": elapsed_total_ms / synced if synced else 0.0,
        "mean_event_latency_ms": (
            totals.latency_control_ticks / delivered * settings.control_tick_ms if delivered else 0.0
        ),
        "digest_chain": sequencer.chain.hex(),
    }


def dead_letters_of(sequencer: Sequencer) -> list[dict[str, Plain]]:
    """Dead letters that are kept whole."""
    return [
        {
            "event_id": letter.event.event_id,
            "source": letter.event.source,
            "target": letter.target,
            "event_type": letter.event.event_type,
            "control_tick_id": letter.control_tick,
            "reason": letter.reason,
            "fork": domain,
        }
        for domain, post in sequencer.posts.items()
        for letter in post.dead_letters
    ]


def audit_of(sequencer: Sequencer) -> dict[str, Any]:
    """Totals since the beginning: deliveries by type, and for each conserved quantity what is and what should be."""
    return {
        "delivered_by_type": dict(sorted(sequencer.totals.delivered_by_type.items())),
        "conservation": sequencer.conservation(),
    }


def members_of(sequencer: Sequencer, whereabouts: Mapping[str, Whereabouts]) -> list[dict[str, Plain]]:
    """Every member: id, kind, state, local tick, process id, node.

    Args:
        sequencer: standing at a boundary.
        whereabouts: where their hosts live, as far as it is known.
    """
    return [
        {
            "member_id": member_id,
            "kind": seated.contract.kind,
            "state": seated.state,
            "local_tick": seated.local_tick,
            "recovery": seated.contract.recovery,
            "process_id": whereabouts[member_id].process_id if member_id in whereabouts else 0,
            "node": whereabouts[member_id].node if member_id in whereabouts else "",
        }
        for member_id, seated in sorted(sequencer.members.items())
    ]
