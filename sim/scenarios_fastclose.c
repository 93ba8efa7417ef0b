/* SPDX-License-Identifier: MIT
 *
 * Aborting a connection: MP_FASTCLOSE on RSTs and on ACKs (RFC 8684 3.5, RFC
 * 6824 3.5), lost, repeated, and from both ends at once.
 */
#include "sim/scenario.h"
#include "wire/segment.h"

#define WIFI "rate=20mbit,delay=10ms,queue=100kB"
#define LTE "rate=10mbit,delay=30ms,queue=100kB"
#define MB 1000000u

/* The server aborts in the middle of what it is sent, on ACKs. */
static struct stream *abort_on_acks(struct lab *lab, struct run *r, struct rule_box *box)
{
    const struct side_config c = {.send_bytes = 5 * MB};
    const struct side_config s = {.abort_at_read = 2 * MB, .end = END_AFTER_EOF};
    lab_init(lab, r);
    lab->client_config.fastclose_ack = lab->server_config.fastclose_ack = true;
    lab_open_two(lab, WIFI, LTE);
    for (unsigned i = 0; box && i < 2; i++)
        rule_add(lab->path[i].back, &box[i]);
    struct stream *st = lab_stream(lab, &c, &s);
    lab_finish_any(lab, 60);
    EXPECT_EQ(r, EVENTS(lab->client, SUBFLOW_ESTABLISHED), 2);
    EXPECT_EQ(r, st->side[0].error, st->side[0].error ? PLAIT_E_RESET : 0);
    return st;
}

static void fastclose_ack(struct run *r)
{
    struct lab lab;
    struct stream *st = abort_on_acks(&lab, r, NULL);
    EXPECT_EQ(r, st->side[0].error, PLAIT_E_RESET);
    EXPECT_EQ(r, SENT(lab.server, FASTCLOSE), 1);
    EXPECT_EQ(r, COUNT(lab.client, MPFastcloseRx), 1);
    EXPECT_EQ(r, WHY(lab.client, CONN_CLOSED, PEER_FASTCLOSE), 1);
    EXPECT(r, lab.client->tally.rst >= 1); /* the answer that ends it */
    EXPECT_EQ(r, lab.client->tally.plain_data, 0);
}

static void fastclose_ack_lost(struct run *r)
{
    struct lab lab;
    struct rule_box drop[2];
    for (unsigned i = 0; i < 2; i++)
        drop[i] = (struct rule_box){.action = RULE_DROP, .options = MPO_FASTCLOSE, .count = 2};
    struct stream *st = abort_on_acks(&lab, r, drop);
    EXPECT_EQ(r, drop[0].hits + drop[1].hits, 2);
    EXPECT_EQ(r, SENT(lab.server, FASTCLOSE), 3);
    EXPECT_EQ(r, COUNT(lab.client, MPFastcloseRx), 1);
    EXPECT_EQ(r, st->side[0].error, PLAIT_E_RESET);
}

/* No ACK with the option gets through: after the last try a RST with it does. */
static void fastclose_ack_eaten(struct run *r)
{
    struct lab lab;
    struct rule_box drop[2];
    for (unsigned i = 0; i < 2; i++)
        drop[i] =
            (struct rule_box){.action = RULE_DROP, .options = MPO_FASTCLOSE, .flags_mask = TCP_RST};
    struct stream *st = abort_on_acks(&lab, r, drop);
    EXPECT_EQ(r, drop[0].hits + drop[1].hits, 4);
    EXPECT_EQ(r, SENT(lab.server, FASTCLOSE), 5);
    EXPECT_EQ(r, COUNT(lab.client, MPFastcloseRx), 1);
    EXPECT_EQ(r, st->side[0].error, PLAIT_E_RESET);
}

/* Both applications give up with the next byte they read. */
static void give_up(struct sim *sim, void *ctx)
{
    struct stream *s = ctx;
    (void)sim;
    for (unsigned i = 0; i < 2; i++)
        s->side[i].config.abort_at_read = s->side[i].received + 1;
}

static void fastclose_crossing_at(struct run *r, bool on_acks)
{
    struct lab lab;
    const struct side_config both = {.send_bytes = 5 * MB};
    lab_init(&lab, r);
    lab.client_config.fastclose_ack = lab.server_config.fastclose_ack = on_acks;
    lab_open_two(&lab, WIFI, WIFI);
    struct stream *s = lab_stream(&lab, &both, &both);
    sim_at(lab.sim, lab_at(&lab, 500000), give_up, s);
    lab_finish_any(&lab, 60);
    EXPECT(r, SENT(lab.client, FASTCLOSE) >= 1);
    EXPECT(r, SENT(lab.server, FASTCLOSE) >= 1);
    /* Who told it on a RST is gone when the other's comes; who told it on an ACK may
     * have chosen a subflow that the other has just reset. */
    uint64_t heard = COUNT(lab.client, MPFastcloseRx) + COUNT(lab.server, MPFastcloseRx);
    EXPECT(r, heard == 0 || on_acks || r->version == 0);
    EXPECT(r, lab.sim->now_us < lab_at(&lab, 3000000)); /* nobody waits for the other */
}

static void fastclose_crossing(struct run *r)
{
    fastclose_crossing_at(r, false);
}

static void fastclose_ack_crossing(struct run *r)
{
    fastclose_crossing_at(r, true);
}

const struct scenario scenarios_fastclose[] = {
    {"fastclose-ack", "MP_FASTCLOSE on an ACK, a RST answers", fastclose_ack},
    {"fastclose-ack-lost", "the ACK is lost twice and repeated", fastclose_ack_lost},
    {"fastclose-ack-eaten", "it never gets through; the last word is a RST", fastclose_ack_eaten},
    {"fastclose-crossing", "both ends abort at once", fastclose_crossing},
    {"fastclose-ack-crossing", "both ends abort at once, on ACKs", fastclose_ack_crossing},
    {NULL, NULL, NULL},
};
