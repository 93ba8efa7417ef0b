/* SPDX-License-Identifier: MIT
 *
 * plait's own: the next bytes go where they arrive first. The next byte on a
 * path arrives when what is under way there has gone through, at the rate that
 * the path delivers, and no sooner than its shortest round trip allows.
 *
 * Whether a slower path S helps, beside the others, is asked in two ways:
 *
 *   the end     the others would be through with everything that is there to
 *               be sent before the bytes on S arrive: they would only be
 *               late. Not asked while the application has more to write.
 *   the window  while those bytes are on their way, and until the peer's word
 *               of them is back over the quickest path, H, the others send
 *               rate * H bytes behind them, and S some more. If the window has
 *               no room for these, the bytes cost more than they bring.
 *
 * A path that was silent for long while another spoke may be dead: what is asked on
 * another path is answered there, if the answer is short enough to be lost whole.
 *
 * A window that is just large enough must not be used up by the queue that the
 * fastest path builds at its own bottleneck: its last bytes are kept for the
 * slower paths, as far as these need them to be busy.
 */
#include "sched/sched.h"

enum { SECOND_US = 1000 * 1000, BURST_MAX = 64 * 1024, SHORT_MAX = 16 * 1024 };
enum { AHEAD_US = 20 * 1000 }; /* it asks for what waits at the end of the stream only */
enum { PERIOD_MIN_US = 8 * 1000 * 1000, PERIOD_RTTS = 32 };

/* What is reckoned of one path, for so many bytes more on it. */
struct course {
    uint64_t trip_us;   /* until their acknowledgment is here, */
    uint64_t arrive_us; /* and until they are there */
};

/* Where nobody knows what the path bears, its window is as good as the rate. */
static uint64_t path_rate(const struct plait_sched_path *p)
{
    uint64_t window = p->srtt_us ? p->cwnd_bytes * SECOND_US / p->srtt_us : 0;
    return p->rate_full || window < p->rate ? p->rate : window;
}

static uint64_t bytes_us(uint64_t bytes, uint64_t rate)
{
    return rate ? bytes * SECOND_US / rate : 0;
}

static uint64_t base_us(const struct plait_sched_path *p)
{
    return p->rtt_min_us ? p->rtt_min_us : p->srtt_us;
}

/* The part of the round trip in which no data queues. */
static uint64_t back_us(const struct plait_sched_path *p)
{
    uint64_t segment = bytes_us(p->mss_bytes, path_rate(p));
    return segment < base_us(p) ? (base_us(p) - segment) / 2 : 0;
}

/* The wait behind what was sent of late: a path that got much at once has a queue,
 * however little is under way. */
static uint64_t queued_us(const struct plait_sched_path *p, uint64_t bytes)
{
    return p->queue_us + bytes_us(bytes - p->mss_bytes, p->rate);
}

static struct course course(const struct plait_sched_path *p, uint64_t bytes)
{
    uint64_t trip = base_us(p), most = 4 * (uint64_t)p->srtt_us;
    if (p->rate_full) {
        uint64_t through = bytes_us(p->in_flight_bytes + bytes, p->rate);
        uint64_t queued = base_us(p) + queued_us(p, bytes);
        through = through > queued ? through : queued;
        through = through < most ? through : most;
        trip = through > trip ? through : trip;
    }
    return (struct course){.trip_us = trip, .arrive_us = trip - back_us(p)};
}

/* The paths that are used, those of the best class, taken together. */
struct fleet {
    const struct plait_sched_view *view;
    unsigned class;
    uint64_t heard_us; /* when one of them was heard last */
    uint64_t rate;
    uint64_t back_us;      /* how soon word comes back over one of them */
    int soonest, sendable; /* where a segment would arrive first; of those with room */
};

/* Silent for a timeout's time before another spoke, and not tried since. */
static bool doubtful(const struct fleet *f, const struct plait_sched_path *p)
{
    const struct plait_sched_view *v = f->view;
    bool brief = !v->more && v->queued_bytes + v->unacked_bytes <= SHORT_MAX;
    return brief && p->in_flight_bytes == 0 && p->heard_us + p->rto_us < f->heard_us;
}

static const struct plait_sched_path *path_at(const struct fleet *f, unsigned i)
{
    const struct plait_sched_path *p = &f->view->paths[i];
    return sched_class(p) == f->class && !doubtful(f, p) ? p : NULL;
}

static struct fleet muster(const struct plait_sched_view *view)
{
    struct fleet f = {.view = view,
                      .class = sched_best_class(view),
                      .back_us = UINT64_MAX,
                      .soonest = PLAIT_SCHED_WAIT,
                      .sendable = PLAIT_SCHED_WAIT};
    uint64_t soonest_us = UINT64_MAX, sendable_us = UINT64_MAX;
    for (unsigned i = 0; i < view->count; i++)
        if (sched_class(&view->paths[i]) == f.class && view->paths[i].heard_us > f.heard_us)
            f.heard_us = view->paths[i].heard_us;
    for (unsigned i = 0; i < view->count; i++) {
        const struct plait_sched_path *p = path_at(&f, i);
        if (!p)
            continue;
        uint64_t at = course(p, p->mss_bytes).arrive_us;
        f.rate += path_rate(p);
        f.back_us = back_us(p) < f.back_us ? back_us(p) : f.back_us;
        if (at < soonest_us) {
            soonest_us = at;
            f.soonest = (int)i;
        }
        if (at < sendable_us && p->room_bytes) {
            sendable_us = at;
            f.sendable = (int)i;
        }
    }
    return f;
}

/* While bytes on `slow` are held up until they are there, the window has room
 * for what the paths send behind them. */
static bool window_bears(const struct fleet *f, const struct plait_sched_path *slow, uint64_t bytes)
{
    struct course c = course(slow, bytes);
    uint64_t held = c.arrive_us + f->back_us;
    uint64_t others = (f->rate - path_rate(slow)) * held / SECOND_US;
    uint64_t own = c.trip_us ? (slow->in_flight_bytes + bytes) * held / c.trip_us : 0;
    return others + own <= f->view->span_bytes;
}

/* The others could bring all that waits before the bytes on `slow` are there. */
static bool too_late(const struct fleet *f, const struct plait_sched_path *slow, uint64_t bytes)
{
    uint64_t sum = 0, us = course(slow, bytes).arrive_us;
    for (unsigned i = 0; !f->view->more && i < f->view->count; i++) {
        const struct plait_sched_path *p = path_at(f, i);
        uint64_t way = p && p != slow ? course(p, p->mss_bytes).arrive_us : us;
        if (way < us)
            sum += path_rate(p) * (us - way) / SECOND_US;
    }
    return !f->view->more && sum >= f->view->queued_bytes;
}

/* More would only wait in the path's own queue. So that its shortest round trip
 * stays known, that queue, where there is one, is let run dry in the first moments of
 * each period. */
static bool busy(const struct plait_sched_view *view, const struct plait_sched_path *p,
                 uint64_t bytes)
{
    uint64_t period = PERIOD_RTTS * base_us(p);
    period = period > PERIOD_MIN_US ? period : PERIOD_MIN_US;
    bool dry = p->srtt_us > base_us(p) + base_us(p) / 8 &&
               view->now_us % period < base_us(p) * 3 / 2 + bytes_us(2 * p->mss_bytes, p->rate);
    uint64_t trip = p->rate * base_us(p) / SECOND_US;
    uint64_t enough = dry ? trip - trip / 4 : trip + trip / 4 + 2 * p->mss_bytes;
    bool first = p->in_flight_bytes == 0 && bytes <= p->mss_bytes;
    return p->rate_full && !first && p->in_flight_bytes + bytes > enough;
}

static bool helps(const struct fleet *f, unsigned slow, uint64_t bytes)
{
    const struct plait_sched_path *p = &f->view->paths[slow];
    return !busy(f->view, p, bytes) && window_bears(f, p, bytes) && !too_late(f, p, bytes);
}

/* So many bytes on a slower path as help. */
static struct plait_sched_choice slower(const struct fleet *f, unsigned slow)
{
    uint64_t bytes = f->view->paths[slow].mss_bytes;
    if (!helps(f, slow, bytes))
        return (struct plait_sched_choice){.path = PLAIT_SCHED_WAIT};
    while (2 * bytes <= BURST_MAX && helps(f, slow, 2 * bytes))
        bytes *= 2;
    return (struct plait_sched_choice){.path = (int)slow, .bytes = bytes};
}

/* A slower path that has not enough under way to be busy, and soon will find no
 * window. */
static bool in_need(const struct fleet *f, unsigned slow)
{
    const struct plait_sched_path *p = path_at(f, slow);
    if (!p || p->room_bytes == 0)
        return false;
    uint64_t enough = path_rate(p) * base_us(p) / SECOND_US + 2 * p->mss_bytes;
    return p->in_flight_bytes < enough &&
           f->view->window_bytes < enough - p->in_flight_bytes + p->mss_bytes;
}

static struct plait_sched_choice arrival_pick(void *state, const struct plait_sched_view *view)
{
    const struct fleet f = muster(view);
    struct plait_sched_choice choice = {.path = f.sendable};
    (void)state;
    if (choice.path < 0 || view->reinject)
        return choice;
    if (choice.path != f.soonest)
        return slower(&f, (unsigned)choice.path);
    for (unsigned i = 0; i < view->count; i++) {
        if ((int)i == choice.path || !in_need(&f, i))
            continue;
        struct plait_sched_choice other = slower(&f, i);
        if (other.path >= 0)
            return other;
    }
    return choice;
}

const struct plait_sched sched_arrival = {
    .name = "arrival",
    .summary = "where the next bytes arrive first, if the window bears it",
    .ahead_us = AHEAD_US,
    .pick = arrival_pick,
};
