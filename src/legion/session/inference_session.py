"""A session as onnxruntime's, computed by several devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from legion.errors import InputError, LegionError
from legion.model.model import Array, Model, Port
from legion.model.onnx_import import load_model
from legion.plan.assign import Shares
from legion.plan.executable import ExecutablePlan
from legion.plan.memory import check_memory
from legion.plan.scheme import Scheme
from legion.plan.timeline import Timeline
from legion.policy.base import Choice
from legion.profile.samples import Profile
from legion.session.cluster import Cluster
from legion.session.feeds import check_feeds, sample_feeds, select_outputs
from legion.session.progress import Progress, silent
from legion.session.stages import Planning, profile_devices

TRIAL_WARMUPS = 1
TRIAL_FRAMES = 5


@dataclass(frozen=True, slots=True)
class NodeArgument:
    """An input or output as onnxruntime describes it: `type` reads like "tensor(float)"."""

    name: str
    shape: list[int | str]
    type: str


class InferenceSession:
    """Plans a model for the devices of a cluster, installs the plan, and runs it.

    `model` is an ONNX file, its bytes, or an imported Model. Without a `profile`, the devices are
    measured first. `policy` and `shares` choose the scheme; with `trials` a policy may run candidates
    on the devices before it decides. `batch` and `sizes` fix symbolic extents.
    """

    def __init__(  # noqa: PLR0913 - all but two have a default that suits
        self,
        model: str | Path | bytes | Model,
        *,
        cluster: Cluster,
        policy: str = "legion",
        profile: Profile | None = None,
        shares: Shares | None = None,
        trials: bool = True,
        batch: int = 1,
        sizes: Mapping[str, int] | None = None,
        progress: Progress = silent,
    ) -> None:
        self.model = model if isinstance(model, Model) else load_model(model, batch=batch, sizes=sizes)
        self._cluster = cluster
        self._progress = progress
        self.profile = profile_devices(self.model, cluster, known=profile, progress=progress)
        self._planning = Planning(self.model, self.profile, tuple(cluster.devices))
        made = {tensor for layer in self.model.layers for tensor in layer.outputs}
        self._computed = [port.name for port in self.model.outputs if port.name in made]
        self._tried: list[tuple[Scheme, ExecutablePlan]] = []
        self.choice: Choice = self._planning.choose(policy, shares=shares, trial=self._trial if trials else None)
        self.programs = self._planning.programs(self.choice.scheme)
        self.predicted: Timeline = self._planning.predict(self.programs)
        self._plan = self._compiled(self.choice.scheme)
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
            if not self._has_run or not self._cluster.holds(self._plan):
                raise InputError("nothing has been measured: this session has not run since its plan was installed")
            self._measured = self._cluster.controller.timeline()
        return self._measured

    def get_inputs(self) -> list[NodeArgument]:
        """The model's inputs, as onnxruntime's session names them."""
        return [_argument(port) for port in self.model.inputs]

    def get_outputs(self) -> list[NodeArgument]:
        """The model's outputs, as onnxruntime's session names them."""
        return [_argument(port) for port in self.model.outputs]

    def run(self, output_names: Sequence[str] | None, input_feed: Mapping[str, object]) -> list[Array]:
        """One frame: the outputs asked for (all for None), in order, in the dtypes that the model declares.

        Raises InputError for feeds or names that do not fit the model, PeerError with the device's name if one
        fails; the others stay usable, and the next run installs the plan anew.
        """
        ports = select_outputs(self.model, output_names)
        feeds = check_feeds(self.model, input_feed)
        self._measured, self._has_run = None, False
        computed = self._frame(self._plan, feeds)
        self._has_run = True
        # An output may also be a constant of the model, or one of its inputs.
        answers = {**self.model.constants, **feeds, **computed}
        return [answers[port.name].astype(port.type.dtype, copy=False) for port in ports]

    def _frame(self, plan: ExecutablePlan, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        self._cluster.install(plan, self._progress)
        try:
            return self._cluster.controller.run(feeds, self._computed)
        except (LegionError, KeyboardInterrupt):
            self._cluster.forget_plan()
            raise

    def _trial(self, scheme: Scheme) -> float:
        """Median seconds of a few frames of a scheme on the devices, after a warm-up."""
        plan = self._compiled(scheme)
        feeds = sample_feeds(self.model)
        latencies_s: list[float] = []
        for frame in range(TRIAL_WARMUPS + TRIAL_FRAMES):
            self._progress("running a trial", frame / (TRIAL_WARMUPS + TRIAL_FRAMES))
            self._frame(plan, feeds)
            latencies_s.append(self._cluster.controller.timeline().latency_s)
        return median(latencies_s[TRIAL_WARMUPS:])

    def _compiled(self, scheme: Scheme) -> ExecutablePlan:
        """The scheme's plan; one that was tried is not made again, so that it need not be installed again."""
        for tried, plan in self._tried:
            if tried == scheme:
                return plan
        plan = self._planning.compile(self._planning.programs(scheme))
        check_memory(self.model, plan, {name: info.memory_bytes for name, info in self._cluster.devices.items()})
        self._tried.append((scheme, plan))
        return plan


def _argument(port: Port) -> NodeArgument:
    kinds = {"float32": "float", "float64": "double"}
    return NodeArgument(port.name, list(port.dims), f"tensor({kinds.get(port.type.dtype, port.type.dtype)})")
