/* New plans: survivors with some layers of others, or with small changes drawn at random; see `moves.py`. */

#include <math.h>
#include <string.h>

#include "search.h"

static const double ALONE = 0.3;         /* how often a change is one of a single layer */
static const double EVERYWHERE = 0.3;    /* how often all layers are shared out as one of them */
static const double BEFORE = 0.33;       /* how often as the one before, where they follow another */
static const double FAIRER = 0.67;       /* how often what is dealt anew comes nearer to the devices' speeds */
static const double FAVOUR = 0.3;        /* spread of the logarithm by which a device is given more or less */
static const double TO_THE_END = 0.33;   /* how often all that follows is handed over too */
static const double MIXED = 0.5;         /* how often a new plan has some layers of another */
static const double CHANGED = 0.5;       /* how often a plan that is mixed is changed too */
static const double CHANGED_AGAIN = 0.4; /* how often one more change is made to a plan that was changed */

/* In how many parts the first group may be computed. */
static const place PARTS[] = {1, 2, 3, 4, 6, 8};

/* numpy's `bitgen_t`. */
typedef struct {
    void *state;
    uint64_t (*next_uint64)(void *state);
    uint32_t (*next_uint32)(void *state);
    double (*next_double)(void *state);
    uint64_t (*next_raw)(void *state);
} random_t;

/* One plan that is changed, and where chance comes from. */
typedef struct {
    const tables_t *t;
    random_t *random;
    plans_t plan;
} draft_t;

typedef bool (*condition_t)(const draft_t *d, place layer);

/* The layers from `first` up to `end`. */
typedef struct {
    place first, end;
} span_t;

static double fraction(const draft_t *d) { return d->random->next_double(d->random->state); }

static place below(const draft_t *d, place count) { return (place)(fraction(d) * count); }

static bool chance(const draft_t *d, double odds) { return fraction(d) < odds; }

static bool coin(const draft_t *d) { return chance(d, 0.5); }

static double normal(const draft_t *d) {
    double length = sqrt(-2.0 * log(1.0 - fraction(d)));
    return length * cos(6.283185307179586 * fraction(d));
}

static place *cuts_of(const draft_t *d, place layer) { return d->plan.cuts + layer * (d->t->devices + 1); }

static bool starts(const draft_t *d, place layer) { return d->plan.starts[layer]; }

static bool ends(const draft_t *d, place layer) { return layer + 1 == d->t->layers || d->plan.starts[layer + 1]; }

static bool splits(const draft_t *d, place layer) { return d->t->extents[layer] > 1; }

static bool ends_and_splits(const draft_t *d, place layer) { return ends(d, layer) && splits(d, layer); }

static bool is_group(const draft_t *d, place layer) { return starts(d, layer) && ends(d, layer); }

/* A layer for which this holds, if there is any. */
static place any(const draft_t *d, condition_t holds) {
    place count = 0;
    for (place layer = 0; layer < d->t->layers; layer++) count += holds(d, layer);
    place left = below(d, count);
    for (place layer = 0; count && layer < d->t->layers; layer++)
        if (holds(d, layer) && left-- == 0) return layer;
    return 0;
}

/* Some layers that follow, or that precede, or the layer alone as often as said. */
static span_t around(const draft_t *d, place layer, double alone) {
    double mean = fmax(2.0, d->t->layers / 6.0);
    place length = chance(d, alone) ? 0 : 1 + (place)(log(1.0 - fraction(d)) / log(1.0 - 1.0 / mean));
    place first = coin(d) ? layer - length : layer;
    return (span_t){most(0, first), least(d->t->layers, first + length + 1)};
}

/* The same around a layer that ends a group and can be split, or all layers. */
static span_t around_or_all(const draft_t *d) {
    span_t all = {0, d->t->layers};
    return coin(d) ? all : around(d, any(d, ends_and_splits), 0.0);
}

/* A layer is shared out as another, in proportion; halves are rounded up. */
static void share_out_as(const draft_t *d, place layer, const place *cuts, place extent) {
    for (place boundary = 0; boundary <= d->t->devices; boundary++)
        cuts_of(d, layer)[boundary] = (2 * cuts[boundary] * d->t->extents[layer] + extent) / (2 * extent);
}

/* A layer is shared out by these shares of it, which need not sum to its extent. */
static void share_out_by(const draft_t *d, place layer, const double *shares, double rounding) {
    place devices = d->t->devices, extent = d->t->extents[layer], *cuts = cuts_of(d, layer);
    double total = 0.0, so_far = 0.0;
    for (place device = 0; device < devices; device++) total += shares[device];
    for (place boundary = 1; boundary < devices; boundary++) {
        so_far += shares[boundary - 1];
        cuts[boundary] = least(extent, (place)floor(extent * (so_far / total) + rounding));
    }
}

static void toggle_start(const draft_t *d) {
    place layer = below(d, d->t->layers);
    d->plan.starts[layer] = !d->plan.starts[layer];
}

/* A group begins one or two layers earlier or later. */
static void move_start(const draft_t *d) {
    static const place STEPS[] = {-2, -1, 1, 2};
    place before = any(d, starts), after = before + STEPS[below(d, 4)];
    d->plan.starts[before] = false;
    d->plan.starts[least(most(after, 0), d->t->layers - 1)] = true;
}

/* Fuse several layers, or none of them. */
static void set_starts(const draft_t *d) {
    span_t span = around(d, below(d, d->t->layers), 0.0);
    memset(d->plan.starts + span.first, coin(d), span.end - span.first);
}

static void turn_borders(const draft_t *d) {
    place layer = any(d, is_group);
    bool wanted = !d->plan.borders[layer];
    span_t span = around(d, layer, ALONE);
    for (place each = span.first; each < span.end; each++) d->plan.borders[each] = wanted && !d->t->is_fed[each];
}

static void draw_parts(const draft_t *d) { *d->plan.parts = PARTS[below(d, sizeof PARTS / sizeof *PARTS)]; }

/* Move neighbouring boundaries between devices, in one layer or in proportion in several. A device that is in the way
   gives up what it has. */
static void shift(const draft_t *d) {
    place devices = d->t->devices, layer = any(d, ends_and_splits), extent = d->t->extents[layer];
    span_t span = around(d, layer, ALONE);
    place one = 1 + below(d, devices - 1), other = coin(d) ? one : 1 + below(d, devices - 1);
    place sign = coin(d) ? 1 : -1;
    double step = sign * ceil(pow(most(1, extent / devices), fraction(d)));
    for (place each = span.first; each < span.end; each++) {
        place *cuts = cuts_of(d, each), units = (place)rint(step * d->t->extents[each] / extent);
        if (!splits(d, each)) continue;
        for (place boundary = least(one, other); boundary <= most(one, other); boundary++) {
            place moved = cuts[boundary] + (units ? units : sign);
            cuts[boundary] = least(most(moved, 0), d->t->extents[each]);
        }
        for (place boundary = 1; sign > 0 && boundary <= devices; boundary++)
            cuts[boundary] = most(cuts[boundary], cuts[boundary - 1]);
        for (place boundary = devices; sign < 0 && boundary > 0; boundary--)
            cuts[boundary - 1] = least(cuts[boundary - 1], cuts[boundary]);
    }
}

/* Share layers out as the one before, or as any other. */
static void align(const draft_t *d) {
    place devices = d->t->devices, layer = any(d, ends_and_splits);
    place model = chance(d, BEFORE) ? most(0, layer - 1) : any(d, ends_and_splits);
    span_t all = {0, d->t->layers}, span = chance(d, EVERYWHERE) ? all : around(d, layer, ALONE);
    place cuts[devices + 1];
    if (!splits(d, model)) return;
    memcpy(cuts, cuts_of(d, model), sizeof cuts);
    for (place each = span.first; each < span.end; each++)
        if (splits(d, each)) share_out_as(d, each, cuts, d->t->extents[model]);
}

/* Share layers out anew: as one of them is, or any other, or nearer to the devices' speeds. As often as not one device
   is given more or less. What rounding adds goes to other devices from group to group, or always to the same. */
static void deal(const draft_t *d) {
    place devices = d->t->devices, layer = any(d, ends_and_splits), model = coin(d) ? layer : any(d, ends_and_splits);
    span_t span = around(d, layer, ALONE);
    const place *cuts = cuts_of(d, model);
    double shares[devices], fairness = chance(d, FAIRER) ? fraction(d) : 0.0;
    for (place device = 0; device < devices; device++) {
        double share = (double)(cuts[device + 1] - cuts[device]) / d->t->extents[model];
        shares[device] = (1 - fairness) * share + fairness * d->t->speeds[device];
    }
    double favour = coin(d) ? exp(FAVOUR * normal(d)) : 1.0;
    shares[below(d, devices)] *= favour;
    bool takes_turns = coin(d);
    double first = fraction(d), stride = fraction(d);
    for (place each = 0, group = 0; each < span.end; each++) {
        group += d->plan.starts[each];
        if (each >= span.first && splits(d, each))
            share_out_by(d, each, shares, takes_turns ? fmod(first + stride * group, 1.0) : 0.5);
    }
}

/* All of some layers, or of all that follow, to one device. */
static void hand_over(const draft_t *d) {
    place layer = any(d, ends), device = below(d, d->t->devices);
    span_t span = around(d, layer, 0.0);
    if (chance(d, TO_THE_END)) span.end = d->t->layers;
    for (place each = span.first; each < span.end; each++)
        for (place boundary = 0; boundary <= d->t->devices; boundary++)
            cuts_of(d, each)[boundary] = boundary > device ? d->t->extents[each] : 0;
}

/* One device has nothing of some layers, or of any, and the others have more. */
static void leave_out(const draft_t *d) {
    place devices = d->t->devices, left_out = below(d, devices);
    span_t span = around_or_all(d);
    for (place each = span.first; each < span.end; each++) {
        const place *cuts = cuts_of(d, each);
        double shares[devices];
        for (place device = 0; device < devices; device++)
            shares[device] = device == left_out ? 0.0 : (double)(cuts[device + 1] - cuts[device]);
        if (cuts[left_out + 1] - cuts[left_out] < d->t->extents[each]) share_out_by(d, each, shares, 0.5);
    }
}

/* Two devices have each other's part of some layers, or of all. */
static void swap(const draft_t *d) {
    place devices = d->t->devices, one = below(d, devices), other = below(d, devices);
    span_t span = around_or_all(d);
    for (place each = span.first; each < span.end; each++) {
        place *cuts = cuts_of(d, each);
        place difference = (cuts[other + 1] - cuts[other]) - (cuts[one + 1] - cuts[one]);
        for (place boundary = least(one, other) + 1; boundary <= most(one, other); boundary++)
            cuts[boundary] += one < other ? difference : -difference;
    }
}

/* Layers inside a group are shared out as its last one is, so that a group that is split starts out well. */
static void settle(const draft_t *d) {
    for (place layer = d->t->layers - 1, last = layer; layer >= 0; layer--) {
        if (ends(d, layer)) last = layer;
        if (layer < last) share_out_as(d, layer, cuts_of(d, last), d->t->extents[last]);
    }
}

/* How often each is drawn, against the others; found by trying. Those from `shift` on change shares. */
static const struct {
    void (*make)(const draft_t *d);
    double odds;
} MOVES[] = {{toggle_start, 3.0}, {move_start, 3.0}, {set_starts, 0.5}, {turn_borders, 0.7},
             {draw_parts, 0.5},   {shift, 4.0},      {align, 1.0},      {deal, 8.0},
             {swap, 2.0},         {hand_over, 0.5},  {leave_out, 0.5}};
static const place OTHER_MOVES = 5, ALL_MOVES = sizeof MOVES / sizeof *MOVES;

static void move(const draft_t *d, bool keep_shares) {
    place count = keep_shares || d->t->devices == 1 ? OTHER_MOVES : ALL_MOVES, chosen = 0;
    double total = 0.0;
    for (place each = 0; each < count; each++) total += MOVES[each].odds;
    double left = fraction(d) * total;
    while (chosen < count - 1 && left >= MOVES[chosen].odds) left -= MOVES[chosen++].odds;
    MOVES[chosen].make(d);
    d->plan.starts[0] = true;
    if (!keep_shares) settle(d);
}

static bool differs(const tables_t *t, plans_t one, plans_t other, place layer) {
    place row = t->devices + 1;
    return one.starts[layer] != other.starts[layer] || one.borders[layer] != other.borders[layer] ||
           memcmp(one.cuts + layer * row, other.cuts + layer * row, row * sizeof *one.cuts) ||
           (layer == 0 && *one.parts != *other.parts);
}

/* Some consecutive ones of the layers in which plans differ are taken from the other. */
static void mix(const draft_t *d, plans_t other) {
    place layers = d->t->layers, row = d->t->devices + 1, count = 0;
    for (place layer = 0; layer < layers; layer++) count += differs(d->t, d->plan, other, layer);
    if (!count) return;
    place length = 1 + below(d, count - 1), first = below(d, count - length + 1);
    for (place layer = 0, rank = 0; layer < layers && rank < first + length; layer++) {
        if (!differs(d->t, d->plan, other, layer) || rank++ < first) continue;
        d->plan.starts[layer] = other.starts[layer];
        d->plan.borders[layer] = other.borders[layer];
        memcpy(d->plan.cuts + layer * row, other.cuts + layer * row, row * sizeof *other.cuts);
        if (layer == 0) *d->plan.parts = *other.parts;
    }
}

static void copy(const tables_t *t, plans_t to, plans_t plan) {
    memcpy(to.starts, plan.starts, t->layers * sizeof *to.starts);
    memcpy(to.cuts, plan.cuts, t->layers * (t->devices + 1) * sizeof *to.cuts);
    memcpy(to.borders, plan.borders, t->layers * sizeof *to.borders);
    *to.parts = *plan.parts;
}

/* `count` new plans from `size` survivors, of which the first are the best: parents are drawn so that the better of two
   is taken. */
void descend(const tables_t *t, random_t *random, bool keep_shares, place size, plans_t survivors, place count,
             plans_t descendants) {
    for (place at = 0; at < count; at++) {
        draft_t draft = {t, random, from(t, descendants, at)};
        double rank = fraction(&draft);
        copy(t, draft.plan, from(t, survivors, (place)(size * rank * rank)));
        bool mixes = chance(&draft, MIXED);
        if (mixes) mix(&draft, from(t, survivors, below(&draft, size)));
        if (mixes && !chance(&draft, CHANGED)) continue;
        do move(&draft, keep_shares);
        while (chance(&draft, CHANGED_AGAIN));
    }
}
