"""Takes down whatever there is of a lab; may be done twice, by two at once, and after any crash."""

from legion.lab.cgroups import find_hierarchies, remove_groups
from legion.lab.namespaces import remove_network
from legion.lab.processes import end_processes
from legion.lab.state import LabState, forget, load_all


def take_apart(state: LabState) -> None:
    """End a lab's processes, and remove its network, its cgroups and its files, in this order.

    Raises InternalError when something of it cannot be removed; its state is kept then.
    """
    end_processes(list(state.processes))
    if state.setting.network == "namespaces":
        remove_network(state.prefix)
        remove_groups(find_hierarchies(), state.prefix)
    forget(state)


def remove_leftovers() -> list[str]:
    """Take apart the labs whose owner is gone; their ids."""
    abandoned = [state for state in load_all() if state.abandoned]
    for state in abandoned:
        take_apart(state)
    return [state.id for state in abandoned]
