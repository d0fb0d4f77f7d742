/*
 * Reading `nginx -T`. See webconf.h.
 */
#include "cli/webconf.h"

#include "base/buffer.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* ngx_conf_file.c refuses a longer parameter. */
enum { WORD_MAX = 4096, FILES_MAX = 4096, DEPTH_MAX = 64 };

#define FILE_MARK "# configuration file "

/* A file of the dump, and the block that includes it. */
struct file {
    const char *path;
    relais_directive *block;
};

struct reader {
    const char *at, *end;
    long line;
    relais_arena *arena;
    relais_buffer word;
    relais_directive *first, **last;
    relais_directive *blocks[DEPTH_MAX];
    size_t depth;
    struct file *files;
    size_t file_count;
};

typedef enum { TOKEN_END, TOKEN_WORD, TOKEN_SEMICOLON, TOKEN_OPEN, TOKEN_CLOSE } token;

/* ---- words ------------------------------------------------------------------------------ */

static bool begins_with(const struct reader *r, const char *text)
{
    size_t length = strlen(text);

    return (size_t)(r->end - r->at) >= length && memcmp(r->at, text, length) == 0;
}

static const char *line_end(const struct reader *r)
{
    const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));

    return end == NULL ? r->end : end;
}

/* A new file of the dump begins: what was open before was closed in its own file. */
static bool begin_file(struct reader *r, relais_error *err)
{
    const char *path = r->at + strlen(FILE_MARK), *end = line_end(r);

    while (end > path && (end[-1] == ':' || end[-1] == '\r'))
        end--;
    if (r->file_count == FILES_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "nginx's configuration has more than %d files", FILES_MAX);
    r->files[r->file_count].path = relais_arena_copy(r->arena, path, (size_t)(end - path));
    if (r->files[r->file_count++].path == NULL)
        return relais_arena_error(r->arena, err);
    r->depth = 0;
    r->line = 0; /* the mark's own line end makes it 1 */
    return true;
}

/* White space and comments; the mark of a file looks like a comment. */
static bool skip_space(struct reader *r, relais_error *err)
{
    while (r->at < r->end) {
        if (*r->at == '#') {
            if (begins_with(r, FILE_MARK) && !begin_file(r, err))
                return false;
            r->at = line_end(r);
        } else if (isspace((unsigned char)*r->at)) {
            r->line += *r->at == '\n';
            r->at++;
        } else {
            break;
        }
    }
    return true;
}

static void take_char(struct reader *r)
{
    r->line += *r->at == '\n';
    relais_buffer_append_char(&r->word, *r->at++);
}

/* A backslash keeps the next character from ending the word; only the escapes that nginx
 * itself resolves lose it, and none of those occurs in what is looked at here. */
static void take_escaped(struct reader *r)
{
    r->at++;
    if (r->at < r->end)
        take_char(r);
}

static void take_quoted(struct reader *r)
{
    char quote = *r->at++;

    while (r->at < r->end && *r->at != quote) {
        if (*r->at == '\\')
            take_escaped(r);
        else
            take_char(r);
    }
    if (r->at < r->end)
        r->at++;
}

static void take_bare(struct reader *r)
{
    while (r->at < r->end && !isspace((unsigned char)*r->at) && *r->at != ';' && *r->at != '{') {
        if (*r->at == '\\') {
            take_escaped(r);
        } else if (begins_with(r, "${")) {
            take_char(r);
            take_char(r);
        } else {
            take_char(r);
        }
    }
}

static bool next_token(struct reader *r, token *out, relais_error *err)
{
    if (!skip_space(r, err))
        return false;
    if (r->at == r->end) {
        *out = TOKEN_END;
        return true;
    }
    switch (*r->at) {
    case ';':
        *out = TOKEN_SEMICOLON;
        break;
    case '{':
        *out = TOKEN_OPEN;
        break;
    case '}':
        *out = TOKEN_CLOSE;
        break;
    default:
        *out = TOKEN_WORD;
        relais_buffer_reset(&r->word);
        if (*r->at == '"' || *r->at == '\'')
            take_quoted(r);
        else
            take_bare(r);
        return relais_buffer_check(&r->word, "a word of nginx's configuration", err);
    }
    r->at++;
    return true;
}

/* ---- directives ------------------------------------------------------------------------- */

static bool begin_directive(struct reader *r, relais_directive **out, relais_error *err)
{
    relais_directive *made = relais_arena_alloc(r->arena, sizeof *made);

    if (made == NULL)
        return relais_arena_error(r->arena, err);
    made->file = r->file_count == 0 ? "" : r->files[r->file_count - 1].path;
    made->line = r->line;
    made->block = r->depth == 0 ? NULL : r->blocks[r->depth - 1];
    *r->last = made;
    r->last = &made->next;
    *out = made;
    return true;
}

static bool add_word(struct reader *r, relais_directive *directive, relais_error *err)
{
    const char *word = r->word.data == NULL ? "" : r->word.data;
    const char *copy = relais_arena_text(r->arena, word);

    if (copy == NULL)
        return relais_arena_error(r->arena, err);
    if (directive->name == NULL)
        directive->name = copy;
    else if (directive->count < RELAIS_WEBCONF_ARGUMENTS_MAX)
        directive->arguments[directive->count++] = copy;
    return true;
}

static bool open_block(struct reader *r, relais_directive *directive, relais_error *err)
{
    if (directive == NULL)
        return true;
    if (r->depth == DEPTH_MAX)
        return relais_error_set(err, RELAIS_ERR_LIMIT,
                                "nginx's configuration is nested deeper than %d", DEPTH_MAX);
    directive->is_block = true;
    r->blocks[r->depth++] = directive;
    return true;
}

static bool read_directives(struct reader *r, relais_error *err)
{
    relais_directive *open = NULL;
    token what;

    for (;;) {
        size_t files = r->file_count;
        if (!next_token(r, &what, err))
            return false;
        if (files != r->file_count)
            open = NULL; /* a file that ended within a directive */
        switch (what) {
        case TOKEN_END:
            return true;
        case TOKEN_WORD:
            if ((open == NULL && !begin_directive(r, &open, err)) || !add_word(r, open, err))
                return false;
            break;
        case TOKEN_OPEN:
            if (!open_block(r, open, err))
                return false;
            open = NULL;
            break;
        case TOKEN_CLOSE:
            r->depth -= r->depth > 0;
            open = NULL;
            break;
        case TOKEN_SEMICOLON:
            open = NULL;
            break;
        }
    }
}

/* ---- includes --------------------------------------------------------------------------- */

/* nginx takes relative names from the directory of its main file. */
static const char *absolute_pattern(const struct reader *r, const char *pattern)
{
    const char *main_file = r->files[0].path, *slash = strrchr(main_file, '/');

    if (pattern[0] == '/' || slash == NULL)
        return pattern;
    return relais_arena_format(r->arena, "%.*s%s", (int)(slash + 1 - main_file), main_file,
                               pattern);
}

static const struct file *find_file(const struct reader *r, const char *path)
{
    for (size_t i = 0; i < r->file_count; i++)
        if (r->files[i].path == path)
            return &r->files[i];
    return NULL;
}

/* Where a directive at the top of an included file really stands. */
static relais_directive *surroundings(const struct reader *r, const relais_directive *one)
{
    const struct file *file = one->block == NULL ? find_file(r, one->file) : NULL;

    return file == NULL ? one->block : file->block;
}

/* Only files behind the including one: nothing then stands in itself, whatever a text claims. */
static bool link_include(const struct reader *r, const relais_directive *include, relais_error *err)
{
    const char *pattern = absolute_pattern(r, include->arguments[0]);
    const struct file *from = find_file(r, include->file);
    size_t behind = from == NULL ? r->file_count : (size_t)(from - r->files) + 1;

    if (pattern == NULL)
        return relais_arena_error(r->arena, err);
    for (size_t i = behind; i < r->file_count; i++)
        if (r->files[i].block == NULL && fnmatch(pattern, r->files[i].path, FNM_PATHNAME) == 0)
            r->files[i].block = surroundings(r, include);
    return true;
}

/* A file stands behind the one that includes it, so one pass from the front suffices. */
static bool link_files(const struct reader *r, relais_error *err)
{
    for (const relais_directive *one = r->first; r->file_count > 0 && one != NULL; one = one->next)
        if (one->name != NULL && strcmp(one->name, "include") == 0 && one->count == 1 &&
            !link_include(r, one, err))
            return false;
    for (relais_directive *one = r->first; one != NULL; one = one->next)
        one->block = surroundings(r, one);
    return true;
}

/* ---- the whole -------------------------------------------------------------------------- */

bool relais_webconf_read(const char *text, size_t length, relais_arena *arena,
                         relais_directive **first, relais_error *err)
{
    struct reader r = {.at = text, .end = text + length, .line = 1, .arena = arena};
    bool ok;

    r.last = &r.first;
    r.files = relais_arena_alloc(arena, FILES_MAX * sizeof *r.files);
    if (r.files == NULL)
        return relais_arena_error(arena, err);
    relais_buffer_init(&r.word, WORD_MAX);
    ok = read_directives(&r, err) && link_files(&r, err);
    relais_buffer_free(&r.word);
    *first = r.first;
    return ok;
}

static const relais_directive *find_inside(const relais_directive *first,
                                           const relais_directive *block, const char *name)
{
    for (const relais_directive *one = first; one != NULL; one = one->next)
        if (one->block == block && one->name != NULL && strcmp(one->name, name) == 0)
            return one;
    return NULL;
}

const relais_directive *relais_webconf_find(const relais_directive *first,
                                            const relais_directive *block, const char *name)
{
    for (size_t depth = 0; depth <= DEPTH_MAX; depth++) {
        const relais_directive *found = find_inside(first, block, name);
        if (found != NULL || block == NULL)
            return found;
        block = block->block;
    }
    return NULL;
}

long long relais_webconf_size(const char *text)
{
    static const char units[] = "kKmMgG";
    char *end;
    long long value = strtoll(text, &end, 10);
    const char *unit;

    if (end == text || value < 0 || value > 1LL << 40)
        return -1;
    if (*end == '\0')
        return value;
    unit = strchr(units, *end);
    if (unit == NULL || end[1] != '\0')
        return -1;
    return value << (10 * ((unit - units) / 2 + 1));
}
