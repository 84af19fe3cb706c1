/* The latency of plans: the simulator's rules in the order of layers instead of events; see `evaluate.py`. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search.h"

/* Of one source, what one node sends to a device, and what this takes it. */
typedef struct {
    place units;
    double handling_s;
} transfer_t;

/* One plan, as far as it is priced. */
typedef struct {
    interval_t *share;      /* (layer, device): what a device owns */
    interval_t *own;        /* (layer, device): what it computes */
    interval_t *held;       /* (source, device): what it has, computed or received */
    place *group;           /* (layer) */
    place *pieces;          /* (layer): in how many each device computes it */
    place *runs;            /* (layer, device): in how many runs it is computed */
    bool *leaves;           /* (layer): whether another group or the controller reads it */
    double *ready;          /* (group, device): from when on a device that takes part can send its outputs */
    double *clock;          /* (node): until when it computes, copies or hands over */
    double *out_free;       /* (node): until when its way out is booked */
    double *in_taken;       /* (node): from when its way in is booked... */
    double *in_free;        /* ...and until when */
    double *out_empty;      /* (node): until when its way out has no part of a burst left... */
    double *in_empty;       /* ...and its way in */
    double *arrived;        /* (device): when all is there that its group reads */
    double *run_s;          /* (device): what the run of its group takes */
    bool *takes_part;       /* (device): whether it computes any of the group */
    transfer_t *transfers;  /* (sender, device): those of one source that are not booked yet */
    double *handed_over;    /* (sender): until when it hands over... */
    place *served;          /* ...to which device */
    place *order;           /* (device) */
    interval_t *whole;      /* (device) */
    double gathered_s;      /* until when outputs arrive at the controller */
} plan_t;

static double later(double one, double other) { return one > other ? one : other; }

static interval_t common(interval_t one, interval_t other) {
    return (interval_t){most(one.low, other.low), least(one.high, other.high)};
}

/* What each device computes of the first `layers`: its share, if that leaves the group, and what its group needs. */
static void demand(const tables_t *t, plan_t *p, place layers) {
    for (place layer = layers - 1; layer >= 0; layer--) {
        p->leaves[layer] = t->is_output[layer];
        for (place k = t->first_reader[layer]; k < t->first_reader[layer + 1]; k++)
            p->leaves[layer] |= p->group[t->reader[k]] != p->group[layer];
        for (place device = 0; device < t->devices; device++) {
            interval_t own = {t->extents[layer], 0}, share = p->share[layer * t->devices + device];
            if (p->leaves[layer] && units(share)) own = share;
            for (place k = t->first_reader[layer]; k < t->first_reader[layer + 1]; k++) {
                interval_t reads = p->own[t->reader[k] * t->devices + device];
                if (p->group[t->reader[k]] != p->group[layer] || !units(reads)) continue;
                interval_t need = needed(t, t->reader_edge[k], reads);
                if (units(need)) own = (interval_t){least(own.low, need.low), most(own.high, need.high)};
            }
            if (!units(own)) own = (interval_t){0, 0};
            p->own[layer * t->devices + device] = p->held[layer * t->devices + device] = own;
        }
    }
}

/* One node hands over so many units of a source in so many messages; each that is not `all` it has is copied first. */
static void hand_over(const tables_t *t, plan_t *p, place source, place sender, place device, place size, place all,
                      place messages) {
    place node = source < t->layers ? sender : t->devices;
    double bytes = size * t->bytes_per_unit[source];
    double copy_s = size == all ? 0.0 : messages * t->assembling_s[node] + bytes * t->copy_s_per_byte[node];
    double handling_s = copy_s + messages * t->message_s[node];
    p->transfers[sender * t->devices + device] = (transfer_t){size, handling_s};
    p->clock[node] += handling_s;
}

/* The controller feeds a device what it needs and does not have; in how many messages: one or none. */
static place feed(const tables_t *t, plan_t *p, place source, place device, interval_t need) {
    place size = units(need) - units(common(need, p->held[source * t->devices + device]));
    if (size) hand_over(t, p, source, 0, device, size, t->extents[source], 1);
    return size > 0;
}

/* One device sends another what it owns of `need` and the other does not have; in how many messages. */
static place send(const tables_t *t, plan_t *p, place source, place sender, place device, interval_t need) {
    interval_t part = common(need, p->share[source * t->devices + sender]);
    place size = units(part) - units(common(part, p->held[source * t->devices + device]));
    if (!size) return 0;
    place all = units(p->own[source * t->devices + sender]), pieces = least(p->pieces[source], all);
    place messages = (size * pieces + all - 1) / all;
    hand_over(t, p, source, sender, device, size, all, messages);
    return messages;
}

/* All others send a device what they own of `need`; in how many messages. Owners lie in the order of the devices. */
static place receive(const tables_t *t, plan_t *p, place source, place device, interval_t need) {
    const interval_t *share = p->share + source * t->devices, held = p->held[source * t->devices + device];
    place messages = 0;
    if (held.low <= need.low && need.high <= held.high) return 0;
    for (place sender = device - 1; sender >= 0 && share[sender].high > need.low; sender--)
        messages += send(t, p, source, sender, device, need);
    for (place sender = device + 1; sender < t->devices && share[sender].low < need.high; sender++)
        messages += send(t, p, source, sender, device, need);
    return messages;
}

/* Until when a port has no part of a burst left, if what takes `filling_s` on the way enters it at `start`; it is
   through by then. */
static double emptied(double fraction, double empty, double start, double burst_s, double filling_s) {
    return later(empty, start - fraction * burst_s) + fraction * filling_s;
}

/* Until when a port is filled that has its part of the way's time, up to its end. */
static double filled(double fraction, double start, double end, double filling_s) {
    return later(start, end - (1 - fraction) * filling_s);
}

/* When what takes `filling_s` is through a way that has its burst, but for the ports' own. */
static double through(double start, double burst_s, double filling_s) {
    return later(start, start + filling_s - burst_s);
}

/* Both ports carry so many bytes from `start` on, which fill them until `out_free` and `in_free`; when they are
   through. */
static double carry(const tables_t *t, plan_t *p, place node, place device, double start, double bytes) {
    place link = node * (t->devices + 1) + device;
    double out = t->outward_fraction[link], in = t->inward_fraction[link];
    double burst_s = t->burst_s[link], filling_s = bytes * t->seconds_per_byte[link];
    p->out_empty[node] = emptied(out, p->out_empty[node], start, burst_s, filling_s);
    p->in_empty[device] = emptied(in, p->in_empty[device], start, burst_s, filling_s);
    double end = later(through(start, burst_s, filling_s), later(p->out_empty[node], p->in_empty[device]));
    p->out_free[node] = filled(out, start, end, filling_s);
    p->in_free[device] = filled(in, start, end, filling_s);
    return end;
}

/* One transfer takes both ports. One that is through before all that its way in has booked goes first. */
static void book(const tables_t *t, plan_t *p, place node, place device, double handed_over, double bytes) {
    place link = node * (t->devices + 1) + device;
    double start = later(handed_over, p->out_free[node]);
    double out = t->outward_fraction[link], burst_s = t->burst_s[link], filling_s = bytes * t->seconds_per_byte[link];
    double out_empty = emptied(out, p->out_empty[node], start, burst_s, filling_s);
    double end = later(through(start, burst_s, filling_s), out_empty);
    if (end <= p->in_taken[device]) {
        p->in_taken[device] = start;
        p->out_empty[node] = out_empty;
        p->out_free[node] = filled(out, start, end, filling_s);
    } else {
        if (start > p->in_free[device]) p->in_taken[device] = start;
        end = carry(t, p, node, device, later(start, p->in_free[device]), bytes);
    }
    p->arrived[device] = later(p->arrived[device], end + t->latency_s[link] + t->message_s[device]);
}

/* A sender turns to the next device that gets something of it, from `device` on, and hands that over. */
static void hand_over_next(const tables_t *t, plan_t *p, place sender, place device) {
    while (device < t->devices && !p->transfers[sender * t->devices + device].units) device++;
    p->served[sender] = device;
    if (device < t->devices) p->handed_over[sender] += p->transfers[sender * t->devices + device].handling_s;
}

/* The sender whose next transfer is the first to ask for its way in; the number of senders where all are booked. */
static place first_to_ask(const tables_t *t, const plan_t *p, const double *out_free, place senders) {
    place first = senders;
    double first_s = 0.0;
    for (place sender = 0; sender < senders; sender++) {
        double asks_s = later(p->handed_over[sender], out_free[sender]);
        if (p->served[sender] == t->devices || (first < senders && asks_s >= first_s)) continue;
        first = sender;
        first_s = asks_s;
    }
    return first;
}

/* All transfers of one source. Each sender serves the devices in their order. */
static void book_all(const tables_t *t, plan_t *p, place source, place senders) {
    place node = source < t->layers ? 0 : t->devices;
    for (place sender = 0; sender < senders; sender++) hand_over_next(t, p, sender, 0);
    for (place sender; (sender = first_to_ask(t, p, p->out_free + node, senders)) < senders;) {
        place device = p->served[sender];
        transfer_t *it = p->transfers + sender * t->devices + device;
        book(t, p, node + sender, device, p->handed_over[sender], it->units * t->bytes_per_unit[source]);
        it->units = 0;
        hand_over_next(t, p, sender, device + 1);
    }
}

/* Bring what a layer needs of a source from outside its group, and assemble it. */
static void bring(const tables_t *t, plan_t *p, place layer, place edge) {
    place source = t->edge_source[edge], all_messages = 0;
    bool is_input = source >= t->layers;
    place senders = is_input ? 1 : t->devices;
    const double *ready = is_input ? p->clock + t->devices : p->ready + p->group[source] * t->devices;
    memcpy(p->handed_over, ready, senders * sizeof *ready);
    for (place device = 0; device < t->devices; device++) {
        interval_t own = p->own[layer * t->devices + device], need = units(own) ? needed(t, edge, own) : own;
        if (!units(need)) continue;
        place messages = is_input ? feed(t, p, source, device, need) : receive(t, p, source, device, need);
        all_messages += messages;
        interval_t *held = p->held + source * t->devices + device;
        bool in_one_piece = !units(*held) && messages == 1;
        if (need.low == held->low && need.high == held->high)
            in_one_piece = is_input || least(p->pieces[source], units(p->own[source * t->devices + device])) <= 1;
        double bytes = units(need) * t->bytes_per_unit[source];
        if (!in_one_piece) p->run_s[device] += t->assembling_s[device] + bytes * t->copy_s_per_byte[device];
        held->low = units(*held) ? least(held->low, need.low) : need.low;
        held->high = most(held->high, need.high);
    }
    if (all_messages) book_all(t, p, source, senders);
}

/* A run of one layer; none takes no time. */
static double alone_s(const tables_t *t, place layer, place device, place size) {
    return size ? t->seconds[(t->first_place[layer] + size) * t->devices + device] + t->call_s[device] : 0.0;
}

/* A run of its border, for which the layer's inputs are assembled again. */
static double border_s(const tables_t *t, place layer, place device, place size) {
    place inputs = t->first_edge[layer + 1] - t->first_edge[layer];
    return size ? alone_s(t, layer, device, size) + inputs * t->assembling_s[device] : 0.0;
}

/* Of what a device owns of a layer, what no other device needs. */
static interval_t interior(const tables_t *t, const plan_t *p, place layer, place device) {
    interval_t share = p->share[layer * t->devices + device], inner = share;
    for (place k = t->first_reader[layer]; k < t->first_reader[layer + 1]; k++)
        for (place other = 0; other < t->devices; other++) {
            interval_t reads = p->own[t->reader[k] * t->devices + other];
            if (other == device || !units(reads)) continue;
            interval_t piece = common(share, needed(t, t->reader_edge[k], reads));
            if (!units(piece)) continue;
            if (piece.low == share.low)
                inner.low = most(inner.low, piece.high);
            else
                inner.high = least(inner.high, piece.low);
        }
    return inner;
}

/* The end of a device's run of one layer whose borders go first, if all at once would end at `end_s`.

   In three parts it is dearer; `ready` becomes the end of the borders. An output leaves whole, so it is ready at the
   end. Where others need nothing or everything there are no parts. */
static double borders_first_s(const tables_t *t, plan_t *p, place layer, place device, double end_s, double *ready) {
    interval_t share = p->share[layer * t->devices + device], inner = interior(t, p, layer, device);
    *ready = end_s;
    if (!units(inner) || units(inner) == units(share)) return end_s;
    p->runs[layer * t->devices + device] += (inner.low > share.low) + (inner.high < share.high);
    double begun_s = end_s - alone_s(t, layer, device, units(share));
    double before_s = begun_s + border_s(t, layer, device, inner.low - share.low) +
                      border_s(t, layer, device, share.high - inner.high);
    end_s = before_s + alone_s(t, layer, device, units(inner));
    *ready = t->is_output[layer] ? end_s : before_s;
    return end_s;
}

/* The layers of one group run when all is there that they read; what leaves the group is ready then, or earlier. */
static void compute(const tables_t *t, plan_t *p, place first, place end, bool borders_first) {
    for (place device = 0; device < t->devices; device++) {
        p->arrived[device] = p->run_s[device] = 0.0;
        p->takes_part[device] = false;
    }
    for (place layer = first; layer < end; layer++) {
        for (place edge = t->first_edge[layer]; edge < t->first_edge[layer + 1]; edge++)
            if (t->edge_source[edge] < first || t->edge_source[edge] >= t->layers) bring(t, p, layer, edge);
        for (place device = 0; device < t->devices; device++) {
            place size = units(p->own[layer * t->devices + device]);
            place at = (t->first_place[layer] + size) * t->devices + device;
            p->takes_part[device] |= size > 0;
            p->run_s[device] += t->seconds[at] - (p->leaves[layer] ? 0.0 : t->saved_s[at]);
        }
    }
    for (place device = 0; device < t->devices; device++) {
        if (!p->takes_part[device]) continue;
        double end_s = later(p->clock[device], p->arrived[device]) + p->run_s[device] + t->call_s[device];
        double *ready = p->ready + p->group[first] * t->devices + device;
        *ready = end_s;
        if (borders_first) end_s = borders_first_s(t, p, first, device, end_s, ready);
        p->clock[device] = end_s;
    }
}

/* The first group in parts: all devices are fed for one before any is fed for the next. */
static void compute_in_parts(const tables_t *t, plan_t *p, place end, place parts) {
    interval_t *share = p->share + (end - 1) * t->devices;
    memcpy(p->whole, share, t->devices * sizeof *share);
    memset(p->share, 0, (end - 1) * t->devices * sizeof *share);
    for (place part = 0; part < parts; part++) {
        for (place device = 0; device < t->devices; device++) {
            place low = p->whole[device].low, size = units(p->whole[device]), number = least(parts, most(size, 1));
            share[device].low = low + size * least(part, number) / number;
            share[device].high = low + size * least(part + 1, number) / number;
        }
        demand(t, p, end);
        compute(t, p, 0, end, false);
    }
    for (place layer = 0; layer < end; layer++) {
        p->pieces[layer] = parts;
        for (place device = 0; device < t->devices; device++)
            p->runs[layer * t->devices + device] = least(parts, units(p->whole[device]));
    }
}

/* Outputs of these layers go to the controller one after the other, of each first what is ready first. */
static void gather(const tables_t *t, plan_t *p, place first, place end) {
    for (place layer = first; layer < end; layer++) {
        if (!t->is_output[layer]) continue;
        const double *ready = p->ready + p->group[layer] * t->devices;
        for (place device = 0; device < t->devices; device++) {
            place rank = device;
            for (; rank > 0 && ready[p->order[rank - 1]] > ready[device]; rank--) p->order[rank] = p->order[rank - 1];
            p->order[rank] = device;
        }
        for (place rank = 0; rank < t->devices; rank++) {
            place device = p->order[rank], size = units(p->share[layer * t->devices + device]);
            place link = device * (t->devices + 1) + t->devices;
            if (!size) continue;
            double ways_free = later(p->out_free[device], p->in_free[t->devices]);
            double start = later(ready[device] + t->message_s[device], ways_free);
            double there = carry(t, p, device, t->devices, start, size * t->bytes_per_unit[layer]);
            p->clock[device] += t->message_s[device];
            p->gathered_s = later(p->gathered_s, there + t->latency_s[link] + t->message_s[t->devices]);
        }
    }
}

static void share_out(const tables_t *t, plan_t *p, const place *cuts) {
    for (place layer = 0; layer < t->layers; layer++)
        for (place device = 0; device < t->devices; device++) {
            const place *cut = cuts + layer * (t->devices + 1) + device;
            p->share[layer * t->devices + device] = (interval_t){cut[0], cut[1]};
        }
}

static void begin(const tables_t *t, plan_t *p, plans_t plan) {
    for (place layer = 0, group = 0; layer < t->layers; layer++) {
        p->group[layer] = group += layer && plan.starts[layer];
        p->pieces[layer] = 1;
        for (place device = 0; device < t->devices; device++) p->runs[layer * t->devices + device] = 1;
    }
    p->gathered_s = 0.0;
    for (place node = 0; node <= t->devices; node++) {
        p->clock[node] = p->out_free[node] = p->in_free[node] = 0.0;
        p->in_taken[node] = p->out_empty[node] = p->in_empty[node] = -HUGE_VAL;
    }
    memset(p->held + t->layers * t->devices, 0, (t->sources - t->layers) * t->devices * sizeof *p->held);
    share_out(t, p, plan.cuts);
    demand(t, p, t->layers);
}

/* Outputs of a group leave after what the next one reads of it. */
static double latency_s(const tables_t *t, plan_t *p, plans_t plan) {
    begin(t, p, plan);
    place before = 0;
    for (place first = 0, end; first < t->layers; first = end) {
        bool leaves_early = false;
        for (end = first + 1; end < t->layers && !plan.starts[end]; end++) leaves_early |= p->leaves[end - 1];
        if (first || *plan.parts == 1 || leaves_early) {
            compute(t, p, first, end, plan.borders[first] && end == first + 1);
        } else {
            compute_in_parts(t, p, end, *plan.parts);
            share_out(t, p, plan.cuts);
            demand(t, p, end);
        }
        gather(t, p, before, first);
        before = first;
    }
    gather(t, p, before, t->layers);
    return p->gathered_s;
}

/* A byte that a device lacks counts as a second, so that every plan that fits is better than every one that does not. */
static double price(const tables_t *t, plan_t *p, plans_t plan) {
    double seconds = latency_s(t, p, plan);
    return seconds + lacking_bytes(t, (demand_t){p->own, p->group, p->runs, p->leaves});
}

#define EACH_ARRAY(DO)                                                                                      \
    DO(share, layers * devices) DO(own, layers * devices) DO(held, t->sources * devices) DO(group, layers)   \
    DO(pieces, layers) DO(runs, layers * devices) DO(leaves, layers) DO(ready, layers * devices)             \
    DO(clock, nodes) DO(out_free, nodes) DO(in_taken, nodes) DO(in_free, nodes) DO(out_empty, nodes)         \
    DO(in_empty, nodes) DO(arrived, devices) DO(run_s, devices) DO(takes_part, devices)                      \
    DO(transfers, devices * devices) DO(handed_over, devices) DO(served, devices) DO(order, devices)         \
    DO(whole, devices)
#define MAKE(array, count) &&(p->array = calloc(count, sizeof *p->array))
#define FREE(array, count) free(p->array);

/* Room for one plan at a time; false where memory is lacking. */
static bool make_room(const tables_t *t, plan_t *p) {
    size_t layers = t->layers, devices = t->devices, nodes = devices + 1;
    return true EACH_ARRAY(MAKE);
}

static void clear_up(plan_t *p) { EACH_ARRAY(FREE) }

/* Writes one latency of each plan; false where memory is lacking. */
bool latencies(const tables_t *t, place count, plans_t plans, double *latencies_s) {
    plan_t plan = {0};
    bool has_room = make_room(t, &plan);
    for (place at = 0; has_room && at < count; at++) latencies_s[at] = price(t, &plan, from(t, plans, at));
    clear_up(&plan);
    return has_room;
}
