"""What is wrong with a form, by the ODK XForms specification and by this project's own rules.

    complaints(path)       sentences, none for a good form: one rule, one function below

Written to be turned on any form of xforms/, whatever its questions are.
"""

import collections
import re

import form_rules
import form_xpath
from form_rules import JR, XF, name_of

ITEXT = re.compile(r"jr:itext\('([^']*)'\)")
INSTANCE = re.compile(r"instance\('([^']*)'\)")
NAME_LONGEST = 64  # bytes: what databases and spreadsheets behind other servers still take
LANGUAGES = ("fr", "en")

# The specification's own words; what stands in none of these no client promises to know.
TYPES = {"string", "int", "boolean", "decimal", "date", "time", "dateTime", "geopoint", "geotrace", "geoshape",
         "binary", "barcode", "intent"}
BIND = {"nodeset", "type", "readonly", "required", "relevant", "constraint", "calculate", JR + "requiredMsg",
        JR + "constraintMsg", JR + "preload", JR + "preloadParams"}
MODEL = {"itext", "instance", "bind"}

# All that a name of a filled form may tell: it stands in the lists of the phone.
NAMED_AFTER = {"date", "month", "org_code"}

# JavaRosa writes what is larger in scientific notation.
LARGEST = 2**31 - 1


class Unbounded(ValueError):
    pass


class Lint:
    def __init__(self, path):
        self.form = form_rules.Form(path)
        self.found = []
        self.texts = self.read_texts()

    def say(self, sentence):
        self.found.append(sentence)

    def read_texts(self):
        """Language -> text id -> the text."""
        found = {}
        for translation in self.form.model.iter(XF + "translation"):
            language = re.fullmatch(r".* \((\w+)\)", translation.get("lang")).group(1)
            found[language] = {}
            for text in translation.findall(XF + "text"):
                if text.get("id") in found[language]:
                    self.say(f"the text {text.get('id')} stands twice in {language}")
                found[language][text.get("id")] = " ".join("".join(text.itertext()).split()) or " ".join(
                    output.get("value") for output in text.iter(XF + "output"))
        return found

    def has_text(self, reference):
        """True when a jr:itext() reference leads to a text in each language."""
        key = ITEXT.fullmatch(reference or "")
        return key is not None and all(self.texts.get(language, {}).get(key.group(1)) for language in LANGUAGES)

    # ---- texts --------------------------------------------------------------------------------

    def check_languages(self):
        if tuple(self.texts) != LANGUAGES:
            self.say(f"the languages are {', '.join(self.texts)}")

    def check_messages(self):
        for path, bind in self.form.binds.items():
            for rule, message in (("constraint", "constraintMsg"), ("required", "requiredMsg")):
                is_asked = bind.get(rule, "false()") != "false()"
                if is_asked and not self.has_text(bind.get(JR + message)):
                    self.say(f"{path}: {rule} without {message} in both languages")
                if not is_asked and bind.get(JR + message) is not None:
                    self.say(f"{path}: {message} without {rule}")

    def check_labels(self):
        for element in self.form.body.iter():
            kind = element.tag.removeprefix(XF)
            if kind not in form_rules.CONTROLS and kind != "group":
                continue
            where = element.get("ref") or element.get("nodeset")
            label, hint = element.find(XF + "label"), element.find(XF + "hint")
            if label is None or not self.has_text(label.get("ref")):
                self.say(f"{where}: no label in both languages")
            if hint is not None and not self.has_text(hint.get("ref")):
                self.say(f"{where}: no hint in both languages")

    def check_choice_texts(self):
        for element in self.form.model.findall(XF + "instance"):
            for key in element.iter(XF + "itextId"):
                if not self.has_text(f"jr:itext('{key.text}')"):
                    self.say(f"{element.get('id')}: the choice {key.text} has no label in both languages")

    # ---- names --------------------------------------------------------------------------------

    def check_names(self):
        for element in self.form.data.iter():
            # A repeat's template and its first instance share their name by right.
            seen = collections.Counter((name_of(child), child.get(JR + "template") is None) for child in element)
            for name in sorted({name for name, _ in seen}):
                if len(name.encode()) > NAME_LONGEST:
                    self.say(f"{name}: the name is longer than {NAME_LONGEST}")
                if not re.fullmatch(r"(orx:)?[A-Za-z_][\w.-]*", name):
                    self.say(f"{name}: not a name that every client takes")
                if max(seen[name, True], seen[name, False]) > 1:
                    self.say(f"{name_of(element)}: {name} stands twice")

    def check_instance_name(self):
        bind = self.form.binds.get("/data/orx:meta/orx:instanceName")
        if bind is None or not bind.get("calculate"):
            self.say("there is no instanceName")
            return
        for tree in form_xpath.walk(form_xpath.parse(bind.get("calculate"))):
            if tree[0] == "path" and tree[2][-1][0] not in NAMED_AFTER:
                self.say(f"instanceName shows {tree[2][-1][0]}")

    # ---- structure ----------------------------------------------------------------------------

    def check_model(self):
        for child in self.form.model:
            if child.tag.removeprefix(XF) not in MODEL:
                self.say(f"{child.tag} in the model")
        if self.form.model.get("{http://www.opendatakit.org/xforms}xforms-version") != "1.0.0":
            self.say("odk:xforms-version is not 1.0.0")
        for part in ("instanceID", "instanceName"):
            if not any(name_of(element) == f"orx:{part}" for element in self.form.data.iter()):
                self.say(f"no orx:{part}")
        instance_id = self.form.binds.get("/data/orx:meta/orx:instanceID")
        if instance_id is None or instance_id.get(JR + "preload") != "uid":
            self.say("nothing makes the instanceID")

    def check_binds(self):
        for path, bind in self.form.binds.items():
            for attribute in set(bind.attrib) - BIND:
                self.say(f"{path}: the bind has {attribute}")
            if bind.get("type", "string") not in TYPES:
                self.say(f"{path}: there is no type {bind.get('type')}")
        if len(self.form.binds) != len(self.form.model.findall(XF + "bind")):
            self.say("two binds of one nodeset")

    def check_lists(self):
        for path, itemset in self.form.itemsets.items():
            for name in INSTANCE.findall(itemset.nodeset):
                instance = self.form.instances.get(name)
                if instance is None:
                    self.say(f"{path}: there is no instance {name}")
                elif not any(root.children for root in instance.children):
                    self.say(f"{path}: the instance {name} is empty")
        for control in self.form.controls:
            if control.tag.removeprefix(XF).startswith("select") and control.find(XF + "itemset") is None:
                self.say(f"{control.get('ref')}: no choices")

    # ---- numbers ------------------------------------------------------------------------------

    def check_numbers(self):
        for path, bind in self.form.binds.items():
            for attribute in form_rules.EXPRESSIONS:
                if bind.get(attribute):
                    self.check_arithmetic(path, attribute, form_xpath.parse(bind.get(attribute)))
            if bind.get("type") == "int":
                self.bounded(path, "its value", lambda path=path: self.largest_answer(path))

    def check_arithmetic(self, path, attribute, tree):
        for part in form_xpath.walk(tree):
            if part[0] == "value" and isinstance(part[1], float) and part[1] > LARGEST:
                self.say(f"{path}: {attribute} has the number {part[1]:.0f}")
            if part[0] == "op" and part[1] in ("+", "-", "*", "div", "mod"):
                self.bounded(path, attribute, lambda part=part: self.largest(part, path))

    def bounded(self, path, what, compute):
        try:
            if compute() > LARGEST:
                self.say(f"{path}: {what} can be larger than {LARGEST}")
        except Unbounded as why:
            self.say(f"{path}: {what} has no known bound: {why}")

    def largest(self, tree, path):
        """An upper bound of the absolute value of an expression."""
        if tree[0] == "value" and isinstance(tree[1], float):
            return tree[1]
        if tree[0] == "op" and tree[1] in ("+", "-"):
            return self.largest(tree[2], path) + self.largest(tree[3], path)
        if tree[0] == "op" and tree[1] == "*":
            return self.largest(tree[2], path) * self.largest(tree[3], path)
        if tree[0] == "op" and tree[1] == "mod":
            self.largest(tree[2], path)
            return self.largest(tree[3], path)
        if tree[0] == "call":
            return self.largest_result(tree[1], tree[2], path)
        if tree[0] == "path" and tree[1] in ("/", "."):
            return self.largest_answer(self.resolved(path, tree))
        raise Unbounded(tree)

    def largest_result(self, name, arguments, path):
        if name in ("once", "int", "round"):
            return self.largest(arguments[0], path)
        if name in ("random", "count-selected", "count"):
            return {"random": 1}.get(name, 10_000)
        if name == "number" and arguments[0][1] == "substr":
            _, start, end = arguments[0][2]
            return 10 ** (end[1] - start[1]) - 1
        raise Unbounded(f"{name}()")

    def largest_answer(self, path):
        bind = self.form.binds.get(path)
        if bind is None or bind.get("type") != "int":
            raise Unbounded(f"{path} is no whole number")
        if bind.get("calculate"):
            return self.largest(form_xpath.parse(bind.get("calculate")), path)
        limits = [float(limit) for limit in re.findall(r"\. <= (\d+)", bind.get("constraint", ""))]
        limits += [self.largest_answer(self.resolved(path, form_xpath.parse(other)))
                   for other in re.findall(r"\. <= (\.\./\w+)", bind.get("constraint", ""))]
        if not limits:
            raise Unbounded(f"{path} has no upper limit")
        return min(limits)

    @staticmethod
    def resolved(path, tree):
        steps = [] if tree[1] == "/" else path.strip("/").split("/")
        for name, _ in tree[2]:
            if name == "..":
                steps.pop()
            elif name != ".":
                steps.append(name)
        return "/" + "/".join(steps)


def complaints(path):
    lint = Lint(path)
    for name in dir(lint):
        if name.startswith("check_") and name != "check_arithmetic":
            getattr(lint, name)()
    return lint.found
