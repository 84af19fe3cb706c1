"""Which devices are equal, so that what one is measured with holds for the others."""

from collections.abc import Mapping, Sequence

from legion.cluster.device import DeviceInfo, same_kind
from legion.profile.samples import ProcessorSample
from legion.profile.statistics import undisturbed_s

_NEAR = 1.1


def equal_devices(
    infos: Mapping[str, DeviceInfo], processors: Mapping[str, ProcessorSample]
) -> Sequence[Sequence[str]]:
    """The devices by classes: of one kind of machine, engine and threads, and equally fast.

    That is by what the reference kernel took each of them, undisturbed: in no class is one slower than the fastest by
    more than a tenth.
    """
    classes: list[list[str]] = []
    undisturbed = {name: undisturbed_s(processors[name].reference_s) for name in infos}
    for name in sorted(infos, key=undisturbed.__getitem__):
        for names in classes:
            fastest = names[0]
            if same_kind(infos[fastest], infos[name]) and undisturbed[name] <= _NEAR * undisturbed[fastest]:
                names.append(name)
                break
        else:
            classes.append([name])
    return classes
