"""A form definition, and whether a submission obeys it.

    form = Form(path)             reads the form and the lists of its media folder
    form.faults(xml)              what a submission does that the form would not have let happen

Both are written for the tests, independently of the plugin and of the generator: relevance,
required answers, constraints, calculations, choices with their filters, types, order.
"""

import csv
import datetime
import functools
import pathlib
import re
import xml.etree.ElementTree as ElementTree

from form_xpath import RANDOM, Evaluator, Node, functions_of, parse, text_of, truth_of

XF = "{http://www.w3.org/2002/xforms}"
JR = "{http://openrosa.org/javarosa}"
HTML = "{http://www.w3.org/1999/xhtml}"
PREFIXES = {"http://openrosa.org/xforms": "orx:"}
CONTROLS = ("input", "select", "select1", "upload", "trigger", "range")
EXPRESSIONS = ("calculate", "relevant", "required", "constraint", "readonly")


def name_of(element):
    """The element's name as paths write it: orx:meta, and without prefix in XForms or none."""
    found = re.fullmatch(r"(?:\{([^}]*)\})?(.*)", element.tag)
    return PREFIXES.get(found.group(1), "") + found.group(2)


def tree_of(element, parent=None):
    node = Node(name_of(element), parent, (element.text or "") if len(element) == 0 else "")
    node.children = [tree_of(child, node) for child in element]
    return node


def path_of(node):
    return (path_of(node.parent) if node.parent else "") + "/" + node.name


def is_int(text):
    return re.fullmatch(r"-?\d+", text) is not None


def is_date(text):
    try:
        return datetime.date.fromisoformat(text) is not None
    except ValueError:
        return False


TYPES = {"int": is_int, "date": is_date}


class Itemset:
    def __init__(self, element):
        self.nodeset = element.get("nodeset")
        self.tree = parse(self.nodeset)
        self.value = element.find(XF + "value").get("ref")
        self.label = element.find(XF + "label").get("ref")


class Form:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.media = self.path.with_name(self.path.stem + "-media")
        top = ElementTree.parse(self.path).getroot()
        self.model = top.find(f"{HTML}head/{XF}model")
        self.body = top.find(HTML + "body")
        self.title = top.findtext(f"{HTML}head/{HTML}title")
        self.instance_elements = self.model.findall(XF + "instance")
        self.data = self.instance_elements[0][0]
        self.binds = {bind.get("nodeset"): bind for bind in self.model.findall(XF + "bind")}
        self.controls = [e for e in self.body.iter() if e.tag.removeprefix(XF) in CONTROLS]
        self.repeats = {e.get("nodeset") for e in self.body.iter(XF + "repeat")}
        self.itemsets = {control.get("ref"): Itemset(itemset) for control in self.controls
                         for itemset in control.findall(XF + "itemset")}
        self.kinds = {control.get("ref"): control.tag.removeprefix(XF) for control in self.controls}
        self.root = self.structure(self.data, None)
        self.instances = {e.get("id"): self.read_instance(e) for e in self.instance_elements[1:]}
        self.evaluator = Evaluator(self.instances)

    def structure(self, element, parent):
        """The nodes of the primary instance: of a repeat, the template alone."""
        node, seen = Node(name_of(element), parent), set()
        for child in element:
            if name_of(child) not in seen:
                node.children.append(self.structure(child, node))
            seen.add(name_of(child))
        return node

    def read_instance(self, element):
        top, source = Node(""), element.get("src")
        if source is None:
            top.children = [tree_of(element[0], top)]
            return top
        root = top.add("root")
        for row in self.read_list(source):
            item = root.add("item")
            for column, text in row.items():
                item.add(column, text)
        return top

    def read_list(self, source):
        with open(self.media / source.rsplit("/", 1)[-1], encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def expression(self, path, attribute):
        """The parsed expression of a bind, or None."""
        bind = self.binds.get(path)
        text = bind.get(attribute) if bind is not None else None
        return cached_parse(text) if text else None

    def holds(self, path, attribute, node, default):
        tree = self.expression(path, attribute)
        return default if tree is None else truth_of(self.evaluator.value(tree, node))

    # A submission ---------------------------------------------------------------------------

    def faults(self, xml):
        root = tree_of(ElementTree.fromstring(xml))
        if root.name != self.root.name:
            return [f"the root is {root.name}"]
        found = []
        self.check_group(self.root, root, found)
        return found

    def check_group(self, shape, node, found):
        order = [child.name for child in shape.children]
        given = [child.name for child in node.children]
        for name in set(given) - set(order):
            found.append(f"{path_of(shape)}/{name}: not in the form")
        ranks = [order.index(name) for name in given if name in order]
        if ranks != sorted(ranks):
            found.append(f"{path_of(shape)}: not in the form's order")
        for child in shape.children:
            self.check_occurrences(child, node, found)

    def check_occurrences(self, shape, parent, found):
        path = path_of(shape)
        nodes = [child for child in parent.children if child.name == shape.name]
        is_relevant = self.holds(path, "relevant", nodes[0] if nodes else Node(shape.name, parent), True)
        if not is_relevant and nodes:
            found.append(f"{path}: not relevant, yet present")
        if is_relevant and path not in self.repeats and len(nodes) != 1:
            found.append(f"{path}: {len(nodes)} times")
        for node in nodes:
            if shape.children:
                self.check_group(shape, node, found)
            else:
                self.check_answer(path, node, found)

    def check_answer(self, path, node, found):
        bind = self.binds.get(path)
        if bind is None:
            found.append(f"{path}: no bind")
            return
        self.check_computed(path, bind, node, found)
        if not node.text:
            if self.holds(path, "required", node, False):
                found.append(f"{path}: required, yet empty")
            return
        if not TYPES.get(bind.get("type"), bool)(node.text):
            found.append(f"{path}: not of type {bind.get('type')}")
        if not self.holds(path, "constraint", node, True):
            found.append(f"{path}: against the constraint")
        if path in self.itemsets:
            self.check_choices(path, node, found)

    def check_computed(self, path, bind, node, found):
        tree = self.expression(path, "calculate")
        if tree is not None and not functions_of(tree) & RANDOM:
            if node.text != text_of(self.evaluator.value(tree, node)):
                found.append(f"{path}: not what the form computes")
        elif tree is None and bind.get("readonly") == "true()" and bind.get(JR + "preload") is None and node.text:
            found.append(f"{path}: an answer to a note")

    def choices(self, path, node):
        itemset = self.itemsets[path]
        items = self.evaluator.value(itemset.tree, node)
        return [child.text for item in items for child in item.children if child.name == itemset.value]

    def check_choices(self, path, node, found):
        given = node.text.split() if self.kinds[path] == "select" else [node.text]
        for code in sorted(set(given) - set(self.choices(path, node))):
            found.append(f"{path}: {code} is not a choice")
        if len(given) != len(set(given)):
            found.append(f"{path}: a choice twice")


cached_parse = functools.cache(parse)
