/* SPDX-License-Identifier: MIT
 *
 * Middleboxes in a wire (sim/box.h): a pair's chain stands before both of its
 * links, so that what a box holds or answers meets the emulated link next.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/units.h"
#include "cli/wire.h"

static void offer(struct box_chain *boxes, enum box_dir dir, struct sim_packet *p)
{
    struct wire_pair *pair = boxes->ctx;
    struct wire_way *way = &pair->way[dir];

    if (boxes->now_us > way->offered_us)
        way->offered_us = boxes->now_us;
    link_offer(&way->link, way->offered_us, p);
}

void wire_boxes_init(struct wire_pair *pair, uint64_t seed)
{
    box_chain_init(&pair->boxes, seed, offer, pair);
}

/* "2:NAME..." or "NAME...", which is the first pair's. */
static const char *pair_of(const char *text, uint64_t *number)
{
    char digits[8];
    size_t len = strspn(text, "0123456789");

    *number = 1;
    if (!len || text[len] != ':')
        return text;
    snprintf(digits, sizeof digits, "%.*s", (int)(len < 7 ? len : 7), text);
    return parse_count(digits, number) ? text + len + 1 : text;
}

static bool add(struct wire_pair *pair, const char *text, uint64_t now_us, char *error)
{
    struct box_spec spec;

    if (!box_spec_parse(text, &spec, error))
        return false;
    if (box_add(&pair->boxes, &spec, now_us))
        return true;
    snprintf(error, BOX_ERROR_MAX, "at most %d boxes in a pair", BOXES_MAX);
    return false;
}

bool wire_box_add(struct wire *w, const char *text, uint64_t now_us, char *error)
{
    uint64_t number;
    const char *rest = pair_of(text, &number);

    if (number < 1 || number > w->count) {
        snprintf(error, BOX_ERROR_MAX, "there is no pair %llu", (unsigned long long)number);
        return false;
    }
    return add(&w->pairs[number - 1], rest, now_us, error);
}

json_t *wire_boxes_json(const struct wire_pair *pair)
{
    json_t *list = json_array();
    struct box *b;

    for (unsigned i = 0; (b = box_at(&pair->boxes, i)) != NULL; i++) {
        const struct box_stats *s = box_stats(b);
        char text[BOX_TEXT_MAX];
        const struct report_number numbers[] = {
            {"seen", s->seen},         {"acted", s->acted}, {"dropped", s->dropped},
            {"injected", s->injected}, {"flows", s->flows}, {"evicted", s->evicted},
        };
        json_t *o = json_pack("{s:s}", "box", box_spec_format(box_spec(b), text));
        report_numbers(o, numbers, sizeof numbers / sizeof numbers[0]);
        json_array_append_new(list, o);
    }
    return list;
}

static char *list_boxes(const struct wire_pair *pair)
{
    json_t *list = wire_boxes_json(pair);
    char *text = json_dumps(list, JSON_COMPACT);

    json_decref(list);
    return text;
}

static char *remove_box(struct wire_pair *pair, const char *word, uint64_t now_us, char *error)
{
    uint64_t number = 0;
    struct box *b = NULL;

    if (word && parse_count(word, &number) && number >= 1 && number <= BOXES_MAX)
        b = box_at(&pair->boxes, (unsigned)number - 1);
    if (!b) {
        snprintf(error, BOX_ERROR_MAX, "remove which box? a number from 1, as box N list has them");
        return NULL;
    }
    box_remove(b, now_us);
    return strdup("ok");
}

/* A planned command has blanks where a colon would be: "strip on=syn". */
static void join_words(const char *name, char **save, char *text)
{
    const char *word;
    size_t n = (size_t)snprintf(text, BOX_TEXT_MAX, "%s", name);

    for (char sign = ':'; n < BOX_TEXT_MAX && (word = strtok_r(NULL, " \t", save)); sign = ',')
        n += (size_t)snprintf(text + n, BOX_TEXT_MAX - n, "%c%s", sign, word);
}

char *wire_box_command(struct wire_pair *pair, char **save, uint64_t now_us, char *error)
{
    const char *verb = strtok_r(NULL, " \t", save), *word = strtok_r(NULL, " \t", save);
    char text[BOX_TEXT_MAX];

    if (verb && strcmp(verb, "add") == 0 && word) {
        join_words(word, save, text);
        return add(pair, text, now_us, error) ? strdup("ok") : NULL;
    }
    if (verb && strcmp(verb, "remove") == 0)
        return remove_box(pair, word, now_us, error);
    if (verb && strcmp(verb, "list") == 0)
        return list_boxes(pair);
    snprintf(error, BOX_ERROR_MAX,
             "box what? write box N add NAME[:key=value,...], box N remove I or box N list");
    return NULL;
}
