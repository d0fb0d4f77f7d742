/*
 * Finding lists. See list.h.
 */
#include "transform/list.h"

#include "transform/nearest.h"

#include <string.h>

relais_list *relais_list_find(const relais_mapping *mapping, const char *name)
{
    relais_list *list = mapping->lists;

    while (list != NULL && strcmp(list->name, name) != 0)
        list = list->next;
    return list;
}

relais_list *relais_list_use(const relais_mapping *mapping, const char *name, relais_error *err)
{
    relais_list *found = relais_list_find(mapping, name);
    relais_nearest nearest;

    if (found != NULL) {
        found->is_used = true;
        return found;
    }
    relais_nearest_init(&nearest, name);
    for (const relais_list *list = mapping->lists; list != NULL; list = list->next)
        relais_nearest_consider(&nearest, list->name);
    if (nearest.best != NULL)
        relais_error_set(err, RELAIS_ERR_CONFIG, "there is no list \"%s\": did you mean \"%s\"?",
                         name, nearest.best);
    else
        relais_error_set(err, RELAIS_ERR_CONFIG,
                         "there is no list \"%s\": define it with <list name=\"%s\" "
                         "...> below <mapping>",
                         name, name);
    return NULL;
}
