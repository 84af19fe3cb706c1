/* What pricing and changing plans have in common. Arrays of several axes lie row by row. */

#ifndef LEGION_SEARCH_H
#define LEGION_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

/* A place among units, layers, devices..., or how many there are. */
typedef int64_t place;

/* `legion.cost.tables.Tables`, flat; nodes are the devices, then the controller. A layer's seconds begin at its
   `first_place`, (place, device); `edge_low` and `edge_high` of an edge at its `edge_place`. The edges of a layer, and
   the readers of a source with the edges by which they read, begin at its `first_edge` and `first_reader`, and end where
   the next one's begin. `speeds` are by device, and sum to one. */
typedef struct {
    place devices, layers, sources;
    const place *extents;
    const double *bytes_per_unit;
    const place *first_place;
    const double *seconds, *saved_s;
    const place *first_edge, *edge_source, *edge_place, *edge_low, *edge_high;
    const place *first_reader, *reader, *reader_edge;
    const bool *is_output, *is_fed;
    const double *call_s, *message_s, *assembling_s, *copy_s_per_byte, *latency_s, *seconds_per_byte,
        *burst_s, *outward_fraction, *inward_fraction;
    const double *speeds;
} tables_t;

/* `RowPlans`, which lie one after another: (plan, layer), (plan, layer, device + 1), (plan, layer) and (plan,). */
typedef struct {
    bool *starts;
    place *cuts;
    bool *borders;
    place *parts;
} plans_t;

static inline place least(place one, place other) { return one < other ? one : other; }

static inline place most(place one, place other) { return one > other ? one : other; }

/* The plans from one of them on. */
static inline plans_t from(const tables_t *t, plans_t plans, place plan) {
    place layers = plan * t->layers;
    return (plans_t){plans.starts + layers, plans.cuts + layers * (t->devices + 1), plans.borders + layers,
                     plans.parts + plan};
}

#endif
