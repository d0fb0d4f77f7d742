"""The XPath of XForms, as far as the national forms use it: parsing and evaluating.

A node is a Node; a path gives a list of Nodes, the rest text, numbers (float) and booleans.
What is unknown is an error: a form that uses more needs more here.
"""

import datetime
import math
import re

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<dots>\.\.?)"
    r"|(?P<name>[A-Za-z_](?:[\w-]|:(?=[A-Za-z_]))*)|(?P<sign>!=|<=|>=|[-+*/=<>()\[\],]))")
LEVELS = (("or",), ("and",), ("=", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "div", "mod"))
WORDS = {"or", "and", "div", "mod"}


class Node:
    """An element: of the submission, of a choice list, or one that is not there (not in its
    parent's children), which then has no value."""

    def __init__(self, name, parent=None, text=""):
        self.name, self.parent, self.text, self.children = name, parent, text, []

    def add(self, name, text=""):
        child = Node(name, self, text)
        self.children.append(child)
        return child

    def root(self):
        return self if self.parent is None else self.parent.root()

    def value(self):
        return self.text + "".join(child.value() for child in self.children)


def document(root):
    """What an absolute path's first step is looked up in."""
    top = Node("")
    top.children = [root]
    return top


class Parser:
    """Makes nested tuples of an expression: ("path", start, steps), ("call", name, arguments),
    ("op", sign, left, right), ("minus", operand), ("value", constant)."""

    def __init__(self, expression):
        self.expression, self.tokens, at = expression, [], 0
        while expression[at:].strip():
            found = TOKEN.match(expression, at)
            if not found:
                raise ValueError(f"{expression!r} cannot be read at {expression[at:at + 20]!r}")
            self.tokens.append((found.lastgroup, found.group(found.lastgroup)))
            at = found.end()
        self.at = 0

    def parse(self):
        tree = self.binary(0)
        if self.at < len(self.tokens):
            raise ValueError(f"{self.expression!r} has something left over: {self.peek()!r}")
        return tree

    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at][1] if at < len(self.tokens) else None

    def kind(self):
        return self.tokens[self.at][0] if self.at < len(self.tokens) else None

    def take(self, wanted=None):
        token = self.peek()
        if token is None or (wanted is not None and token != wanted):
            raise ValueError(f"{self.expression!r}: {wanted or 'more'} expected, not {token}")
        self.at += 1
        return token

    def binary(self, level):
        if level == len(LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in LEVELS[level] and self.kind() in ("sign", "name"):
            sign = self.take()
            left = ("op", sign, left, self.binary(level + 1))
        return left

    def unary(self):
        if self.peek() == "-":
            self.take()
            return ("minus", self.unary())
        return self.primary()

    def primary(self):
        kind = self.kind()
        if kind == "number":
            return ("value", float(self.take()))
        if kind == "text":
            return ("value", self.take()[1:-1])
        if self.peek() == "(":
            self.take()
            inner = self.binary(0)
            self.take(")")
            return inner
        if kind == "name" and self.peek(1) == "(":
            call = self.call()
            return ("path", call, self.steps()) if self.peek() in ("/", "[") else call
        return self.path()

    def call(self):
        name, arguments = self.take(), []
        self.take("(")
        while self.peek() != ")":
            arguments.append(self.binary(0))
            if self.peek() != ")":
                self.take(",")
        self.take(")")
        return ("call", name, tuple(arguments))

    def path(self):
        if self.peek() == "/":
            return ("path", "/", self.steps())
        return ("path", ".", (self.step(),) + self.steps())

    def steps(self):
        found = []
        while self.peek() == "/":
            self.take()
            found.append(self.step())
        return tuple(found)

    def step(self):
        if self.kind() not in ("name", "dots"):
            raise ValueError(f"{self.expression!r}: a name was expected, not {self.peek()!r}")
        name, tests = self.take(), []
        while self.peek() == "[":
            self.take()
            tests.append(self.binary(0))
            self.take("]")
        return (name, tuple(tests))


def parse(expression):
    return Parser(expression).parse()


# Evaluating ---------------------------------------------------------------------------------


def text_of(value):
    if isinstance(value, list):
        return value[0].value() if value else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return value


def number_of(value):
    if isinstance(value, (bool, float)):
        return float(value)
    try:
        return float(text_of(value))
    except ValueError:
        return math.nan


def truth_of(value):
    if isinstance(value, float):
        return value != 0 and not math.isnan(value)
    return value if isinstance(value, bool) else bool(value)


def comparable(value):
    """A date compares as its day; what is not a date, as a number."""
    try:
        return float(datetime.date.fromisoformat(text_of(value)).toordinal())
    except ValueError:
        return number_of(value)


def equal(left, right):
    if isinstance(left, bool) or isinstance(right, bool):
        return truth_of(left) == truth_of(right)
    if isinstance(left, float) or isinstance(right, float):
        return number_of(left) == number_of(right)
    return text_of(left) == text_of(right)


OPERATORS = {
    "=": equal,
    "!=": lambda a, b: not equal(a, b),
    "<": lambda a, b: comparable(a) < comparable(b),
    "<=": lambda a, b: comparable(a) <= comparable(b),
    ">": lambda a, b: comparable(a) > comparable(b),
    ">=": lambda a, b: comparable(a) >= comparable(b),
    "+": lambda a, b: number_of(a) + number_of(b),
    "-": lambda a, b: number_of(a) - number_of(b),
    "*": lambda a, b: number_of(a) * number_of(b),
    "div": lambda a, b: number_of(a) / number_of(b),
    "mod": lambda a, b: math.fmod(number_of(a), number_of(b)),
}

FUNCTIONS = {
    "concat": lambda *parts: "".join(text_of(part) for part in parts),
    "count": lambda nodes: float(len(nodes)),
    "count-selected": lambda value: float(len(text_of(value).split())),
    "false": lambda: False,
    "if": lambda test, yes, no: yes if truth_of(test) else no,
    "join": lambda separator, nodes: text_of(separator).join(node.value() for node in nodes),
    "not": lambda value: not truth_of(value),
    "number": number_of,
    "regex": lambda value, pattern: re.search(pattern, text_of(value)) is not None,
    "string-length": lambda value: float(len(text_of(value))),
    "selected": lambda many, one: text_of(one).strip() in text_of(many).split(),
    "substr": lambda value, start, end: text_of(value)[int(start):int(end)],
    "today": lambda: datetime.date.today().isoformat(),
    "true": lambda: True,
}
# What gives something else each time: a form's check leaves these calculations alone.
RANDOM = {"once", "random", "uuid", "int"}


class Evaluator:
    """Evaluates expressions of a form whose choice lists are `instances` (name to root Node)."""

    def __init__(self, instances):
        self.instances = instances

    def value(self, tree, node, current=None):
        current = node if current is None else current
        kind = tree[0]
        if kind == "value":
            return tree[1]
        if kind == "minus":
            return -number_of(self.value(tree[1], node, current))
        if kind == "op":
            return self.operate(tree, node, current)
        if kind == "call":
            return self.call(tree[1], tree[2], node, current)
        return self.path(tree, node, current)

    def operate(self, tree, node, current):
        left = self.value(tree[2], node, current)
        if tree[1] in ("and", "or"):
            decided = truth_of(left) == (tree[1] == "or")
            return truth_of(left) if decided else truth_of(self.value(tree[3], node, current))
        return OPERATORS[tree[1]](left, self.value(tree[3], node, current))

    def call(self, name, arguments, node, current):
        if name == "current":
            return [current]
        if name == "instance":
            return [self.instances[arguments[0][1]]]
        return FUNCTIONS[name](*(self.value(argument, node, current) for argument in arguments))

    def path(self, tree, node, current):
        if tree[1] == "/":
            # Also inside a choice list's predicate, an absolute path starts at the submission.
            nodes = [document(current.root())]
        elif tree[1] == ".":
            nodes = [node]
        else:
            nodes = self.value(tree[1], node, current)
        for name, tests in tree[2]:
            nodes = self.step(nodes, name)
            for test in tests:
                nodes = [n for n in nodes if truth_of(self.value(test, n, current))]
        return nodes

    @staticmethod
    def step(nodes, name):
        if name == ".":
            return nodes
        if name == "..":
            return list(dict.fromkeys(n.parent for n in nodes if n.parent is not None))
        return [child for n in nodes for child in n.children if child.name == name]



def walk(tree):
    """The tree and all trees inside it."""
    yield tree
    if tree[0] == "op":
        inner = tree[2:]
    elif tree[0] == "minus":
        inner = tree[1:]
    elif tree[0] == "call":
        inner = tree[2]
    elif tree[0] == "path":
        inner = [test for _, tests in tree[2] for test in tests]
        inner += [tree[1]] if isinstance(tree[1], tuple) else []
    else:
        inner = ()
    for one in inner:
        yield from walk(one)


def functions_of(tree):
    return {part[1] for part in walk(tree) if part[0] == "call"}
