/* SPDX-License-Identifier: MIT
 *
 * Intrusive doubly linked list with a sentinel head. A node that is on no
 * list points to itself, so list_remove is always safe and list_linked tells.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
    l->prev = l->next = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline bool list_linked(const struct list *l)
{
    return l->next != l;
}

/* Insert node before pos; with pos the head this appends. */
static inline void list_insert(struct list *pos, struct list *node)
{
    node->prev = pos->prev;
    node->next = pos;
    pos->prev->next = node;
    pos->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
    list_insert(head, node);
}

static inline void list_prepend(struct list *head, struct list *node)
{
    list_insert(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#define list_entry(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)

/* `next` is read before the body runs, so the body may remove `it`. */
#define list_each(it, head, type, member)                                                          \
    for (type *it = list_entry((head)->next, type, member),                                        \
              *it##_next = list_entry(it->member.next, type, member);                              \
         &it->member != (head);                                                                    \
         it = it##_next, it##_next = list_entry(it->member.next, type, member))

#endif
