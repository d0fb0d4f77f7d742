/*
 * The tree of steps that a mapping reads, and its walk. See cover.h.
 *
 * Several branches can be right at once ("*" and a name, any number of levels), so the walk
 * carries the set of places in the tree that the present element may stand at.
 */
#include "transform/cover.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum {
    PLACES_MAX = 32, /* at once; a mapping without "//" has one or two */
    DEPTH_MAX = 100, /* RELAIS_SUBMISSION_DEPTH_MAX: what is deeper was refused before */
    GAPS_MAX = 200,  /* distinct paths kept: an unknown form version, not a list of data */
    PATH_SIZE = 4096 /* bytes of a path in a message */
};

struct relais_cover {
    const char *step;
    bool is_read;
    bool is_subtree;
    relais_cover *children;
    relais_cover *next;
};

struct places {
    const relais_cover *items[PLACES_MAX];
    size_t count;
    bool is_inside; /* below a path that takes its subtree */
};

relais_cover *relais_cover_create(relais_arena *arena)
{
    return relais_arena_alloc(arena, sizeof(relais_cover));
}

static relais_cover *child_for(relais_cover *cover, const char *step, relais_arena *arena)
{
    relais_cover *child = cover->children;

    while (child != NULL && strcmp(child->step, step) != 0)
        child = child->next;
    if (child != NULL)
        return child;
    child = relais_arena_alloc(arena, sizeof *child);
    if (child == NULL)
        return NULL;
    child->step = step;
    child->next = cover->children;
    cover->children = child;
    return child;
}

bool relais_cover_add(relais_cover *cover, const relais_path *path, bool is_subtree,
                      relais_arena *arena, relais_error *err)
{
    for (size_t i = 0; i < path->count; i++) {
        cover = child_for(cover, path->steps[i], arena);
        if (cover == NULL)
            return relais_arena_error(arena, err);
    }
    cover->is_read = cover->is_read || !path->is_attribute;
    cover->is_subtree = cover->is_subtree || is_subtree;
    return true;
}

/* Adds a place, and those that "any number of levels" reaches without a step. */
static void enter(struct places *places, const relais_cover *cover)
{
    for (size_t i = 0; i < places->count; i++)
        if (places->items[i] == cover)
            return;
    if (places->count == PLACES_MAX)
        return;
    places->items[places->count++] = cover;
    places->is_inside = places->is_inside || cover->is_subtree;
    for (const relais_cover *child = cover->children; child != NULL; child = child->next)
        if (strcmp(child->step, RELAIS_STEP_LEVELS) == 0)
            enter(places, child);
}

static void step_to(const struct places *from, const char *name, struct places *to)
{
    to->count = 0;
    to->is_inside = from->is_inside;
    for (size_t i = 0; i < from->count; i++) {
        const relais_cover *place = from->items[i];
        if (place->step != NULL && strcmp(place->step, RELAIS_STEP_LEVELS) == 0)
            enter(to, place);
        for (const relais_cover *child = place->children; child != NULL; child = child->next)
            if (strcmp(child->step, name) == 0 || strcmp(child->step, RELAIS_STEP_ANY) == 0)
                enter(to, child);
    }
}

static bool is_read(const struct places *places)
{
    if (places->is_inside)
        return true;
    for (size_t i = 0; i < places->count; i++)
        if (places->items[i]->is_read)
            return true;
    return false;
}

bool relais_cover_reads(const relais_cover *cover, const char *const *names, size_t count)
{
    struct places sets[2] = {0};

    if (count >= 2 && strcmp(names[1], "meta") == 0)
        return true;
    enter(&sets[0], cover);
    for (size_t i = 0; i < count; i++)
        step_to(&sets[i % 2], names[i], &sets[(i + 1) % 2]);
    return is_read(&sets[count % 2]);
}

struct walk {
    relais_arena *arena;
    const char **gaps;
    size_t count;
    char path[PATH_SIZE];
    relais_error *err;
};

static bool has_text(const xmlNode *element)
{
    for (const xmlNode *node = element->children; node != NULL; node = node->next) {
        if (node->type != XML_TEXT_NODE && node->type != XML_CDATA_SECTION_NODE)
            continue;
        for (const xmlChar *p = node->content; p != NULL && *p != '\0'; p++)
            if (!relais_is_space((char)*p))
                return true;
    }
    return false;
}

static bool add_gap(struct walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        if (strcmp(walk->gaps[i], walk->path) == 0)
            return true;
    if (walk->gaps == NULL)
        walk->gaps = relais_arena_alloc(walk->arena, GAPS_MAX * sizeof *walk->gaps);
    if (walk->gaps == NULL)
        return relais_arena_error(walk->arena, walk->err);
    walk->gaps[walk->count] = relais_arena_text(walk->arena, walk->path);
    if (walk->gaps[walk->count] == NULL)
        return relais_arena_error(walk->arena, walk->err);
    walk->count++;
    return true;
}

/* `end` is where in walk->path the parent's path ends. */
static bool visit(struct walk *walk, const struct places *outer, xmlNodePtr element, size_t end,
                  int depth)
{
    const char *name = (const char *)element->name;
    struct places places;
    bool is_leaf = true;
    int length;

    if (depth > DEPTH_MAX || (depth == 2 && strcmp(name, "meta") == 0))
        return true;
    step_to(outer, name, &places);
    if (places.is_inside)
        return true;
    length = snprintf(walk->path + end, PATH_SIZE - end, "/%s", name);
    end = (size_t)length < PATH_SIZE - end ? end + (size_t)length : PATH_SIZE - 1;
    for (xmlNodePtr child = element->children; child != NULL; child = child->next) {
        if (child->type != XML_ELEMENT_NODE)
            continue;
        is_leaf = false;
        if (walk->count == GAPS_MAX)
            return true;
        if (!visit(walk, &places, child, end, depth + 1))
            return false;
    }
    walk->path[end] = '\0';
    if (!is_leaf || is_read(&places) || !has_text(element) || walk->count == GAPS_MAX)
        return true;
    return add_gap(walk);
}

bool relais_cover_find_gaps(const relais_cover *cover, xmlNodePtr root, relais_arena *arena,
                            const char ***out, size_t *count, relais_error *err)
{
    struct walk walk = {.arena = arena, .err = err};
    struct places start = {0};

    enter(&start, cover);
    if (!visit(&walk, &start, root, 0, 1))
        return false;
    *out = walk.gaps;
    *count = walk.count;
    return true;
}
