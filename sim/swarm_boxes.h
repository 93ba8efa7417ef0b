/* SPDX-License-Identifier: MIT
 *
 * Random middleboxes for random worlds.
 */
#ifndef SIM_SWARM_BOXES_H
#define SIM_SWARM_BOXES_H

#include "sim/box.h"

/* One box into text (BOX_TEXT_MAX bytes), gone by gone_us after it was added
 * if it is one of those that may cost a connection its life. True: it is. */
bool swarm_box(struct prng *p, uint64_t gone_us, char *text);

#endif
