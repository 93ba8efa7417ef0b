/* SPDX-License-Identifier: MIT
 *
 * The rows of the middlebox matrix: what stands in the way, and what must come
 * of it (RFC 8684 3.7; the list of behaviours is RFC 8041 3.1's and that of
 * the measurements it cites).
 */
#include "sim/matrix.h"

#define WHY(reason) PLAIT_WHY_##reason

/* Outcomes. Round trips are beyond those of the same transfer without boxes,
 * at the first byte or in the longest pause: a loss costs recovery, a SYN that
 * is swallowed its timers. */
/* clang-format off */
#define KEPT            {MATRIX_MPTCP, DATA_INTACT, WHY(NONE), 1}
#define KEPT_BUT(rtts)  {MATRIX_MPTCP, DATA_INTACT, WHY(NONE), rtts}
#define TCP(reason)     {MATRIX_TCP, DATA_INTACT, WHY(reason), 1}
#define TCP_BUT(reason, rtts) {MATRIX_TCP, DATA_INTACT, WHY(reason), rtts}
/* Either is right: where the option got lost decides. */
#define SURVIVES        {MATRIX_MPTCP | MATRIX_TCP, DATA_INTACT, WHY(NONE), 1}
/* Bytes can be placed no more, or only as plain TCP: both ends get all, or learn. */
#define TCP_OR_ERROR    {MATRIX_TCP | MATRIX_ERROR, DATA_INTACT | DATA_PART, WHY(NONE), LONG}
/* The same where a join may yet find another path. */
#define ENDS            {MATRIX_MPTCP | MATRIX_TCP | MATRIX_ERROR, DATA_INTACT | DATA_PART, \
                         WHY(NONE), LONG}
#define SURVIVES_LOSS   {MATRIX_MPTCP | MATRIX_TCP, DATA_INTACT, WHY(NONE), LOSS}
/* Nothing passes: both ends learn. */
#define ERROR           {MATRIX_ERROR, DATA_PART, WHY(NONE), LONG}
/* What plain TCP delivers through such a box (RFC 8684 3.7: the infinite
 * mapping reaches back to the last byte that was acknowledged intact). */
#define AS_TCP          {MATRIX_TCP, DATA_INTACT | DATA_BOXED, WHY(NONE), 1}
/* Altered bytes are sent again: half a round trip for MP_FAIL, one for the bytes
 * and their place behind what is under way. */
#define SENT_AGAIN      {MATRIX_TCP, DATA_INTACT, WHY(NONE), 3}
/* No checksums: nothing can tell (RFC 8684 3.3.1). It must end all the same. */
#define UNPROTECTED     {MATRIX_MPTCP | MATRIX_TCP | MATRIX_ERROR, \
                         DATA_INTACT | DATA_PART | DATA_BOXED | DATA_WRONG, WHY(NONE), LONG}
enum { LOSS = 25, SYN_TIMERS = 160, LONG = 60000 };
#define LOSSES "drop:on=data,dir=@,after=20,count=2"

const struct matrix_row matrix_rows[] = {
    /* ---- options disappear -------------------------------------------------------------- */
    {"strip-syn", "options removed from the SYN",
     "strip:on=syn",
     {TCP(PEER_NO_MPTCP), TCP(PEER_NO_MPTCP), KEPT}},
    {"strip-syn-eol", "options of the SYN overwritten by EOL",
     "strip:on=syn,how=eol",
     {TCP(PEER_NO_MPTCP), TCP(PEER_NO_MPTCP), KEPT}},
    {"strip-syn-short", "options cut out of the SYN",
     "strip:on=syn,how=remove",
     {TCP(PEER_NO_MPTCP), TCP(PEER_NO_MPTCP), KEPT}},
    {"strip-synack", "options removed from the SYN/ACK",
     "strip:on=synack",
     {TCP(PEER_NO_MPTCP), TCP(PEER_NO_MPTCP), KEPT}},
    {"strip-third", "options removed from the third ACK",
     "strip:on=third",
     {SURVIVES, SURVIVES, KEPT}},
    {"strip-ack", "options removed from acknowledgements of the data",
     "strip:on=ack,dir=~",
     {TCP(NONE), TCP(NONE), KEPT}},
    {"strip-data", "options removed from data, not from SYNs",
     "strip:on=data+fin,dir=@",
     {TCP(NONE), TCP(NONE), KEPT}},
    {"strip-data-eol", "options of data overwritten by EOL",
     "strip:on=data+fin,dir=@,how=eol",
     {TCP(NONE), TCP(NONE), KEPT}},
    {"strip-all-but-syn", "options removed from all but SYNs",
     "strip:on=ack+data+fin",
     {TCP(NONE), TCP(NONE), KEPT}},
    {"strip-later", "options removed after 50 packets",
     "strip:after=50",
     {TCP_OR_ERROR, KEPT, KEPT}},
    {"strip-later-data", "the same, in the direction of the data",
     "strip:after=50,dir=@",
     {TCP_OR_ERROR, KEPT, KEPT}},
    {"strip-later-acks", "the same, in the other direction",
     "strip:after=25,dir=~",
     {TCP_OR_ERROR, KEPT, KEPT}},
    {"strip-route", "the route changes to one that strips, at 80 ms",
     "strip:from=80ms",
     {TCP_OR_ERROR, KEPT, KEPT}},
    {"strip-fin", "options removed from the FIN and what it is on",
     "strip:on=fin",
     {KEPT, KEPT, KEPT}},
    {"strip-timestamps", "timestamps removed from SYNs",
     "strip:on=syn+synack,option=timestamp",
     {KEPT, KEPT, KEPT}},
    {"strip-timestamps-later", "timestamps removed after 30 packets",
     "strip:option=timestamp,after=30",
     {ENDS, KEPT_BUT(LOSS), KEPT_BUT(LOSS)}},
    {"strip-sackok", "SACK not permitted, and a loss",
     "strip:option=sackok " LOSSES,
     {KEPT_BUT(LOSS), KEPT_BUT(LOSS), KEPT_BUT(LOSS)}},
    {"strip-sack", "SACK blocks removed, and a loss",
     "strip:option=sack " LOSSES,
     {KEPT_BUT(LOSS), KEPT_BUT(LOSS), KEPT_BUT(LOSS)}},
    {"strip-wscale", "window scale removed from the SYN/ACK alone",
     "strip:on=synack,option=wscale",
     {KEPT_BUT(100), KEPT_BUT(LOSS), KEPT_BUT(LOSS)}},
    {"strip-addr", "ADD_ADDR and REMOVE_ADDR removed",
     "strip:option=add_addr+remove_addr",
     {KEPT, KEPT, KEPT}},
    {"repeat", "options written twice (timestamps removed for room)",
     "strip:on=syn+synack,option=timestamp repeat",
     {KEPT, KEPT, KEPT}},
    /* ---- packets disappear -------------------------------------------------------------- */
    {"drop-syn", "SYNs with the option swallowed",
     "drop:on=syn,option=mptcp",
     {TCP_BUT(SYN_DROPPED, SYN_TIMERS), TCP_BUT(SYN_DROPPED, SYN_TIMERS), KEPT}},
    {"drop-synack", "SYN/ACKs with the option swallowed",
     "drop:on=synack,option=mptcp",
     {TCP_BUT(SYN_DROPPED, SYN_TIMERS), TCP_BUT(SYN_DROPPED, SYN_TIMERS), KEPT}},
    {"drop-third", "the third ACK lost twice",
     "drop:on=third,count=2",
     {KEPT_BUT(SYN_TIMERS), KEPT_BUT(SYN_TIMERS), KEPT}},
    {"drop-data", "data with options swallowed",
     "drop:on=data,option=mptcp,dir=@",
     {TCP_OR_ERROR, ENDS, KEPT_BUT(LOSS)}},
    {"drop-data-later", "data with options swallowed after 50 packets",
     "drop:on=data,option=mptcp,dir=@,after=50",
     {TCP_OR_ERROR, KEPT_BUT(LOSS), KEPT_BUT(LOSS)}},
    {"drop-fin", "the first two FINs swallowed",
     "drop:on=fin,count=2",
     {KEPT, KEPT, KEPT}},
    {"blackhole", "nothing passes after 50 kB",
     "blackhole:bytes=50kB",
     {ERROR, KEPT_BUT(LOSS), KEPT_BUT(LOSS)}},
    {"mtu", "a hop with an MTU of 1000 that says so",
     "mtu:size=1000",
     {KEPT, KEPT, KEPT}},
    {"nohole", "no data behind a hole, and a loss",
     LOSSES " nohole",
     {KEPT_BUT(LOSS), KEPT_BUT(LOSS), KEPT_BUT(LOSS)}},
    {"unseen", "no acknowledgement of data that did not come by",
     "unseen",
     {KEPT, KEPT, KEPT}},
    /* ---- resets ------------------------------------------------------------------------- */
    {"reset-syn", "a firewall resets SYNs with the option",
     "reset:on=syn,option=mptcp",
     {ERROR, ERROR, KEPT}},
    {"reset-data", "a firewall resets data with options",
     "reset:on=data,option=mptcp,dir=@,how=both",
     {ERROR, ENDS, KEPT}},
    {"reset-join", "a load balancer sends MP_JOIN to another MPTCP server",
     "reset:on=syn,option=join",
     {KEPT, KEPT, KEPT}},
    {"plain-join", "a load balancer sends MP_JOIN to a plain server",
     "portal:on=syn+ack,option=join",
     {KEPT, KEPT, KEPT}},
    {"forge", "forged RSTs inside the window",
     "forge:on=data,dir=@,flags=rst,shift=30000,after=20,count=5",
     {KEPT, KEPT, KEPT}},
    /* ---- numbers ------------------------------------------------------------------------ */
    {"nat", "ports translated",
     "nat",
     {KEPT, KEPT, KEPT}},
    {"nat-address", "addresses and ports translated",
     "nat:addr=192.0.2.7",
     {KEPT, KEPT, KEPT}},
    {"nat-flush", "a NAT loses its table at 80 ms",
     "nat:flush=80ms,how=reset",
     {KEPT_BUT(60), KEPT, KEPT}},
    {"isn", "initial sequence numbers rewritten",
     "isn",
     {KEPT, KEPT, KEPT}},
    {"isn-wrap", "so that they wrap around soon",
     "isn:near=4294900000",
     {KEPT, KEPT, KEPT}},
    {"isn-notsack", "but not in SACK blocks, and a loss",
     "isn:how=notsack " LOSSES,
     {KEPT_BUT(LOSS), KEPT_BUT(LOSS), KEPT_BUT(LOSS)}},
    {"window", "no window above 10 kB",
     "window:bytes=10kB",
     {KEPT, KEPT, KEPT}},
    {"mss", "MSS of 536",
     "mss:size=536",
     {KEPT, KEPT, KEPT}},
    /* ---- segments ----------------------------------------------------------------------- */
    {"split-all", "segments cut in two, options on both",
     "split",
     {KEPT, KEPT, KEPT}},
    {"split-first", "segments cut in four, options on the first",
     "split:size=362,how=first",
     {KEPT, KEPT, KEPT}},
    {"split-last", "segments cut in four, options on the last",
     "split:size=362,how=last",
     {SURVIVES, SURVIVES, KEPT}},
    {"coalesce-first", "two segments merged, the first one's options stay",
     "mss:size=700 coalesce:size=1400",
     {SURVIVES_LOSS, SURVIVES_LOSS, KEPT_BUT(LOSS)}},
    {"coalesce-last", "two segments merged, the last one's options stay",
     "mss:size=700 coalesce:size=1400,how=last",
     {SURVIVES_LOSS, SURVIVES_LOSS, KEPT_BUT(LOSS)}},
    {"resegment", "other borders, options of the first byte",
     "resegment:size=1000",
     {SURVIVES_LOSS, SURVIVES_LOSS, KEPT_BUT(LOSS)}},
    {"resegment-last", "other borders, options of the last byte",
     "resegment:size=1000,how=last",
     {SURVIVES_LOSS, SURVIVES_LOSS, KEPT_BUT(LOSS)}},
    /* ---- payload ------------------------------------------------------------------------ */
    {"edit-once", "one byte changed on its way, once",
     "edit:dir=@,offset=150000",
     {SENT_AGAIN, KEPT, KEPT},
     {UNPROTECTED, UNPROTECTED, UNPROTECTED}},
    {"edit-always", "one byte changed whenever it passes",
     "edit:dir=@,offset=150000,how=always",
     {SENT_AGAIN, KEPT, KEPT},
     {UNPROTECTED, UNPROTECTED, UNPROTECTED}},
    {"edit-start", "the first byte changed, once",
     "edit:dir=@",
     {AS_TCP, AS_TCP, KEPT},
     {UNPROTECTED, UNPROTECTED, UNPROTECTED}},
    {"alg-grow", "a gateway puts five bytes in",
     "alg:dir=@,offset=100000,grow=5",
     {SENT_AGAIN, KEPT, KEPT},
     {UNPROTECTED, UNPROTECTED, UNPROTECTED}},
    {"alg-shrink", "a gateway takes five bytes out",
     "alg:dir=@,offset=100000,grow=-5",
     {SENT_AGAIN, KEPT, KEPT},
     {UNPROTECTED, UNPROTECTED, UNPROTECTED}},
    {"alg-start", "a gateway puts five bytes in at the start",
     "alg:dir=@,offset=0,grow=5",
     {AS_TCP, AS_TCP, KEPT},
     {UNPROTECTED, UNPROTECTED, UNPROTECTED}},
    /* ---- proxies ------------------------------------------------------------------------ */
    {"pep", "a proxy acknowledges early",
     "pep:dir=@",
     {SURVIVES, SURVIVES, KEPT}},
    {"pep-loss", "and repeats what is lost behind it",
     "pep:dir=@ " LOSSES,
     {SURVIVES_LOSS, SURVIVES_LOSS, KEPT_BUT(LOSS)}},
    {"pep-forget", "or does not",
     "pep:dir=@,how=forget " LOSSES,
     {TCP_OR_ERROR, TCP_OR_ERROR, KEPT_BUT(LOSS)}},
    {0},
};
/* clang-format on */
