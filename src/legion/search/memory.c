/* The memory that plans take, counted as `legion.plan.memory` does, but layer by layer: what layers have in common counts
   for each of them, and padding does not count. */

#include <math.h>

#include "search.h"

/* A device's inputs of a layer that come from outside its group. */
static double input_bytes(const tables_t *t, demand_t plan, place layer, interval_t own) {
    double bytes = 0.0;
    for (place edge = t->first_edge[layer]; edge < t->first_edge[layer + 1]; edge++) {
        place source = t->edge_source[edge];
        if (source < t->layers && plan.group[source] == plan.group[layer]) continue;
        bytes += units(needed(t, edge, own)) * t->bytes_per_unit[source];
    }
    return bytes;
}

/* A device's constants of a layer: mapped once, and reordered for each run that has all of what the device has. */
static double constants_bytes(const tables_t *t, demand_t plan, place layer, interval_t own, place runs) {
    if (!t->splits_constants[layer]) return t->constant_bytes[layer] * (1 + runs);
    double each = t->constant_bytes[layer] * units(own) / t->extents[layer];
    return each * (plan.leaves[layer] ? 2 : 1 + runs);
}

static double device_bytes(const tables_t *t, demand_t plan, place device) {
    double bytes = 0.0;
    for (place layer = 0; layer < t->layers; layer++) {
        place at = layer * t->devices + device;
        interval_t own = plan.own[at];
        if (!units(own)) continue;
        bytes += constants_bytes(t, plan, layer, own, plan.runs[at]) + input_bytes(t, plan, layer, own);
        if (plan.leaves[layer]) bytes += units(own) * t->bytes_per_unit[layer];
    }
    return bytes;
}

double lacking_bytes(const tables_t *t, demand_t plan) {
    double bytes = 0.0;
    for (place device = 0; device < t->devices; device++)
        if (!isinf(t->memory_bytes[device]))
            bytes += fmax(0.0, device_bytes(t, plan, device) - t->memory_bytes[device]);
    return bytes;
}
