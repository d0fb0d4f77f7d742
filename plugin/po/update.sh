#!/bin/sh
# Brings plugin/po/fr.po up to date with the texts of the sources; run it after changing one.
#
#   sh plugin/po/update.sh                   merges new texts into every .po file
#   sh plugin/po/update.sh --template FILE   only writes the texts of the sources to FILE
#
# Besides _() and N_() the formats of errors and findings are texts: libraries word them in
# English and look for the translation by relais_translate. A new function that takes such a
# format needs its --keyword below.
set -eu

cd "$(dirname "$0")/../.."

# write_template FILE
write_template()
{
    find plugin -name '*.c' ! -path 'plugin/nginx/*' ! -path 'plugin/apache/*' | LC_ALL=C sort |
        xgettext --files-from=- --output="$1" --language=C --from-code=UTF-8 --no-location --sort-output \
            --package-name=relais --keyword --keyword=_ --keyword=N_ --keyword=ngettext:1,2 \
            --keyword=relais_translate --keyword=relais_error_set:3 --keyword=relais_error_system:4 \
            --keyword=relais_build_fail:3 --keyword=error:3 --keyword=warning:3 --keyword=form_error:3 \
            --keyword=report:3 --keyword=fail:3 --keyword=find_fault:3 --keyword=refuse:3 \
            --keyword=relais_seal_fail:4 \
            --flag=relais_error_set:3:c-format --flag=relais_error_system:4:c-format \
            --flag=relais_say:1:c-format --flag=relais_arena_format:2:c-format
    # Without its date the catalogue changes only when a text does.
    sed -i -e 's/charset=CHARSET/charset=UTF-8/' -e '/^"POT-Creation-Date:/d' "$1"
}

if [ "${1:-}" = --template ]; then
    write_template "${2:?name of a file}"
    exit
fi
template=$(mktemp)
trap 'rm -f "$template"' EXIT
write_template "$template"
for catalogue in plugin/po/*.po; do
    msgmerge --quiet --update --backup=none --no-fuzzy-matching --sort-output "$catalogue" "$template"
    msgattrib --no-obsolete --sort-output --output-file="$catalogue" "$catalogue"
    msgfmt --check --statistics --output-file=/dev/null "$catalogue"
done
