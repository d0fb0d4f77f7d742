"""Runs one unittest program and writes a line "pass|fail|skip NAME SECONDS" per test.

usage: unittest_results.py PROGRAM RESULTS [watched | release]

With a word, only the tests that are for that build (e2e/builds.py), and RESULTS.release says how many are for the
other one. A test during which a sanitizer reported something fails, whatever it found itself.
SIGTERM ends the run like a Ctrl-C, so that the program's own clean-up is done.
"""
import importlib.util
import os
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "e2e"))
import builds


class LineResult(unittest.TextTestResult):
    """Writes each outcome as it comes: a run that is cut short has its results so far."""

    def __init__(self, *args, lines, **kwargs):
        super().__init__(*args, **kwargs)
        self.lines = lines
        self.began = time.monotonic()

    def startTest(self, test):
        self.began = time.monotonic()
        self.outcome = "fail"  # until something else is known: the run may be cut short
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        found = builds.reports()
        if found:
            self.outcome = "fail"
            self.failures.append((test, "The sanitizers reported:\n" + found))
        self.write(test)

    def write(self, test):
        name = test.id().split(".", 1)[-1] if hasattr(test, "_testMethodName") else str(test)
        seconds = time.monotonic() - self.began
        self.lines.write(f"{self.outcome} {name.replace(' ', '_')} {seconds:.1f}\n")
        self.lines.flush()

    def _set(self, test, outcome):
        self.outcome = outcome
        if not hasattr(test, "_testMethodName"):  # setUpClass or setUpModule failed
            self.write(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.outcome = "pass"

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.outcome = "pass"

    def addError(self, test, err):
        super().addError(test, err)
        self._set(test, "fail")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._set(test, "fail")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcome = "fail"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._set(test, "fail")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._set(test, "skip")


def tests_of(suite):
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests_of(part)
        else:
            yield part


def choose(suite, part, results):
    """The tests of that part."""
    tests = list(tests_of(suite))
    others = sum(builds.RELEASE in builds.parts(test) for test in tests)
    if part == builds.WATCHED and others:
        with open(results + ".release", "w", encoding="ascii") as file:
            file.write(f"{others}\n")
    return unittest.TestSuite(test for test in tests if part is None or part in builds.parts(test))


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


def main():
    program, results = sys.argv[1:3]
    part = sys.argv[3] if len(sys.argv) > 3 else None
    signal.signal(signal.SIGTERM, interrupt)
    sys.path.insert(0, os.path.dirname(os.path.abspath(program)))
    spec = importlib.util.spec_from_file_location(
        os.path.splitext(os.path.basename(program))[0], program)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    suite = choose(unittest.defaultTestLoader.loadTestsFromModule(module), part, results)
    with open(results, "w", encoding="utf-8") as lines:
        runner = unittest.TextTestRunner(
            stream=sys.stderr, verbosity=2,
            resultclass=lambda *args, **kwargs: LineResult(*args, lines=lines, **kwargs))
        try:
            result = runner.run(suite)
        except KeyboardInterrupt:
            unittest.case.doModuleCleanups()
            return 1
        left = builds.reports()  # of what outlived all tests
        if left:
            lines.write("fail reports 0\n")
            print(f"The sanitizers reported:\n{left}", file=sys.stderr)
            return 1
        if result.testsRun == 0 and not result.errors and not os.path.exists(results + ".release"):
            lines.write("fail no-tests 0\n")
            return 1
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
