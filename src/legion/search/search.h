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
   the next one's begin. `memory_bytes` is by device, infinite where ample or unknown. `speeds` are by device, and sum to
   one. */
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
    const double *constant_bytes;
    const bool *splits_constants;
    const double *memory_bytes;
    const double *speeds;
} tables_t;

/* `RowPlans`, which lie one after another: (plan, layer), (plan, layer, device + 1), (plan, layer) and (plan,). */
typedef struct {
    bool *starts;
    place *cuts;
    bool *borders;
    place *parts;
} plans_t;

/* Half-open; empty where `low` is not below `high`. */
typedef struct {
    place low, high;
} interval_t;

/* What of a plan takes memory, once it is priced. */
typedef struct {
    const interval_t *own; /* (layer, device): what a device computes */
    const place *group;    /* (layer) */
    const place *runs;     /* (layer, device): in how many it is computed */
    const bool *leaves;    /* (layer): whether another group or the controller reads it */
} demand_t;

/* By how many bytes a plan takes more memory than its devices have. */
double lacking_bytes(const tables_t *t, demand_t plan);

static inline place least(place one, place other) { return one < other ? one : other; }

static inline place most(place one, place other) { return one > other ? one : other; }

static inline place units(interval_t it) { return most(it.high - it.low, 0); }

/* What a device needs of an edge's source to compute what it does of the reader, which is not nothing. */
static inline interval_t needed(const tables_t *t, place edge, interval_t own) {
    return (interval_t){t->edge_low[t->edge_place[edge] + own.low], t->edge_high[t->edge_place[edge] + own.high]};
}

/* The plans from one of them on. */
static inline plans_t from(const tables_t *t, plans_t plans, place plan) {
    place layers = plan * t->layers;
    return (plans_t){plans.starts + layers, plans.cuts + layers * (t->devices + 1), plans.borders + layers,
                     plans.parts + plan};
}

#endif
