"""What a published table gives away, and what of it may be published.

A tree of numbers: Node(true number, children). A leaf below k is masked and known to be 0 to k-1; any
other shown number is rounded down to five and at least k; a total that is not shown is known to be no
negative number, nothing else. attack() finds what a reader can infer of every number from all that is
shown: along the edges of a tree, upward then downward, that is exact.
"""
import math

FREE = 4          # every masked number must still be able to be 0 to 4


class Node:
    def __init__(self, number, k, children=(), shown=None):
        self.number, self.k, self.children = number, k, list(children)
        # As read from a table: the number shown, or None; a leaf that is not shown is masked.
        self.shown = shown

    def known(self):
        if self.shown is not None:
            return max(self.shown, self.k), self.shown + 4
        return (0, math.inf) if self.children else (0, self.k - 1)

    def is_secret(self):
        return self.number < self.k

    def text(self):
        if self.shown is not None:
            return str(self.shown)
        return "…" if self.children else f"<{self.k}"


def up(node):
    low, high = node.known()
    for child in node.children:
        up(child)
    if node.children:
        low, high = max(low, sum(c.low for c in node.children)), min(high, sum(c.high for c in node.children))
    node.low, node.high = low, high


def down(node):
    low, high = sum(c.low for c in node.children), sum(c.high for c in node.children)
    for child in node.children:
        child.inferred = (max(child.low, node.inferred[0] - (high - child.high)), min(child.high, node.inferred[1] - (low - child.low)))
        down(child)


def attack(root):
    """Every node, each with what a reader infers of it in node.inferred."""
    up(root)
    root.inferred = (root.low, root.high)
    down(root)
    return every(root)


def every(node):
    yield node
    for child in node.children:
        yield from every(child)


def gives_away(root):
    """The secret numbers that a reader can narrow to less than 0 to FREE."""
    return [n for n in attack(root) if n.is_secret() and not (n.inferred[0] <= 0 and n.inferred[1] >= FREE)]


def publish(node):
    """Shows all that may be shown: leaves by their size, then totals from below that give nothing away."""
    for child in node.children:
        publish(child)
    node.shown = None if node.is_secret() else node.number // 5 * 5
    if node.children and node.shown is not None and gives_away(node):
        node.shown = None


def tree(cells, k):
    """{(region_13, region, cell): number} of one year: country, former regions, regions, cells."""
    formers = {}
    for (former, region, _), number in sorted(cells.items()):
        formers.setdefault(former, {}).setdefault(region, []).append(Node(number, k))

    def total(children):
        children = list(children)
        return Node(sum(c.number for c in children), k, children)

    return total(total(total(leaves) for leaves in regions.values()) for regions in formers.values())


def named(root, cells):
    """The nodes of tree(cells) by (former, region, cell); None for what a total is over."""
    found, keys = {(None, None, None): root}, sorted(cells)
    for former, node in zip(dict.fromkeys(key[0] for key in keys), root.children):
        found[former, None, None] = node
        for region, below in zip(dict.fromkeys(key[1] for key in keys if key[0] == former), node.children):
            found[former, region, None] = below
            found.update(zip((key for key in keys if key[:2] == (former, region)), below.children))
    return found
