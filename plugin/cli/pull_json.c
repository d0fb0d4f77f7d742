/*
 * The JSON of pulling. See pull_json.h. Ids are the server's; no answer and no address is here.
 */
#include "cli/pull_json.h"

#include <string.h>

static json_t *array_of(json_t *object, const char *name)
{
    json_t *array = json_object_get(object, name);

    if (array == NULL && json_object_set_new(object, name, json_array()) == 0)
        array = json_object_get(object, name);
    return array;
}

json_t *relais_pull_json_source(json_t *document, const relais_source *source)
{
    json_t *one = json_pack("{s:s s:s s:n s:[]}", "source", source->name, "kind", source->kind,
                            "error", "forms");

    json_array_append_new(array_of(document, "sources"), one);
    return one;
}

json_t *relais_pull_json_form(json_t *source, const char *form)
{
    json_t *forms = json_object_get(source, "forms");
    size_t i;
    json_t *one;

    json_array_foreach(forms, i, one) if (strcmp(json_string_value(json_object_get(one, "form")),
                                                 form) == 0) return one;
    one = json_pack("{s:s s:n s:[] s:[] s:[]}", "form", form, "error", "failures", "given_up_files",
                    "deleted_ids");
    json_array_append_new(forms, one);
    return one;
}

void relais_pull_json_counts(json_t *form, const relais_pull_counts *counts)
{
    const struct {
        const char *name;
        uint64_t count;
    } figures[] = {
        {"listed", counts->listed},     {"known", counts->known},
        {"pulled", counts->pulled},     {"files", counts->files},
        {"failed", counts->failed},     {"waiting_for_files", counts->waiting},
        {"given_up", counts->given_up}, {"deleted", counts->deleted},
        {"rejected", counts->rejected},
    };

    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        json_object_set_new(form, figures[i].name, json_integer((json_int_t)figures[i].count));
}

static json_t *error_object(const relais_error *why)
{
    char text[1024];

    return json_pack("{s:s s:s}", "class", relais_error_word(why->code), "text",
                     relais_error_format(why, text, sizeof text));
}

void relais_pull_json_failed(json_t *form, const char *id, const relais_error *why)
{
    json_t *one = error_object(why);

    json_object_set_new(one, "id", json_string(id));
    json_array_append_new(array_of(form, "failures"), one);
}

void relais_pull_json_given_up(json_t *form, const char *id, const char *file)
{
    json_array_append_new(array_of(form, "given_up_files"),
                          json_pack("{s:s s:s}", "id", id, "file", file));
}

void relais_pull_json_deleted(json_t *form, const char *id)
{
    json_array_append_new(array_of(form, "deleted_ids"), json_string(id));
}

void relais_pull_json_error(json_t *object, const relais_error *why)
{
    json_object_set_new(object, "error", error_object(why));
}
