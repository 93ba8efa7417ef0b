/* SPDX-License-Identifier: MIT
 *
 * Versions of MPTCP at the two ends, and what a client remembers of a
 * destination from one connection to the next (RFC 8684 3.1, 5).
 */
#include "sim/scenario.h"
#include "wire/segment.h"

#define PATH "rate=20mbit,delay=10ms,queue=100kB"
#define SECOND UINT64_C(1000000)

enum { CONNS_MAX = 64 };

static const struct side_config after_eof = {.end = END_AFTER_EOF};
static const struct side_config little = {.send_bytes = 1000};

static void open_one(struct lab *lab)
{
    const char *spec = PATH;
    lab_open(lab, 1, &spec);
}

/* The i-th of several connections to one port: the first makes the listener. */
static struct stream *connect_at(struct lab *lab, struct stream *first, uint64_t us)
{
    if (first)
        return stream_again(first, lab_at(lab, us), &little, &after_eof);
    return stream_new(lab->sim, lab->client, lab->client_if[0], lab->server_if[0], lab_at(lab, us),
                      &little, &after_eof, NULL, NULL);
}

static uint64_t connecting_us(const struct lab *lab, const struct stream *s, uint64_t began_us)
{
    return s->side[0].connected_us - lab_at(lab, began_us);
}

static enum plait_reason decided_by(const struct stream *s)
{
    return s->side[0].info.destination_why;
}

/* ---- versions ---------------------------------------------------------------------- */

/* One server, a client of each kind. */
static void versions_mixed(struct run *r)
{
    static const struct {
        enum plait_version version;
        int spoken;
    } clients[] = {{PLAIT_VERSION_AUTO, 1}, {PLAIT_VERSION_0, 0}, {PLAIT_VERSION_1, 1}};
    struct stream *s[3];
    struct lab lab;
    lab_init(&lab, r);
    open_one(&lab);
    for (unsigned i = 0; i < 3; i++) {
        const struct plait_options options = {.version = clients[i].version};
        s[i] = stream_new(lab.sim, lab.client, lab.client_if[0], lab.server_if[0], lab_at(&lab, 0),
                          &little, &after_eof, &options, NULL);
    }
    lab_finish(&lab, 10);
    for (unsigned i = 0; i < 3; i++) {
        EXPECT_EQ(r, s[i]->side[1].multipath, 1);
        EXPECT_EQ(r, s[i]->side[1].info.version, clients[i].spoken);
    }
}

/* The server knows version 0 alone. The client stays plain TCP, and may offer
 * version 0 on its next connection only if it was told to. */
static void server_of_version_0(struct run *r, bool allowed)
{
    struct lab lab;
    struct stream *s[3];
    lab_init(&lab, r);
    lab.client_config.version_fallback = allowed;
    lab.server_config.version = PLAIT_VERSION_0;
    open_one(&lab);
    for (unsigned i = 0; i < 3; i++)
        s[i] = connect_at(&lab, i ? s[0] : NULL, i * SECOND);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, s[0]->side[0].multipath, 0);
    EXPECT_EQ(r, s[0]->side[0].info.fallback_why, PLAIT_WHY_PEER_NO_MPTCP);
    for (unsigned i = 1; i < 3; i++) {
        EXPECT_EQ(r, s[i]->side[0].multipath, allowed);
        EXPECT_EQ(r, s[i]->side[0].info.version, allowed ? 0 : 1);
        EXPECT_EQ(r, decided_by(s[i]), allowed ? PLAIT_WHY_DESTINATION_NO_V1 : PLAIT_WHY_NONE);
        EXPECT(r, connecting_us(&lab, s[i], i * SECOND) < 25000); /* no round trip more */
    }
}

static void version_fallback(struct run *r)
{
    server_of_version_0(r, true);
}

static void version_kept(struct run *r)
{
    server_of_version_0(r, false);
}

/* ---- SYNs that disappear ------------------------------------------------------------- */

/* A firewall swallows SYNs with MP_CAPABLE for five minutes. Two connections
 * pay for finding out, later ones do not; when it is gone, one finds that out
 * and all others have Multipath TCP again. */
static void swallowing_remembered(struct run *r)
{
    static const unsigned at_s[] = {0, 5, 10, 20, 30, 80, 81, 310, 320};
    enum { COUNT = sizeof at_s / sizeof at_s[0], PROBE = 5, HEALED = 7 };
    struct rule_box drop = {.action = RULE_DROP, .options = MPO_CAPABLE_SYN | MPO_CAPABLE_KEY};
    struct stream *s[COUNT];
    struct lab lab;
    lab_init(&lab, r);
    open_one(&lab);
    rule_add(lab.path[0].there, &drop);
    for (unsigned i = 0; i < COUNT; i++)
        s[i] = connect_at(&lab, i ? s[0] : NULL, at_s[i] * SECOND);
    sim_advance(lab.sim, lab_at(&lab, 300 * SECOND));
    drop.count = drop.hits; /* swallows no more */
    lab_finish(&lab, 400);
    for (unsigned i = 0; i < COUNT; i++) {
        bool asked = i < 2 || i == PROBE || i >= HEALED;
        bool waited = asked && i < HEALED;
        EXPECT_EQ(r, s[i]->side[0].multipath, i >= HEALED);
        EXPECT_EQ(r, connecting_us(&lab, s[i], at_s[i] * SECOND) > SECOND, waited);
        EXPECT_EQ(r, decided_by(s[i]) == PLAIT_WHY_DESTINATION_DROPS_SYNS, !asked);
    }
    EXPECT_EQ(r, decided_by(s[PROBE]), PLAIT_WHY_DESTINATION_PROBE);
    EXPECT_EQ(r, EVENTS(lab.client, DESTINATION_JUDGED), 2);
    EXPECT_EQ(r, EVENTS(lab.client, DESTINATION_FORGOTTEN), 1);
}

/* A server is away for a while and comes back, with a client that connects all
 * the time. Some of its connections get only their plain SYN through; none that
 * begins afterwards may believe that MPTCP does not work. */
static void server_restarts(struct run *r)
{
    struct stream *s[CONNS_MAX];
    struct lab lab;
    unsigned plain = 0;
    lab_init(&lab, r);
    open_one(&lab);
    for (unsigned i = 0; i < CONNS_MAX; i++)
        s[i] = connect_at(&lab, i ? s[0] : NULL, i * SECOND / 4);
    sim_at_path(lab.sim, lab_at(&lab, 2 * SECOND), &lab.path[0], false);
    sim_at_path(lab.sim, lab_at(&lab, 7 * SECOND), &lab.path[0], true);
    lab_finish(&lab, 120);
    for (unsigned i = 0; i < CONNS_MAX; i++) {
        plain += !s[i]->side[0].multipath;
        if (i * SECOND / 4 > 7 * SECOND)
            EXPECT_EQ(r, s[i]->side[0].multipath, 1);
        EXPECT_EQ(r, decided_by(s[i]), PLAIT_WHY_NONE);
    }
    EXPECT(r, plain > 0);
    EXPECT_EQ(r, EVENTS(lab.client, DESTINATION_JUDGED), 0);
    run_figure(r, "connections that became plain TCP, of 64", "", plain, 0);
}

const struct scenario scenarios_versions[] = {
    {"versions-mixed", "clients of both versions at one server", versions_mixed},
    {"version-fallback", "version 0 is tried on the next connection, where allowed",
     version_fallback},
    {"version-kept", "and is not, where not", version_kept},
    {"swallowing-remembered", "later connections leave MP_CAPABLE out, and find out when to stop",
     swallowing_remembered},
    {"server-restarts", "an outage does not switch MPTCP off", server_restarts},
    {NULL, NULL, NULL},
};
