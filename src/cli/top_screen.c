/* SPDX-License-Identifier: MIT */
#include <curses.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/top.h"

enum { EVENT_ROWS = 5, PAIR_TROUBLE = 1, PAIR_GOOD, PAIR_DIM };

struct screen {
    SCREEN *terminal;
    int row, row_end, skip; /* lines of this part; those that are scrolled away */
    int scroll, lines;      /* of connections: how far, how many there were */
    bool help, typing;
};

struct screen *screen_open(void)
{
    const char *plain = getenv("NO_COLOR");
    struct screen *s = calloc(1, sizeof *s);

    setlocale(LC_CTYPE, "");
    if (s)
        s->terminal = newterm(NULL, stdout, stdin);
    if (!s || !s->terminal) {
        free(s);
        return NULL;
    }
    cbreak();
    noecho();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    curs_set(0);
    set_escdelay(25);
    if (has_colors() && !(plain && *plain)) {
        start_color();
        use_default_colors();
        init_pair(PAIR_TROUBLE, COLOR_RED, -1);
        init_pair(PAIR_GOOD, COLOR_GREEN, -1);
        init_pair(PAIR_DIM, COLOR_CYAN, -1);
    }
    return s;
}

void screen_close(struct screen *s)
{
    if (!s)
        return;
    endwin();
    delscreen(s->terminal);
    free(s);
}

/* ---- drawing --------------------------------------------------------------- */

static attr_t look(enum top_kind kind)
{
    switch (kind) {
    case TOP_HEADER:
        return A_REVERSE;
    case TOP_DAEMON:
    case TOP_CONN:
        return A_BOLD;
    case TOP_TROUBLE:
        return COLOR_PAIR(PAIR_TROUBLE);
    case TOP_PATH:
        return COLOR_PAIR(PAIR_GOOD);
    default:
        return A_NORMAL;
    }
}

static void put_line(void *ctx, enum top_kind kind, const char *line)
{
    struct screen *s = ctx;

    s->lines++;
    if (s->skip > 0) {
        s->skip--;
        return;
    }
    if (s->row >= s->row_end)
        return;
    attrset(look(kind));
    mvaddnstr(s->row, 0, line, COLS);
    if (kind == TOP_HEADER)
        for (int i = (int)strlen(line); i < COLS; i++)
            addch(' ');
    attrset(A_NORMAL);
    s->row++;
}

static const char *const help_lines[] = {
    "plait top: keys",
    "",
    "  q            leave                   h ?          this, and back",
    "  o            the next order          i            the other way round",
    "  /            show only what contains a text (Enter; empty: everything)",
    "  s            subflows or not         e            events or not",
    "  space        stand still, and on     up down      scroll (page up, page down)",
    "",
    "  OUT, IN      bits a second since the last look, out and in",
    "  CWND         congestion window in bytes",
    "  REINJ        bytes sent again over another path",
    "  STATE        a connection's scheduler, or why it is plain TCP;",
    "               a subflow's state, or why it ended",
    "",
    "Events below stand with the connection/subflow and the reason.",
};

static void draw_help(void)
{
    for (int i = 0; i < (int)(sizeof help_lines / sizeof help_lines[0]) && i < LINES - 1; i++)
        mvaddnstr(i, 0, help_lines[i], COLS);
}

static int event_rows(const struct top *t)
{
    int room = LINES / 4 < EVENT_ROWS ? LINES / 4 : EVENT_ROWS;

    return t->no_events ? 0 : room;
}

static void draw_events(const struct top *t)
{
    int rows = event_rows(t), first = LINES - 1 - rows;

    attrset(COLOR_PAIR(PAIR_DIM));
    for (int i = 0; i < rows; i++) {
        const char *text = top_event_text(t, (unsigned)(rows - 1 - i));
        if (text)
            mvaddnstr(first + i, 0, text, COLS);
    }
    attrset(A_NORMAL);
}

static void draw_footer(const struct screen *s, const struct top *t)
{
    attrset(A_REVERSE);
    move(LINES - 1, 0);
    for (int i = 0; i < COLS - 1; i++)
        addch(' ');
    if (s->typing)
        mvprintw(LINES - 1, 0, "Show only: %s_", t->filter);
    else
        mvaddnstr(LINES - 1, 0,
                  t->paused ? "STOPPED  q leave  space goes on  h help"
                            : "q leave  h help  o order  i invert  / filter  s subflows  "
                              "e events  space stop",
                  COLS - 1);
    attrset(A_NORMAL);
}

static void draw_rows(struct screen *s, const struct top *t)
{
    s->row = s->skip = 0;
    s->row_end = LINES - 1 - event_rows(t);
    top_head(t, (unsigned)COLS, put_line, s);
    s->skip = s->scroll;
    s->lines = 0;
    top_conns(t, (unsigned)COLS, put_line, s);
    if (s->lines == 0 && s->row < s->row_end)
        mvaddnstr(s->row, 0, t->filter[0] ? "no connection contains that" : "no connections", COLS);
}

void screen_draw(struct screen *s, const struct top *t)
{
    erase();
    if (s->help) {
        draw_help();
    } else if (!t->now) {
        mvaddnstr(0, 0, "waiting for the daemon", COLS);
    } else {
        draw_rows(s, t);
        draw_events(t);
    }
    draw_footer(s, t);
    refresh();
}

/* ---- keys ------------------------------------------------------------------ */

static void type(struct screen *s, struct top *t, int key)
{
    size_t len = strlen(t->filter);

    if (key == '\n' || key == '\r' || key == KEY_ENTER)
        s->typing = false;
    else if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && len > 0)
        t->filter[len - 1] = 0;
    else if (key == 27) { /* escape */
        t->filter[0] = 0;
        s->typing = false;
    } else if (key >= ' ' && key < 127 && len + 1 < sizeof t->filter) {
        t->filter[len] = (char)key;
        t->filter[len + 1] = 0;
    }
}

static void scroll_by(struct screen *s, int by)
{
    int last = s->lines - 1;

    s->scroll += by;
    if (s->scroll > last)
        s->scroll = last;
    if (s->scroll < 0)
        s->scroll = 0;
}

static void obey(struct screen *s, struct top *t, int key)
{
    switch (key) {
    case 'h':
    case '?':
        s->help = !s->help;
        break;
    case 'o':
        t->sort = (t->sort + 1) % TOP_SORT_COUNT;
        break;
    case 'i':
        t->reverse = !t->reverse;
        break;
    case '/':
        s->typing = true;
        t->filter[0] = 0;
        break;
    case 's':
        t->no_subflows = !t->no_subflows;
        break;
    case 'e':
        t->no_events = !t->no_events;
        break;
    case ' ':
        t->paused = !t->paused;
        break;
    case KEY_UP:
        scroll_by(s, -1);
        break;
    case KEY_DOWN:
        scroll_by(s, 1);
        break;
    case KEY_PPAGE:
        scroll_by(s, -LINES / 2);
        break;
    case KEY_NPAGE:
        scroll_by(s, LINES / 2);
        break;
    default:; /* KEY_RESIZE: drawing anew is all it takes */
    }
}

bool screen_keys(struct screen *s, struct top *t)
{
    int key;

    while ((key = getch()) != ERR) {
        if (s->typing)
            type(s, t, key);
        else if (key == 'q')
            return false;
        else
            obey(s, t, key);
    }
    return true;
}
