"""Runs one unittest program and writes a line "pass|fail|skip NAME SECONDS" per test.

usage: unittest_results.py PROGRAM RESULTS

SIGTERM ends the run like a Ctrl-C, so that the program's own clean-up is done.
"""
import importlib.util
import os
import signal
import sys
import time
import unittest


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


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


def main():
    program, results = sys.argv[1:]
    signal.signal(signal.SIGTERM, interrupt)
    sys.path.insert(0, os.path.dirname(os.path.abspath(program)))
    spec = importlib.util.spec_from_file_location(
        os.path.splitext(os.path.basename(program))[0], program)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    with open(results, "w", encoding="utf-8") as lines:
        runner = unittest.TextTestRunner(
            stream=sys.stderr, verbosity=2,
            resultclass=lambda *args, **kwargs: LineResult(*args, lines=lines, **kwargs))
        try:
            result = runner.run(suite)
        except KeyboardInterrupt:
            unittest.case.doModuleCleanups()
            return 1
        if result.testsRun == 0 and not result.errors:
            lines.write("fail no-tests 0\n")
    return 0 if result.wasSuccessful() and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
