"""A Mesa model hosted as a realm is the same model: its rows equal those of the model run alone with the same seed."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mesa")

from actors.adapters.mesa_models import make_model, model_seed
from actors.adapters.mesa_realms import MesaRealm
from actors.adapters.mesa_states import collector_rows
from actors.adapters.mesa_views import ROWS_PER_ANSWER_MAX
from actors.core.kernel.codec import encode
from actors.core.kernel.errors import CommandRefusedError, FactoryError, MemberError
from actors.core.kernel.events import Event
from actors.core.kernel.members import NONE, REPLAYED, Birth, Grant
from actors.core.kernel.seats import Seat
from actors.core.players.rosters import ROSTER_EVENTS

SCHELLING = "mesa.examples.basic.schelling.model:Schelling"
BOLTZMANN = "mesa.examples.basic.boltzmann_wealth_model.model:BoltzmannWealth"
CONTROL_TICKS = 4
LOCAL_TICKS = 10


@pytest.fixture(autouse=True)
def users_own_folder(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "models"))


def birth(seed=7, name="mesa_1"):
    return Birth(name, seed, name, LOCAL_TICKS)


class Hosted:
    """A realm in a seat, and the grants it was given."""

    def __init__(self, born=None, **params):
        self.born = born or birth()
        self.realms = []
        self.seat = Seat(self.born, self.make(params))
        self.number = 0

    def make(self, params):
        def make(born):
            self.realms.append(MesaRealm(born, **params))
            return self.realms[-1]

        return make

    @property
    def realm(self):
        return self.realms[-1]

    def advance(self, *inbox, local_ticks=LOCAL_TICKS):
        self.number += 1
        return self.seat.advance(Grant(1, "main", self.number, self.number, local_ticks, inbox))

    def run(self, control_ticks=CONTROL_TICKS):
        return [self.advance() for _ in range(control_ticks)]

    def ask(self, verb, **arguments):
        return self.seat.query(verb, arguments)["value"]


def run_alone(path, seed, steps, **arguments):
    model = make_model(path, arguments, seed)
    for _ in range(steps):
        if model.running:
            model.step()
    return model


def told(event_type, data, number=0):
    return Event(f"o{number}", "@outside", number, "mesa_1", event_type, encode(data), 0, 1)


@pytest.mark.parametrize("path", [SCHELLING, BOLTZMANN])
def test_the_rows_of_a_shipped_model_are_those_of_the_model_run_alone(path):
    pytest.importorskip("networkx", reason="mesa.examples imports it")
    hosted = Hosted(model=path)
    hosted.run()
    alone = run_alone(path, model_seed(birth()), CONTROL_TICKS * LOCAL_TICKS)
    rows = collector_rows(alone)
    assert collector_rows(hosted.realm.model) == rows
    model_rows = [row["values"] for row in rows if row["table"] == "model"]
    agent_rows = [row["values"] for row in rows if row["table"] == "agents"]
    assert len(model_rows) > 5
    assert len(agent_rows) > 500
    assert [row["values"] for row in hosted.ask("model_rows")] == model_rows
    asked = [row for step in range(alone.steps + 1) for row in hosted.ask("agent_rows", step=step)]
    assert [{"Step": row["step"], "AgentID": row["agent"], **row["values"]} for row in asked] == agent_rows


@pytest.mark.parametrize("path", [SCHELLING, BOLTZMANN])
def test_another_seed_gives_other_rows_and_another_digest(path):
    pytest.importorskip("networkx", reason="mesa.examples imports it")
    hosted = [Hosted(model=path), Hosted(birth(seed=8), model=path), Hosted(model=path, seed=11)]
    digests = [each.run()[-1].digest for each in hosted]
    rows = [collector_rows(each.realm.model) for each in hosted]
    assert len(set(digests)) == 3
    assert rows[0] != rows[1] != rows[2] != rows[0]


def test_the_seed_follows_the_lineage_unless_it_is_given():
    assert model_seed(birth()) == model_seed(birth()) != model_seed(birth(name="mesa_2"))
    assert model_seed(birth(), 5) == 5
    for bad in (-1, 1 << 63, True, 1.5):
        with pytest.raises(FactoryError, match="seed"):
            model_seed(birth(), bad)


def test_run_alone_is_a_line_that_gives_the_same_rows():
    hosted = Hosted(model="mesa_samples:Walkers", arguments={"n": 3})
    hosted.run(1)
    line = hosted.ask("summary")["run_alone"]
    names = {}
    exec(line, names)
    for _ in range(LOCAL_TICKS):
        names["model"].step()
    assert collector_rows(names["model"]) == collector_rows(hosted.realm.model)
    assert {row["table"] for row in collector_rows(names["model"])} == {
        "model",
        "agents",
        "agents of Walker",
        "table milestones",
    }


def test_a_model_that_has_stopped_stands_still_and_lives_on():
    hosted = Hosted(model="mesa_samples:Walkers", arguments={"days": 12}, absorb="mesa_samples:tax", handles=["levy"])
    hosted.run(2)
    before = collector_rows(hosted.realm.model)
    outbox = hosted.advance(told("levy", {"by": 2}))
    assert outbox.failure is None
    assert outbox.local_tick == 3 * LOCAL_TICKS
    assert hosted.realm.model.steps == 12
    assert collector_rows(hosted.realm.model) == before
    assert hosted.realm.model.tax == 2
    assert hosted.ask("summary")["running"] is False


def test_what_a_model_publishes_is_sent_or_broadcast():
    hosted = Hosted(model="mesa_samples:Walkers", publish="mesa_samples:publish_means", emits=["mean"])
    events = hosted.advance().events
    means = [row["values"]["mean"] for row in hosted.ask("model_rows")][1:]
    assert [event.data["mean"] for event in events if event.target is None] == means
    assert [event.data["now"] for event in events if event.target is None] == list(range(LOCAL_TICKS))
    assert [(event.target, event.data) for event in events if event.target] == [("berlin", {"only": "for berlin"})]


def test_what_a_model_absorbs_is_there_in_the_first_step_after():
    hosted = Hosted(model="mesa_samples:Walkers", absorb="mesa_samples:tax", handles=["levy"], subscribes=["levy"])
    hosted.advance()
    hosted.advance(told("levy", {"by": 3}), told("levy", {"by": 4}, 1))
    taxes = [row["values"]["tax"] for row in hosted.ask("model_rows")]
    assert taxes == [0] * 11 + [7] * 10
    assert hosted.seat.contract.subscribes == {"levy"} == hosted.seat.contract.handles - set(ROSTER_EVENTS)


@pytest.mark.parametrize("publish", ["publish_badly", "publish_undeclared", "publish_object"])
def test_a_bad_publish_is_the_members_failure(publish):
    hosted = Hosted(model="mesa_samples:Walkers", publish=f"mesa_samples:{publish}", emits=["mean"])
    assert "MemberError" in hosted.advance().failure.message


def test_after_an_exception_the_realm_is_rebuilt_from_birth_by_its_grants():
    params = {"model": "mesa_samples:Walkers", "absorb": "mesa_samples:tax_or_fall", "handles": ["levy"]}
    fallen, upright = Hosted(**params), Hosted(**params)
    for number in range(3):
        event = told("levy", {"by": 1}, number)
        assert fallen.advance(event).digest == upright.advance(event).digest
    outbox = fallen.advance(told("levy", {"by": 13}))
    assert outbox.failure.message == "ValueError: thirteen"
    assert outbox.local_tick == 3 * LOCAL_TICKS
    assert fallen.seat.status().digest == upright.seat.status().digest
    for _ in range(2):
        assert fallen.advance().digest == upright.advance().digest
    assert len(fallen.realms) == 2
    assert collector_rows(fallen.realm.model) == collector_rows(upright.realm.model)


def test_its_state_cannot_be_restored():
    hosted = Hosted(model="mesa_samples:Walkers")
    with pytest.raises(MemberError, match="rebuild it from birth"):
        hosted.realm.restore(hosted.realm.capture())
    assert hosted.seat.contract.recovery == REPLAYED


def test_the_digest_covers_rows_and_both_generators():
    def digest(change):
        hosted = Hosted(model="mesa_samples:Walkers")
        change(hosted.realm.model)
        return hosted.advance(local_ticks=1).digest

    def change_row(model):
        model.tax = 1

    changes = (lambda model: None, lambda model: model.random.random(), lambda model: model.rng.random(), change_row)
    assert len({digest(change) for change in changes}) == 4
    assert digest(changes[0]) == digest(changes[0])


def test_a_model_that_collects_nothing_is_digested_by_its_attributes():
    one, other = Hosted(model="mesa_samples:Bare"), Hosted(model="mesa_samples:Bare")
    assert one.advance().digest == other.advance().digest
    other.realm.model.agents[2].place += 1
    assert one.advance().digest != other.advance().digest
    assert collector_rows(one.realm.model) == one.ask("model_rows") == one.ask("agent_rows", step=1) == []


def test_odd_cells_are_shown_as_plain_data():
    hosted = Hosted(model="mesa_samples:OddCells")
    hosted.advance()
    assert hosted.ask("model_rows", start=10)[0]["values"] == {
        "nan": None,
        "none": None,
        "array": [0, 1, 2],
        "small": 0.5,
        "flag": True,
        "infinite": float("inf"),
    }
    assert hosted.seat.status().measures == {"agents": 6.0, "small": 0.5, "players": 0.0}
    encode(hosted.ask("model_rows"))


def test_a_cell_without_canonical_form_is_refused_by_the_name_of_its_column():
    with pytest.raises(MemberError, match=r"'first_agent'.*'model'.*object"):
        MesaRealm(birth(), model="mesa_samples:ReportsObject")


def test_a_step_that_is_collected_twice_is_hashed_again():
    hosted = Hosted(model="mesa_samples:Walkers")
    model = hosted.realm.model
    before = hosted.realm._fold.chain
    model.agents[0].place = 99.0
    model.datacollector.collect(model)
    hosted.realm._fold.take()
    assert hosted.realm._fold.chain != before
    assert [table.table for table in hosted.realm._fold.latest] == ["model", "agents", "agents of Walker"]
    assert hosted.realm._fold.latest[1].rows[0][2] == 99.0


def test_a_published_view_does_not_change_when_the_model_steps():
    hosted = Hosted(model="mesa_samples:Walkers")
    hosted.advance()
    view = hosted.realm.view()
    before = [view.query("summary", {}), view.query("model_rows", {}), view.query("agent_rows", {"step": 11})]
    hosted.advance()
    assert [view.query("summary", {}), view.query("model_rows", {}), view.query("agent_rows", {"step": 11})] == before
    assert before[2] == []
    assert len(hosted.ask("agent_rows", step=11)) == 6


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("rows", {}),
        ("model_rows", {"begin": 1}),
        ("model_rows", {"start": -1}),
        ("model_rows", {"limit": ROWS_PER_ANSWER_MAX + 1}),
        ("agent_rows", {}),
        ("agent_rows", {"step": "1"}),
    ],
)
def test_questions_that_do_not_fit_are_refused(verb, arguments):
    with pytest.raises(CommandRefusedError):
        Hosted(model="mesa_samples:Walkers").ask(verb, **arguments)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"model": "mesa_samples"}, "module:name"),
        ({"model": "mesa_samples:Nobody"}, "has no 'Nobody'"),
        ({"model": "nowhere_at_all:Model"}, "no module 'nowhere_at_all'"),
        ({"model": "mesa_samples:NoModel"}, "no subclass of mesa.Model"),
        ({"model": "mesa_samples:ByScenario"}, "takes neither 'seed' nor 'rng'"),
        ({"arguments": {"seed": 3}}, "own parameter 'seed'"),
        ({"arguments": {"size": 3}}, "could not be made: TypeError"),
        ({"nondeterministic": "trust"}, "nondeterministic"),
        ({"publish": "mesa_samples:publish_means"}, "belong together"),
        ({"handles": ["levy"]}, "belong together"),
        ({"publish": "mesa_samples:NOT_A_FUNCTION", "emits": ["mean"]}, "not a function"),
        ({"absorb": "mesa_samples:tax", "handles": ["levy"], "subscribes": ["song"]}, "subscribes to"),
        ({"emits": "mean", "publish": "mesa_samples:publish_means"}, "list of event types"),
        ({"certificate": {"sure": True}}, "certificate"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(params, sentence):
    with pytest.raises(FactoryError, match=sentence):
        MesaRealm(birth(), **{"model": "mesa_samples:Walkers", **params})


def test_the_example_bridges_talk_and_leave_the_rows_alone(monkeypatch):
    pytest.importorskip("networkx", reason="mesa.examples imports it")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    bridges = "examples.realms.mesa_bridges"
    news = {"absorb": f"{bridges}:count_news", "handles": ["world_event"], "subscribes": ["world_event"]}
    said = {}
    for path, publish in ((BOLTZMANN, "gossip_of_wealth"), (SCHELLING, "gossip_of_neighbours")):
        hosted = Hosted(model=path, publish=f"{bridges}:{publish}", emits=["rumour"], **news)
        said[path] = list(hosted.advance(told("world_event", {})).events)
        for outbox in hosted.run(9):
            said[path] += outbox.events
        assert collector_rows(hosted.realm.model) == collector_rows(run_alone(path, model_seed(birth()), 100))
        assert hosted.realm.model.news_heard == {"world_event": 1}
    assert said[BOLTZMANN]
    assert [event.data["tone"] for event in said[SCHELLING]] == [80]
    for event in (*said[BOLTZMANN], *said[SCHELLING]):
        assert event.target is None
        assert set(event.data) == {"topic", "origin", "hops", "hops_max", "tone"}


def in_fresh_interpreter(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=None)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_adapter_does_not_import_mesa():
    program = "import sys, actors.adapters.mesa_realms as m; print('mesa' in sys.modules, 'pandas' in sys.modules)"
    assert in_fresh_interpreter(program) == "False False"


def test_hosting_a_shipped_model_imports_no_visualisation():
    pytest.importorskip("networkx", reason="mesa.examples imports it")
    program = (
        "import sys; from actors.adapters.mesa_models import make_model;"
        f"make_model({SCHELLING!r}, {{}}, 1);"
        "print([n for n in ('solara', 'matplotlib', 'altair', 'mesa.visualization', 'ray') if n in sys.modules])"
    )
    assert in_fresh_interpreter(program) == "[]"


def test_without_mesa_the_error_names_the_extra():
    program = (
        "import sys; sys.modules['mesa'] = None\n"
        "from actors.adapters.mesa_realms import MesaRealm\n"
        "from actors.core.kernel.members import Birth\n"
        "from actors.core.kernel.errors import FactoryError\n"
        f"try: MesaRealm(Birth('a', 1, 'a'), model={SCHELLING!r})\n"
        "except FactoryError as error: print(error)"
    )
    assert "pip install 'soulfra-multiverse[mesa]'" in in_fresh_interpreter(program)


def test_recovery_none_is_shown_with_its_reason():
    certificate = {"deterministic": False, "steps": 5, "rows": 6, "reason": "column 'tax' differs."}
    contract = MesaRealm(birth(), model="mesa_samples:Walkers", certificate=certificate).contract
    assert (contract.kind, contract.recovery) == ("mesa", NONE)
    assert contract.notes == "Not deterministic: column 'tax' differs."
