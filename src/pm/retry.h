/* SPDX-License-Identifier: MIT
 *
 * What every path manager that opens subflows keeps in mind: which pairs of
 * addresses failed, and when each may be tried again.
 *
 * The pause after a failure depends on why (RFC 8684 3.6 leaves it to us
 * whether, when and how often): the reason the peer gave and its T bit, or what
 * the network said. It doubles with each failure in a row. News of either
 * address end it. An announced address that never answered is left alone after
 * a few attempts, until it is announced again (RFC 8684 3.4.1): it may be
 * somebody else's.
 *
 * Pauses are kept for PM_RETRY_PAIRS pairs at most. When more fail the one
 * whose pause ends first is forgotten, and nothing that is not remembered is
 * tried before that: there are never more attempts than the pauses allow.
 */
#ifndef PM_RETRY_H
#define PM_RETRY_H

#include "plait/plugin.h"

enum { PM_RETRY_PAIRS = 9 };

/* Reasons of MP_TCPRST (RFC 8684 7.4) that matter to path managers. */
enum { RST_MPTCP = 1, RST_POLICY = 3, RST_OUTSTANDING = 4, RST_MIDDLEBOX = 6 };

/* A pair that failed, and when it may be tried again (milliseconds, wrapping). */
struct pm_failed {
    uint8_t local_id, remote_id;
    uint8_t times;   /* in a row; 0: the slot is free */
    bool never : 1;  /* only after news */
    bool worked : 1; /* it was established once */
    uint32_t at_ms;
};

/* Zeroed: nothing failed. */
struct pm_retry {
    struct pm_failed failed[PM_RETRY_PAIRS];
    bool forgot;
    uint32_t forgot_ms; /* unknown pairs are not tried before */
};

/* The clock of this memory. */
static inline uint32_t pm_now_ms(const struct plait_pm_view *v)
{
    return (uint32_t)(v->now_us / 1000);
}

/* PLAIT_PM_SUBFLOW_FAILED: remember view->news. */
void pm_retry_note(struct pm_retry *m, const struct plait_pm_view *v);
/* Any event: news of an address end its pauses. */
void pm_retry_news(struct pm_retry *m, const struct plait_pm_view *v, enum plait_pm_event event);
/* The pair has to wait; *wake_us is lowered to when it need not. */
bool pm_retry_paused(struct pm_retry *m, const struct plait_pm_view *v, uint8_t local_id,
                     uint8_t remote_id, uint64_t *wake_us);
/* How often the pair failed in a row. */
unsigned pm_retry_times(struct pm_retry *m, uint8_t local_id, uint8_t remote_id);

#endif
