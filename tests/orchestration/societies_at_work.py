"""What tests of god mode do to a multiverse in which a society lives."""


def god(mv, kind, **more):
    return mv.god_mode_command({"type": kind, **more})


def intervene(mv, who, kind, **more):
    return god(mv, "PUPPET_MASTER_INTERVENTION", instance=who, intervention={"kind": kind, **more}).outcome


def agents(mv, who="alpha"):
    return mv.query(mv.instance(who)["runtime"], "agents")
