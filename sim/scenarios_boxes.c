/* SPDX-License-Identifier: MIT
 *
 * Middleboxes once more, each as the regression that it was found by: what
 * random worlds with boxes and the middlebox matrix brought to light.
 */
#include "sim/scenario.h"

#define PATH "rate=20mbit,delay=10ms,queue=200kB"
#define KB 1000u

static struct stream *upload(struct lab *lab, uint64_t bytes)
{
    const struct side_config c = {.send_bytes = bytes};
    return lab_stream(lab, &c, NULL);
}

/* Segments are cut, the option stays on the first piece, and that one is lost:
 * what comes before it says nothing of the peer (RFC 8684 3.7). */
static void first_piece_lost(struct run *r)
{
    for (unsigned version = 0; version < 2; version++) {
        struct lab lab;
        const char *spec = PATH;
        lab_init(&lab, r);
        lab.client_config.version = version ? PLAIT_VERSION_1 : PLAIT_VERSION_0;
        lab_open(&lab, 1, &spec);
        sim_box(lab.sim, &lab.path[0], "split:dir=there,size=400,how=first");
        const struct box *drop = sim_box(lab.sim, &lab.path[0], "drop:dir=there,on=data,count=1");
        struct stream *s = upload(&lab, 100 * KB);
        lab_finish(&lab, 10);
        EXPECT_EQ(r, box_stats(drop)->dropped, 1);
        EXPECT_EQ(r, s->side[0].multipath, 1);
        EXPECT_EQ(r, s->side[1].multipath, 1);
    }
}

/* A mapping's checksum fails, its subflow ends: the bytes had been acknowledged
 * on it, so no record says any more that they were there. They are sent again
 * at once (3.3.6), not when a timer finds out. */
static void acked_but_lost(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab.client_config.checksum = true;
    lab_open_two(&lab, PATH, PATH);
    const struct box *edit = sim_box(lab.sim, &lab.path[0], "edit:dir=there,offset=150000");
    struct stream *s = upload(&lab, 300 * KB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, box_stats(edit)->acted, 1);
    EXPECT_EQ(r, COUNT(lab.server, DataCsumErr), 1);
    EXPECT_EQ(r, s->side[1].multipath, 1);
    EXPECT(r, s->side[1].pause_us < 150000);
}

/* Joins are answered, data is not: the timeout for having no subflow is
 * the limit of that too, and both ends learn. */
static void joins_in_vain(struct run *r)
{
    for (unsigned down = 0; down < 2; down++) {
        struct lab lab;
        const char *spec = PATH;
        lab_init(&lab, r);
        lab.client_config.data_retries = lab.server_config.data_retries = 5;
        lab.client_config.keepalive_idle_us = lab.server_config.keepalive_idle_us = 60000000;
        lab_open(&lab, 1, &spec);
        sim_box(lab.sim, &lab.path[0],
                down ? "drop:dir=back,on=data,after=30" : "drop:dir=there,on=data,after=30");
        const struct side_config sends = {.send_bytes = 300 * KB};
        const struct side_config reads = {.end = END_AFTER_EOF};
        struct stream *s = lab_stream(&lab, down ? &reads : &sends, down ? &sends : &reads);
        lab_finish_any(&lab, 400);
        EXPECT(r, s->side[0].error != 0);
        EXPECT(r, s->side[1].error != 0);
    }
}

/* A proxy acknowledges for the server without options and forgets to pass on
 * what it lets through: only the client's FIN tells the server that nothing more
 * is to come. */
static void fallback_untold(struct run *r)
{
    struct lab lab;
    const char *spec = "rate=16mbit,delay=270ms,queue=30kB";
    lab_init(&lab, r);
    lab_open(&lab, 1, &spec);
    sim_box(lab.sim, &lab.path[0], "pep:dir=both,how=forget,until=20s");
    const struct side_config sends = {.send_bytes = 10 * KB};
    const struct side_config reads = {.end = END_AFTER_EOF};
    struct stream *s = lab_stream(&lab, &sends, &reads);
    lab_finish(&lab, 60);
    EXPECT_EQ(r, s->side[0].multipath, 0);
    EXPECT_EQ(r, WHY(lab.client, CONN_FALLBACK, FIRST_ACK_PLAIN), 1);
}

/* A box that merges segments keeps the options of one: mappings are lost while
 * their bytes arrive. */
static void mappings_merged_away(struct run *r)
{
    static const char *const boxes[] = {"coalesce:size=1400", "coalesce:size=1400,how=last",
                                        "resegment:size=500", "resegment:size=500,how=last"};
    for (unsigned i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
        struct lab lab;
        lab_init(&lab, r);
        lab.client_config.mss_max = lab.server_config.mss_max = 700;
        lab_open_two(&lab, PATH, PATH);
        const struct box *b = sim_box(lab.sim, &lab.path[0], boxes[i]);
        const struct side_config both = {.send_bytes = 300 * KB};
        struct stream *s = lab_stream(&lab, &both, &both);
        lab_finish(&lab, 30);
        EXPECT(r, box_stats(b)->acted > 20);
        EXPECT_EQ(r, s->side[0].multipath, s->side[1].multipath);
    }
}

/* A box that lets data pass behind a hole has seen it, and lets its
 * acknowledgement pass once the hole is filled. */
static void unseen_behind_a_hole(struct run *r)
{
    struct lab lab;
    const char *spec = PATH;
    lab_init(&lab, r);
    lab_open(&lab, 1, &spec);
    const struct box *drop =
        sim_box(lab.sim, &lab.path[0], "drop:dir=there,on=data,after=5,count=1");
    const struct box *unseen = sim_box(lab.sim, &lab.path[0], "unseen:dir=back");
    upload(&lab, 100 * KB);
    lab_finish(&lab, 10);
    EXPECT_EQ(r, box_stats(drop)->dropped, 1);
    EXPECT_EQ(r, box_stats(unseen)->dropped, 0);
}

/* A captive portal on the joined path answers in the server's name. */
static void portal_on_the_second_path(struct run *r)
{
    struct lab lab;
    lab_init(&lab, r);
    lab_open_two(&lab, PATH, PATH);
    const struct box *portal = sim_box(lab.sim, &lab.path[1], "portal");
    struct stream *s = upload(&lab, 1000 * KB);
    lab_finish(&lab, 20);
    EXPECT(r, box_stats(portal)->injected >= 1);
    EXPECT(r, COUNT(lab.client, MPJoinSynAckNoMPJoin) >= 1);
    EXPECT_EQ(r, s->side[0].multipath, 1);
    EXPECT_EQ(r, s->side[1].info.subflows_total, 1);
}

/* A NAT forgets an idle flow: the next segment comes from a port that the
 * server does not know, and a new subflow carries on. */
static void nat_forgets(struct run *r)
{
    struct lab lab;
    const struct side_config c = {.requests = 4,
                                  .request_bytes = 1000,
                                  .response_bytes = 1000,
                                  .interval_us = 40000000};
    const struct side_config s = {.respond_to = 1000, .respond_bytes = 1000, .end = END_AFTER_EOF};
    lab_init(&lab, r);
    lab_open_two(&lab, PATH, PATH);
    const struct box *nat[2] = {sim_box(lab.sim, &lab.path[0], "nat:idle=30s,how=reset"),
                                sim_box(lab.sim, &lab.path[1], "nat:idle=30s,how=reset")};
    struct stream *st = lab_stream(&lab, &c, &s);
    lab_finish(&lab, 300);
    EXPECT(r, box_stats(nat[0])->acted + box_stats(nat[1])->acted > 10);
    EXPECT_EQ(r, st->side[0].received, 4000);
    EXPECT(r, st->side[0].info.subflows_total > 2);
}

const struct scenario scenarios_boxes[] = {
    {"first-piece-lost", "a segment is cut and its first piece, with the option, is lost",
     first_piece_lost},
    {"acked-but-lost", "bytes that an ended subflow acknowledged are sent again at once",
     acked_but_lost},
    {"joins-in-vain", "joins are answered but data is not: both ends learn", joins_in_vain},
    {"fallback-untold", "only a FIN without options says that the peer fell back", fallback_untold},
    {"mappings-merged-away", "segments are merged, mappings lost", mappings_merged_away},
    {"unseen-behind-a-hole", "acknowledgements pass a box that saw the data out of order",
     unseen_behind_a_hole},
    {"portal-second-path", "a captive portal on the joined path", portal_on_the_second_path},
    {"nat-forgets", "a NAT forgets idle flows", nat_forgets},
    {NULL, NULL, NULL},
};
