/* SPDX-License-Identifier: MIT
 *
 * What the swarm draws from the catalogue. In a text, @ is a direction, # a
 * number of packets or kilobytes, $ a size, ~ a time within the life of the
 * box.
 */
#include "sim/swarm_boxes.h"

#include <stdio.h>
#include <string.h>

/* With any of these in the path every stream must arrive, as Multipath TCP or
 * as plain TCP. */
static const char *const mild[] = {
    "strip:on=syn",
    "strip:on=syn,how=eol",
    "strip:on=synack,how=remove",
    "strip:on=third",
    "strip:on=syn+synack,option=timestamp",
    "strip:on=syn+synack,option=sackok",
    "strip:option=sack,dir=@",
    "strip:option=add_addr+remove_addr+prio,dir=@",
    "strip:option=join,on=syn+synack+third,dir=@",
    "repeat:dir=@",
    "isn",
    "isn:near=42949#000",
    "isn:how=notsack",
    "isn:how=all", /* from the start: one that begins later breaks a SYN that is repeated then */
    "nat",
    "split:dir=@",
    "split:size=$,dir=@,how=first",
    "mss:size=$",
    "window:bytes=#kB,dir=@",
    "nohole:dir=@",
    "unseen:dir=@",
    "forge:on=data,dir=@,flags=rst,shift=30011,count=#",
    "drop:on=third,count=2",
    "drop:on=syn,option=mptcp",
    "drop:on=data,dir=@,after=#,count=3",
    "drop:option=add_addr,count=2",
    "drop:option=join,dir=@",
    "reset:on=syn,option=join",
    "portal:on=syn,option=join",
};

/* These may cost the connection its life, and are gone after a while. */
static const char *const harsh[] = {
    "strip:from=~",
    "strip:dir=@,on=data,from=~",
    "strip:dir=@,on=ack",
    "strip:dir=@,after=#",
    "strip:dir=@,on=data+fin",
    "strip:option=timestamp,after=#",
    "strip:option=wscale,on=synack",
    "split:size=$,dir=@,how=last",
    "coalesce:size=$",
    "coalesce:size=$,how=last,dir=@",
    "resegment:size=$,dir=@",
    "resegment:size=$,dir=@,how=last",
    "drop:on=data,option=mptcp,dir=@",
    "drop:on=synack,option=mptcp",
    "drop:dir=@,from=~",
    "blackhole:bytes=#kB",
    "reset:on=data,option=mptcp,after=#,how=both",
    "reset:on=syn,option=mptcp",
    "reset:after=#,count=1",
    "nat:flush=~,how=reset",
    "nat:idle=~",
    "nat:from=~",
    "pep:dir=@",
    "pep:dir=@,how=forget",
    "unseen:how=correct",
};

static const char *one_of(struct prng *p, const char *const *list, size_t count)
{
    return list[prng_below(p, count)];
}

static size_t put(struct prng *p, char code, uint64_t gone_us, char *at, size_t room)
{
    static const char *const dirs[] = {"there", "back", "both"};
    switch (code) {
    case '@':
        return (size_t)snprintf(at, room, "%s", one_of(p, dirs, 3));
    case '#':
        return (size_t)snprintf(at, room, "%u", 1 + (unsigned)prng_below(p, 60));
    case '$':
        return (size_t)snprintf(at, room, "%u", 200 + (unsigned)prng_below(p, 1200));
    case '~':
        return (size_t)snprintf(at, room, "%ums", 1 + (unsigned)prng_below(p, gone_us / 2000));
    default:
        return (size_t)snprintf(at, room, "%c", code);
    }
}

bool swarm_box(struct prng *p, uint64_t gone_us, char *text)
{
    bool is_harsh = prng_below(p, 100) < 35;
    const char *from = is_harsh ? one_of(p, harsh, sizeof harsh / sizeof harsh[0])
                                : one_of(p, mild, sizeof mild / sizeof mild[0]);
    size_t n = 0;
    for (const char *c = from; *c; c++)
        n += put(p, *c, gone_us, text + n, BOX_TEXT_MAX - n);
    if (is_harsh)
        snprintf(text + n, BOX_TEXT_MAX - n, "%cuntil=%llums", strchr(from, ':') ? ',' : ':',
                 (unsigned long long)gone_us / 1000);
    return is_harsh;
}
