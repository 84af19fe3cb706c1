"""A session as onnxruntime's, computed by several devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from legion.errors import InputError
from legion.model.model import Array, Model, Port
from legion.model.onnx_import import load_model
from legion.plan.assign import Shares
from legion.plan.executable import ExecutablePlan
from legion.plan.memory import check_memory
from legion.plan.scheme import Scheme
from legion.plan.timeline import Timeline
from legion.policy.policies import policy_named
from legion.profile.measurement_cost import MeasurementCost
from legion.profile.samples import Profile
from legion.session.cache import Cache
from legion.session.cluster import Cluster
from legion.session.feeds import check_feeds, computed_outputs, select_outputs
from legion.session.progress import Progress, silent
from legion.session.reuse import choose_once, profile_once
from legion.session.stages import Planning, lower_scheme
from legion.session.trial_store import TrialStore
from legion.session.trials import Trials


@dataclass(frozen=True, slots=True)
class NodeArgument:
    """An input or output as onnxruntime describes it: `type` reads like "tensor(float)"."""

    name: str
    shape: list[int | str | None]
    type: str


class InferenceSession:
    """Plans a model for the devices of a cluster, installs the plan, and runs it.

    `model` is an ONNX file, its bytes, or an imported Model. Without a `profile`, the devices are
    measured first. `policy` and `shares` choose the scheme; with `trials` a policy may run candidates
    on the devices before it decides; what `trials_file` holds of them is not run again, and what is run
    is added to it, so that an interrupted search goes on where it was. With a `cache`, a profile that was not given and
    a plan without a trials file are taken from there if they are there, and kept there if they are not. `batch` and
    `sizes` fix symbolic extents.

    `profile_age_s` and `plan_age_s` tell how old is what came from the cache, and are None for what did not.
    """

    def __init__(  # noqa: PLR0913 - all but two have a default that suits
        self,
        model: str | Path | bytes | Model,
        *,
        cluster: Cluster,
        policy: str = "auto",
        profile: Profile | None = None,
        shares: Shares | None = None,
        trials: bool = True,
        trials_file: str | Path | None = None,
        cache: Cache | None = None,
        batch: int = 1,
        sizes: Mapping[str, int] | None = None,
        progress: Progress = silent,
    ) -> None:
        self.model = model if isinstance(model, Model) else load_model(model, batch=batch, sizes=sizes)
        self._cluster = cluster
        self._progress = progress
        store = TrialStore(trials_file)
        training = policy_named(policy).learns
        profiled = profile_once(self.model, cluster, cache, known=profile, training=training, progress=progress)
        self.profile, self.profile_age_s = profiled.profile, profiled.age_s
        self._planning = Planning(self.model, self.profile, tuple(cluster.devices))
        self._tried: list[tuple[Scheme, ExecutablePlan]] = []
        chosen = choose_once(
            self._planning,
            policy,
            None if trials_file else cache,
            shares=shares,
            trials=Trials(cluster, self._compiled, store, progress) if trials else None,
            tried_on=cluster if trials else None,
        )
        self.choice, self._trials_cost, self.plan_age_s = chosen.choice, chosen.trials, chosen.age_s
        self.programs = self._planning.programs(self.choice.scheme)
        self.predicted: Timeline = self._planning.predict(self.programs)
        self._plan = self._compiled(self.model, self.choice.scheme)
        self._tried.clear()
        self._measured: Timeline | None = None
        self._has_run = False
        cluster.install(self._plan, progress)

    @property
    def scheme(self) -> Scheme:
        """What the policy decided."""
        return self.choice.scheme

    @property
    def measured(self) -> Timeline:
        """The timeline of the last run. Raises InputError if there was none, or another session ran since."""
        if self._measured is None:
            with self._cluster.exclusive:
                if not self._has_run or not self._cluster.controller.holds(self._plan):
                    raise InputError("nothing has been measured: this session has not run since its plan was installed")
                self._measured = self._cluster.controller.timeline()
        return self._measured

    @property
    def measurement_costs(self) -> Mapping[str, MeasurementCost]:
        """What was measured for the choice, and what that took: "comparison", "layers", "training" and "links" of
        the profile's devices, one after another, and "trials". Profiling counts even if it was done before, and so do
        kept trials.
        """
        costs = {"trials": self._trials_cost, "links": self.profile.shared_cost}
        for device in self._cluster.devices:
            for part, cost in self.profile.devices[device].costs.items():
                costs[part] = costs.get(part, MeasurementCost()) + cost
        return costs

    def get_inputs(self) -> list[NodeArgument]:
        """The model's inputs, as onnxruntime's session names them."""
        return [_argument(port) for port in self.model.inputs]

    def get_outputs(self) -> list[NodeArgument]:
        """The model's outputs, as onnxruntime's session names them."""
        return [_argument(port) for port in self.model.outputs]

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, object]) -> list[Array]:
        """One frame: the outputs asked for (all for None), in order, in the dtypes that the model declares.

        Raises InputError for feeds or names that do not fit the model, PeerError with the device's name if one
        fails; the others stay usable, and the next run tries it again, and installs the plan anew if it was lost.
        """
        ports = select_outputs(self.model, output_names)
        feeds = check_feeds(self.model, input_feed)
        self._measured, self._has_run = None, False
        computed = self._cluster.run(self._plan, feeds, computed_outputs(self.model), self._progress)
        self._has_run = True
        # An output may also be a constant of the model, or one of its inputs.
        given = {**self.model.constants, **feeds}
        return [
            computed[port.name].astype(port.type.dtype, copy=False)
            if port.name in computed
            else given[port.name].astype(port.type.dtype)
            for port in ports
        ]

    def _compiled(self, model: Model, scheme: Scheme) -> ExecutablePlan:
        """A scheme of the model, or of a part of it, ready to be installed.

        One of the model that was tried is not made again, so that it need not be installed again.
        """
        for tried, plan in self._tried:
            if tried == scheme:
                return plan
        is_whole = model is self.model
        programs = self._planning.programs(scheme) if is_whole else lower_scheme(model, scheme)
        plan = self._planning.compile(programs, model)
        check_memory(model, plan, {name: info.memory_bytes for name, info in self._cluster.devices.items()})
        if is_whole:
            self._tried.append((scheme, plan))
        return plan


def _argument(port: Port) -> NodeArgument:
    kinds = {"float32": "float", "float64": "double"}
    return NodeArgument(port.name, list(port.dims), f"tensor({kinds.get(port.type.dtype, port.type.dtype)})")
