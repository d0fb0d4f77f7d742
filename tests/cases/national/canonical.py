"""Names and document numbers as they are compared (schema.md, B6), written without the project's code."""
import itertools
import re
import unicodedata


def fold(name):
    letters = unicodedata.normalize("NFKD", name.upper())
    letters = "".join(c for c in letters if unicodedata.category(c) in ("Lu", "Ll", "Lt", "Lo"))
    letters = re.sub("OU(?=[AEIOUY])", "W", letters.replace("PH", "F").replace("H", ""))
    return "".join(c for c, _ in itertools.groupby(letters.replace("V", "W").replace("Y", "I")))


def code(text):
    decomposed = unicodedata.normalize("NFKD", text.upper())
    return "".join(c for c in decomposed if unicodedata.category(c) in ("Lu", "Ll", "Lt", "Lo", "Nd"))
